/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields are shown without the secrets in them, and otherwise as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/redact.h"

#define SECRET "hunter2-Zq9"

/* Names of HTTP, in the spelling of the wire, and of gRPC metadata. */
static const char *const secret_names[] = {
	"authorization",
	"Authorization",
	"AUTHORIZATION",
	"proxy-authorization",
	"Proxy-Authorization",
	"x-forwarded-authorization",
	"authorization-bin",
	"grpc-metadata-authorization",
	"cookie",
	"Cookie",
	"cookie2",
	"set-cookie",
	"Set-Cookie2",
	"x-original-cookie",
	"x-api-key",
	"X-API-Key",
	"apikey",
	"api_key",
	"x-goog-api-key",
	"ocp-apim-subscription-key",
	"x-functions-key",
	"x-auth",
	"x-auth-user",
	"x-auth-token",
	"x-access-token",
	"x-id-token",
	"x-csrf-token",
	"x-xsrf-token",
	"x-gitlab-token",
	"x-vault-token",
	"x-amz-security-token",
	"token-bin",
	"x-secret",
	"x-client-secret",
	"x-shared-secret-bin",
	"x-password",
	"password",
	"x-user-pwd",
	"php-auth-pw",
	"x-otp",
	"x-jwt",
	"x-jwt-assertion",
	"x-goog-iap-jwt-assertion",
	"x-session-id",
	"x-sid",
	"x-hub-signature-256",
	"x-amz-credential",
	"x-pin",
	"x-pass",
	"x-private-key-bin",
	"x-passphrase",
	"x-bearer",
};

static void test_secret_names(void **state)
{
	char out[64];
	bool is_cut;

	(void)state;
	assert_true(sizeof(secret_names) / sizeof(secret_names[0]) >= 40);
	for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++) {
		struct span name = span_of(secret_names[i]);
		size_t n = redact_header(name, span_of(SECRET), out, sizeof(out), &is_cut);

		if (!span_is((struct span){out, n}, REDACTED))
			fail_msg("%s: %.*s", secret_names[i], (int)n, out);
		assert_true(redact_is_secret_header(name));
	}
}

static const struct {
	const char *why;
	const char *name;
	const char *value;
	const char *want; /* NULL: the value itself */
} values[] = {
	{"nothing to redact", "accept", "text/html,application/xml;q=0.9,*/*;q=0.8", NULL},
	{"a browser", "user-agent",
	 "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0",
	 NULL},
	{"a host with a port", "host", "example.com:8080", NULL},
	{"a trace", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NULL},
	{"a trace of B3", "x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7", NULL},
	{"the name of a request", "x-request-id", "80f198ee56343ba864fe8b2a57d3eff7", NULL},
	{"a version of a resource", "etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"", NULL},
	{"addresses", "x-forwarded-for", "10.0.0.1, 192.168.7.9", NULL},
	{"a boundary", "content-type",
	 "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWx", NULL},
	{"a date", "date", "Sun, 06 Nov 1994 08:49:37 GMT", NULL},
	{"gRPC", "grpc-timeout", "900m", NULL},
	{"a status of gRPC", "grpc-message", "no such user", NULL},
	{"nothing", "x-empty", "", NULL},
	{"a path", ":path", "/a?x=1&token=" SECRET, "/a?x=1&token=***"},
	{"userinfo", ":authority", "joe:" SECRET "@example.com", "***@example.com"},
	{"userinfo of HTTP/1", "Host", "joe:" SECRET "@example.com", "***@example.com"},
	{"a URL", "referer", "https://joe:" SECRET "@x/y?a=1", "https://***@x/y?a=1"},
	{"a redirection", "location", "/cb?code=" SECRET "&state=1", "/cb?code=***&state=1"},
	{"a URL among other words", "link", "</a?token=" SECRET ">; rel=next", "***"},
	{"a challenge", "www-authenticate", "Bearer realm=\"" SECRET "\"", "***"},
	{"a scheme", "x-forwarded", "Basic " SECRET, "***"},
	{"a token in a list", "sec-websocket-protocol",
	 "v4, base64url.bearer.authorization.k8s.io.c2VjcmV0", "***"},
	{"a JWT in any field", "x-any", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "***"},
	{"a JWT where names of requests are", "x-request-id", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI",
	 "***"},
	{"a key of a provider", "x-any", "AKIAIOSFODNN7EXAMPLE", "***"},
	{"a random word", "x-any", "q8ZtP0xVbN4mK2jH6gF1dS9a", "***"},
	{"a parameter", "x-any", "a=1; password=" SECRET, "***"},
	{"JSON", "x-any", "{\"password\":\"" SECRET "\"}", "***"},
	{"percent-encoding", "x-any", "a%3D1%26token%3D" SECRET, "***"},
};

static void test_secret_values(void **state)
{
	char out[256];
	bool is_cut;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char *want = values[i].want ? values[i].want : values[i].value;
		size_t n = redact_header(span_of(values[i].name), span_of(values[i].value), out,
					 sizeof(out), &is_cut);

		if (!span_is((struct span){out, n}, want))
			fail_msg("%s: %.*s, not %s", values[i].why, (int)n, out, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_names),
		cmocka_unit_test(test_secret_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
