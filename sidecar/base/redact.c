/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redact.h"

#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A name is compared by its letters and digits, in lower case. */
#define NAME_MAX_LEN REDACT_TARGET_MAX

/* Percent-encoding is undone so often: proxies and redirections encode what is encoded. */
#define DECODE_ROUNDS 3

/* A random word has at least so many characters, a hexadecimal one so many. */
#define RANDOM_MIN     20
#define RANDOM_HEX_MIN 32
#define UUID_LEN       36
#define PREFIXED_MIN   12

/* What stands between parameters; in a decoded value also what JSON and lists have there. */
static const char delimiters[] = "?&;#/,{( \t\n";

struct output {
	char *ptr;
	size_t len;
	size_t size;
	bool is_cut;
};

static void put(struct output *o, struct span s)
{
	size_t room = o->size - o->len;

	o->is_cut |= s.len > room;
	s.len = s.len < room ? s.len : room;
	if (s.len)
		memcpy(o->ptr + o->len, s.ptr, s.len);
	o->len += s.len;
}

/* As strchr(), but no zero byte is one of them. */
static bool is_one_of(char c, const char *characters)
{
	while (*characters && *characters != c)
		characters++;
	return *characters != '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

/* Into buf, of REDACT_TARGET_MAX bytes; s is no longer than that. */
static struct span decode(struct span s, char *buf)
{
	if (s.len)
		memmove(buf, s.ptr, s.len);
	s.ptr = buf;
	for (int round = 0; round < DECODE_ROUNDS; round++) {
		size_t to = 0;

		for (size_t i = 0; i < s.len; i++) {
			bool is_code = buf[i] == '%' && i + 2 < s.len &&
				       hex_value(buf[i + 1]) >= 0 && hex_value(buf[i + 2]) >= 0;

			if (is_code) {
				buf[to++] =
					(char)(hex_value(buf[i + 1]) * 16 + hex_value(buf[i + 2]));
				i += 2;
			} else {
				buf[to++] = buf[i];
			}
		}
		if (to == s.len)
			break;
		s.len = to;
	}
	return s;
}

static bool has(struct span s, const char *word)
{
	return memmem(s.ptr, s.len, word, strlen(word)) != NULL;
}

static bool ends_with(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.len >= n && memcmp(s.ptr + s.len - n, word, n) == 0;
}

/* A decoded name. */
static bool is_secret_name(struct span raw)
{
	static const char *const parts[] = {
		"token",     "secret",	   "passw",	"passphrase", "passcode",   "pwd",
		"apikey",    "session",	   "sessid",	"cookie",     "jwt",	    "bearer",
		"oauth",     "otp",	   "csrf",	"credential", "signature",  "authoriz",
		"authkey",   "verifier",   "assertion", "saml",	      "cardnumber", "creditcard",
		"accesskey", "privatekey",
	};
	static const char *const whole[] = {"auth", "code",   "sid",  "pin",
					    "pass", "pw",     "cvv",  "cvc",
					    "ssn",  "ticket", "hmac", "authentication"};
	char buf[NAME_MAX_LEN];
	struct span name = {buf, 0};

	for (size_t i = 0; i < raw.len && name.len < sizeof(buf); i++)
		if (is_letter(raw.ptr[i]) || is_digit(raw.ptr[i]))
			buf[name.len++] = lower(raw.ptr[i]);
	for (size_t i = 0; i < COUNT(parts); i++)
		if (has(name, parts[i]))
			return true;
	for (size_t i = 0; i < COUNT(whole); i++)
		if (span_is(name, whole[i]))
			return true;
	return ends_with(name, "key") || ends_with(name, "sig");
}

/* Groups of 8-4-4-4-12. */
static bool is_uuid(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? s.ptr[i] != '-' : hex_value(s.ptr[i]) < 0)
			return false;
	}
	return s.len == UUID_LEN;
}

/* Letters of both cases with digits, or hexadecimal digits: no word, no number, no date. */
static bool is_random(struct span s)
{
	bool has_upper = false;
	bool has_lower = false;
	bool has_digit = false;
	bool is_hex = true;

	if (s.len < RANDOM_MIN || is_uuid(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "_-+/=.~"))
			return false;
		has_digit |= is_digit(c);
		has_upper |= is_letter(c) && c != lower(c);
		has_lower |= is_letter(c) && c == lower(c);
		is_hex &= hex_value(c) >= 0;
	}
	return (is_hex && s.len >= RANDOM_HEX_MIN) || (has_upper && has_lower && has_digit);
}

/* A decoded value. */
static bool is_secret_value(struct span s)
{
	static const char *const prefixes[] = {
		"eyJ", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xox",	"sk-",	"sk_",
		"rk_", "AKIA", "ASIA", "AIza", "ya29.",	      "npm_",	"hvs.", "dop_",
	};

	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (s.len >= PREFIXED_MIN && span_starts(s, prefixes[i]))
			return true;
	if (s.len > 6 &&
	    (strncasecmp(s.ptr, "basic ", 6) == 0 || strncasecmp(s.ptr, "basic+", 6) == 0))
		return true;
	return has(s, "Bearer") || has(s, "bearer") || is_random(s);
}

/* Another URL or parameter with a secret inside of a decoded value. */
static bool has_secret_inside(struct span s)
{
	size_t start = 0; /* of what may be a name */
	bool is_value = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '@' && has((struct span){s.ptr, i}, "//"))
			return true;
		if (is_one_of(c, delimiters)) {
			if (is_value && is_secret_value((struct span){s.ptr + start, i - start}))
				return true;
			start = i + 1;
			is_value = false;
		} else if (c == '=' || c == ':') {
			if (is_secret_name((struct span){s.ptr + start, i - start}))
				return true;
			start = i + 1;
			is_value = true;
		}
	}
	return is_value && is_secret_value(span_from(s, start));
}

static void put_value(struct output *o, struct span value, bool is_query)
{
	char buf[REDACT_TARGET_MAX];
	struct span decoded = decode(value, buf);

	if (has_secret_inside(decoded) || (is_query && is_secret_value(decoded)))
		put(o, span_of(REDACTED));
	else
		put(o, value);
}

/* part: a parameter of the query, or a segment of the path. */
static void put_part(struct output *o, struct span part, bool is_query)
{
	const char *equals = memchr(part.ptr, '=', part.len);
	char buf[REDACT_TARGET_MAX];
	struct span name;

	if (!equals) {
		put_value(o, part, is_query);
		return;
	}
	name = (struct span){part.ptr, (size_t)(equals - part.ptr)};
	if (is_secret_name(decode(name, buf))) {
		put(o, name);
		put(o, span_of("=" REDACTED));
		return;
	}
	put_value(o, name, false);
	put(o, span_of("="));
	put_value(o, span_from(part, name.len + 1), true);
}

/* What comes before the @ of an authority that begins here. Returns how much of rest it was. */
static size_t put_userinfo(struct output *o, struct span rest)
{
	size_t end = 0;
	size_t at = 0; /* behind the last @ */

	for (; end < rest.len && !is_one_of(rest.ptr[end], "/?#"); end++) {
		if (rest.ptr[end] == '@')
			at = end;
		if (rest.len - end >= 3 && strncasecmp(rest.ptr + end, "%40", 3) == 0)
			at = end;
	}
	if (!at)
		return 0;
	put(o, span_of(REDACTED));
	return at;
}

static bool is_authority_form(struct span target)
{
	size_t scheme = 0;

	while (scheme < target.len &&
	       (is_letter(target.ptr[scheme]) || is_digit(target.ptr[scheme])))
		scheme++;
	return target.len && target.ptr[0] != '/' && target.ptr[0] != '*' &&
	       !span_starts(span_from(target, scheme), "://");
}

size_t redact_target(struct span target, char *out, size_t size, bool *ret_cut)
{
	struct output o = {.ptr = out, .size = size};
	bool is_query = false;
	size_t start = 0;

	if (target.len > REDACT_TARGET_MAX) {
		target.len = REDACT_TARGET_MAX;
		o.is_cut = true;
	}
	if (is_authority_form(target) || span_starts(target, "//")) {
		start = target.ptr[0] == '/' ? 2 : 0;
		put(&o, (struct span){target.ptr, start});
		start += put_userinfo(&o, span_from(target, start));
	}
	for (size_t i = start; i <= target.len; i++) {
		char c = i < target.len ? target.ptr[i] : '\0';

		if (i < target.len && !is_one_of(c, is_query ? "?&;#" : "?;#/"))
			continue;
		put_part(&o, (struct span){target.ptr + start, i - start}, is_query);
		if (i < target.len)
			put(&o, (struct span){target.ptr + i, 1});
		is_query |= c == '?';
		start = i + 1;
		if (!is_query && i && target.ptr[i - 1] == '/' && c == '/') {
			size_t used = put_userinfo(&o, span_from(target, start));

			start += used;
			i += used;
		}
	}
	*ret_cut = o.is_cut;
	return o.len;
}
