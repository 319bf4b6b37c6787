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

/* Not by memmem(), which prepares a table for each search: most of s are names, and few match. */
static bool has(struct span s, const char *word)
{
	size_t n = strlen(word);

	while (s.len >= n) {
		const char *at = memchr(s.ptr, word[0], s.len - n + 1);

		if (!at)
			return false;
		if (memcmp(at, word, n) == 0)
			return true;
		s = span_from(s, (size_t)(at - s.ptr) + 1);
	}
	return false;
}

static bool ends_with(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.len >= n && memcmp(s.ptr + s.len - n, word, n) == 0;
}

/* Names, or words of names. */
static const char *const secret_words[] = {"auth",   "sid",  "pin",	      "pass",
					   "pw",     "cvv",  "cvc",	      "ssn",
					   "ticket", "hmac", "authentication"};

static bool is_secret_word(struct span word)
{
	for (size_t i = 0; i < COUNT(secret_words); i++)
		if (span_is(word, secret_words[i]))
			return true;
	return false;
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
	char buf[NAME_MAX_LEN];
	struct span name = {buf, 0};

	for (size_t i = 0; i < raw.len && name.len < sizeof(buf); i++)
		if (is_letter(raw.ptr[i]) || is_digit(raw.ptr[i]))
			buf[name.len++] = lower(raw.ptr[i]);
	for (size_t i = 0; i < COUNT(parts); i++)
		if (has(name, parts[i]))
			return true;
	return is_secret_word(name) || span_is(name, "code") || ends_with(name, "key") ||
	       ends_with(name, "sig");
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
static bool has_secret_form(struct span s)
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
	return has(s, "Bearer") || has(s, "bearer");
}

static bool is_secret_value(struct span s)
{
	return has_secret_form(s) || is_random(s);
}

/* Another URL or parameter with a secret, as is_secret says, inside of a decoded value. */
static bool has_inside(struct span s, bool (*is_secret)(struct span value))
{
	size_t start = 0; /* of what may be a name */
	bool is_value = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '@' && has((struct span){s.ptr, i}, "//"))
			return true;
		if (is_one_of(c, delimiters)) {
			if (is_value && is_secret((struct span){s.ptr + start, i - start}))
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
	return is_value && is_secret(span_from(s, start));
}

static bool has_secret_inside(struct span s)
{
	return has_inside(s, is_secret_value);
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

/* --- header fields ------------------------------------------------------------------- */

/* Longer names are taken for secret ones: a word may be behind what is compared. */
#define HEADER_NAME_MAX 256

bool redact_is_secret_header(struct span name)
{
	size_t start = 0;

	if (name.len > HEADER_NAME_MAX || is_secret_name(name))
		return true;
	for (size_t i = 0; i <= name.len; i++) {
		char word[HEADER_NAME_MAX];

		if (i < name.len && (is_letter(name.ptr[i]) || is_digit(name.ptr[i])))
			continue;
		for (size_t k = start; k < i; k++)
			word[k - start] = lower(name.ptr[k]);
		if (is_secret_word((struct span){word, i - start}))
			return true;
		start = i + 1;
	}
	return false;
}

/* Names requests, traces or versions: a long random word is no secret there. */
static bool is_identifier(struct span name)
{
	static const char *const parts[] = {"trace",	   "span",	 "etag",
					    "ifnonematch", "ifmatch",	 "ifrange",
					    "digest",	   "contentmd5", "contenttype"};
	char buf[HEADER_NAME_MAX];
	struct span s = {buf, 0};

	for (size_t i = 0; i < name.len && s.len < sizeof(buf); i++)
		if (is_letter(name.ptr[i]) || is_digit(name.ptr[i]))
			buf[s.len++] = lower(name.ptr[i]);
	for (size_t i = 0; i < COUNT(parts); i++)
		if (has(s, parts[i]))
			return true;
	return ends_with(s, "id") || ends_with(s, "ids");
}

/* The value is one URL, path or authority. */
static bool is_reference(struct span name, struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (is_one_of(value.ptr[i], " \t,\"<>"))
			return false;
	return span_is(name, ":authority") || (value.len && value.ptr[0] == '/') ||
	       has(value, "://") || (name.len == 4 && strncasecmp(name.ptr, "host", 4) == 0);
}

/* One of the words of the value is a secret by its form. */
static bool has_secret_word(struct span value, bool (*is_secret)(struct span word))
{
	size_t start = 0;

	for (size_t i = 0; i <= value.len; i++) {
		if (i < value.len && !is_one_of(value.ptr[i], " \t,;\"'"))
			continue;
		if (is_secret((struct span){value.ptr + start, i - start}))
			return true;
		start = i + 1;
	}
	return is_secret(value);
}

size_t redact_header(struct span name, struct span value, char *out, size_t size, bool *ret_cut)
{
	bool (*is_secret)(struct span) = is_identifier(name) ? has_secret_form : is_secret_value;
	struct output o = {.ptr = out, .size = size};
	char buf[REDACT_TARGET_MAX];
	struct span decoded;

	if (redact_is_secret_header(name)) {
		put(&o, span_of(REDACTED));
		*ret_cut = o.is_cut;
		return o.len;
	}
	if (is_reference(name, value))
		return redact_target(value, out, size, ret_cut);
	if (value.len > REDACT_TARGET_MAX) {
		value.len = REDACT_TARGET_MAX;
		o.is_cut = true;
	}
	decoded = decode(value, buf);
	if (has_inside(decoded, is_secret) || has_secret_word(decoded, is_secret))
		put(&o, span_of(REDACTED));
	else
		put(&o, value);
	*ret_cut = o.is_cut;
	return o.len;
}
