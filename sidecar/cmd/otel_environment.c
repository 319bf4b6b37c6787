/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/otel_environment.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/push_url.h"
#include "base/value.h"

#define ENDPOINT	 "OTEL_EXPORTER_OTLP_ENDPOINT"
#define METRICS_ENDPOINT "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"

#define TIME_MIN_MS 100u
#define TIME_MAX_MS (24u * 3600 * 1000)

/* The first of the names that is set and not empty. */
struct variable {
	const char *name;
	const char *value; /* NULL: none is */
};

static struct variable find(char *const *environ, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(names[i]);

		for (char *const *at = environ; *at; at++)
			if (strncmp(*at, names[i], len) == 0 && (*at)[len] == '=' && (*at)[len + 1])
				return (struct variable){names[i], *at + len + 1};
	}
	return (struct variable){0};
}

#define FIND(environ, ...)                                                                         \
	find(environ, (const char *const[]){__VA_ARGS__},                                          \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* That of metrics, else that of all signals. */
#define FIND_OTLP(environ, name)                                                                   \
	FIND(environ, "OTEL_EXPORTER_OTLP_METRICS_" name, "OTEL_EXPORTER_OTLP_" name)

static void note(struct otel_environment *e, const char *variable, const char *what)
{
	if (e->problem_count < OTEL_PROBLEMS_MAX)
		e->problems[e->problem_count++] = (struct otel_problem){variable, what};
}

/* Somebody wants no metrics, or not by OTLP. */
static bool is_off(char *const *environ)
{
	const char *disabled = FIND(environ, "OTEL_SDK_DISABLED").value;
	const char *exporters = FIND(environ, "OTEL_METRICS_EXPORTER").value;

	return (disabled && strcasecmp(disabled, "true") == 0) ||
	       (exporters && !value_is_listed(exporters, "otlp"));
}

static void read_endpoint(struct otel_environment *e, char *const *environ)
{
	struct variable url = FIND(environ, METRICS_ENDPOINT, ENDPOINT);
	struct variable protocol = FIND_OTLP(environ, "PROTOCOL");

	if (!url.value || is_off(environ))
		return;
	if (protocol.value && strcmp(protocol.value, "http/protobuf") != 0) {
		note(e, protocol.name,
		     "is not http/protobuf, which is all that sidelight speaks: nothing is "
		     "exported by OTLP");
		e->is_refused = true;
	} else if (!push_url_is_valid(url.value)) { /* without the URL: it may hold a password */
		note(e, url.name, "is not " PUSH_URL_WANTED ": nothing is exported by OTLP");
		e->is_refused = true;
	} else {
		e->endpoint = url.value;
		e->is_base = strcmp(url.name, ENDPOINT) == 0;
	}
}

/* Milliseconds; 0: it is not set, or wrong. */
static uint64_t read_time(struct otel_environment *e, struct variable v)
{
	uint64_t ms;

	if (!v.value)
		return 0;
	if (value_number(v.value, &ms) == 0 && ms >= TIME_MIN_MS && ms <= TIME_MAX_MS)
		return ms;
	note(e, v.name, "is not a number of milliseconds from 100 to 86400000: it is not used");
	return 0;
}

static void read_files(struct otel_environment *e, char *const *environ)
{
	struct variable cert = FIND_OTLP(environ, "CLIENT_CERTIFICATE");
	struct variable key = FIND_OTLP(environ, "CLIENT_KEY");

	e->ca = FIND_OTLP(environ, "CERTIFICATE").value;
	if (!cert.value != !key.value) {
		note(e, cert.value ? cert.name : key.name,
		     "stands alone: a client's certificate and its key go together");
		return;
	}
	e->cert = cert.value;
	e->key = key.value;
}

void otel_environment_read(struct otel_environment *e, char *const *environ, bool has_endpoint)
{
	struct variable compression = FIND_OTLP(environ, "COMPRESSION");

	*e = (struct otel_environment){0};
	if (!has_endpoint)
		read_endpoint(e, environ);
	read_files(e, environ);
	e->headers = FIND_OTLP(environ, "HEADERS").value;
	e->interval_ms = read_time(e, FIND(environ, "OTEL_METRIC_EXPORT_INTERVAL"));
	e->timeout_ms =
		read_time(e, FIND(environ, "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
				  "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT"));
	e->is_plain = compression.value && strcmp(compression.value, "none") == 0;
	e->service_name = FIND(environ, "OTEL_SERVICE_NAME").value;
	e->resource_attributes = FIND(environ, "OTEL_RESOURCE_ATTRIBUTES").value;
}
