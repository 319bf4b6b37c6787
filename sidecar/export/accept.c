/* SPDX-License-Identifier: Apache-2.0 */
#include "export/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/span.h"

/* Cuts the part before the next `sep` off *rest. */
static struct span span_cut(struct span *rest, char sep)
{
	const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
	struct span part = *rest;

	if (at)
		part.len = (size_t)(at - rest->ptr);
	*rest = span_from(*rest, at ? part.len + 1 : part.len);
	return span_trim(part);
}

/* `0.5` as 500; what is no quality value as 0: such a range is not wanted. */
static int quality(struct span s)
{
	int q = 0;
	int unit = 1000;

	for (size_t i = 0; i < s.len; i++) {
		if (i == 1 && s.ptr[i] == '.')
			continue;
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || i > 4)
			return 0;
		q += (s.ptr[i] - '0') * unit;
		unit /= 10;
	}
	return q > 1000 ? 1000 : q;
}

/* One member of a list, `type;parameter=value;q=0.5`. Parameters that it does not have are empty.
 */
struct range {
	struct span name;
	struct span version;
	struct span proto;
	struct span encoding;
	int quality; /* 0 to 1000 */
};

static struct span unquoted(struct span s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return (struct span){s.ptr + 1, s.len - 2};
	return s;
}

static struct range range_cut(struct span *list)
{
	struct span rest = span_cut(list, ',');
	struct range r = {.name = span_cut(&rest, ';'), .quality = 1000};

	while (rest.len > 0) {
		struct span value = span_cut(&rest, ';');
		struct span name = span_cut(&value, '=');

		if (span_is_word(name, "q"))
			r.quality = quality(value);
		else if (span_is_word(name, "version"))
			r.version = unquoted(value);
		else if (span_is_word(name, "proto"))
			r.proto = unquoted(value);
		else if (span_is_word(name, "encoding"))
			r.encoding = unquoted(value);
	}
	return r;
}

/* The version that we write, or any. */
static bool is_openmetrics(const struct range *r)
{
	return span_is_word(r->name, "application/openmetrics-text") &&
	       (r->version.len == 0 || span_is(r->version, "1.0.0"));
}

/* Its other encodings are not length-delimited. */
static bool is_protobuf(const struct range *r)
{
	return span_is_word(r->name, "application/vnd.google.protobuf") &&
	       span_is(r->proto, "io.prometheus.client.MetricFamily") &&
	       span_is(r->encoding, "delimited");
}

enum page_format accept_format(const char *accept)
{
	struct span list = span_of(accept ? accept : "");
	int best[PAGE_FORMATS] = {0};
	enum page_format format = PAGE_TEXT;

	while (list.len > 0) {
		struct range r = range_cut(&list);
		enum page_format named = PAGE_TEXT;

		if (is_protobuf(&r))
			named = PAGE_PROTOBUF;
		else if (is_openmetrics(&r))
			named = PAGE_OPENMETRICS;
		else if (!span_is_word(r.name, "text/plain"))
			continue;
		if (r.quality > best[named])
			best[named] = r.quality;
	}
	for (int i = PAGE_TEXT + 1; i < PAGE_FORMATS; i++)
		if (best[i] > 0 && best[i] >= best[format])
			format = (enum page_format)i;
	return format;
}

enum accept_coding accept_coding(const char *accept_encoding)
{
	struct span list = span_of(accept_encoding ? accept_encoding : "");
	int gzip = -1; /* not named */
	int identity = -1;
	int any = -1; /* of `*` */

	while (list.len > 0) {
		struct range r = range_cut(&list);

		if (span_is_word(r.name, "gzip") || span_is_word(r.name, "x-gzip"))
			gzip = r.quality > gzip ? r.quality : gzip;
		else if (span_is_word(r.name, "identity"))
			identity = r.quality;
		else if (span_is_word(r.name, "*"))
			any = r.quality;
	}
	if (gzip < 0)
		gzip = any > 0 ? any : 0;
	if (gzip > 0 && gzip >= identity)
		return ACCEPT_GZIP;
	/* The identity needs no mention, but it can be refused, by name or by `*;q=0`. */
	return identity == 0 || (identity < 0 && any == 0) ? ACCEPT_NOTHING : ACCEPT_IDENTITY;
}
