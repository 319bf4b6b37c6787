/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part is handed over as soon as it has this many bytes; it ends with a series. */
#define PART_BYTES (8u << 10)

/* Up to this, every integer is a double, and printing it as one is exact. */
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

struct encoder {
	struct text *out;
	text_part_fn fn; /* NULL: everything stays in out */
	void *ctx; /* of fn */
	bool has_stopped; /* fn wants no more */
	enum text_format format;
	bool writes_created;
	const struct label *constants;
	size_t constant_count;
	/* Of the family in work. */
	const struct family_desc *desc;
	struct text constant_labels; /* `a="b",c="d",` without the family's own names */
	struct text labels; /* of the series in work, same shape */
	char le[METRIC_BUCKETS_MAX][32];
};

static void add_uint(struct text *out, uint64_t n)
{
	char buf[20]; /* digits of 2^64 - 1 */
	char *p = buf + sizeof(buf);

	do {
		*--p = (char)('0' + n % 10);
	} while (n /= 10);
	text_add_span(out, (struct span){p, (size_t)(buf + sizeof(buf) - p)});
}

static void format_double(char *buf, size_t size, double value)
{
	/* 15 digits survive text -> double -> text, 17 survive the other way (IEEE 754). */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(buf, size, "%.*g", digits, value); /* 24 bytes at most */
		if (strtod(buf, NULL) == value)
			return;
	}
}

void text_add_double(struct text *out, double value)
{
	char buf[32];

	if (isnan(value)) {
		text_add(out, "NaN");
	} else if (isinf(value)) {
		text_add(out, value > 0 ? "+Inf" : "-Inf");
	} else if (value >= 0 && value <= EXACT_MAX && value == (double)(uint64_t)value) {
		add_uint(out, (uint64_t)value);
	} else {
		format_double(buf, sizeof(buf), value);
		text_add(out, buf);
	}
}

/* Both formats escape these three, and only `\` and newline outside of quotes. */
static void add_escaped(struct text *out, const char *str, bool is_quoted)
{
	const char *special = is_quoted ? "\\\n\"" : "\\\n";

	for (;;) {
		size_t n = strcspn(str, special);

		text_add_span(out, (struct span){str, n});
		str += n;
		if (*str == '\0')
			return;
		text_add_char(out, '\\');
		text_add_char(out, *str == '\n' ? 'n' : *str);
		str++;
	}
}

void text_add_label_value(struct text *out, const char *value)
{
	add_escaped(out, value, true);
}

static void add_label(struct text *out, const char *name, const char *value)
{
	if (*value == '\0')
		return; /* in both formats the same as no label */
	text_add(out, name);
	text_add(out, "=\"");
	add_escaped(out, value, true);
	text_add(out, "\",");
}

static bool desc_has_label(const struct family_desc *desc, const char *name)
{
	for (size_t i = 0; i < desc->label_count; i++)
		if (strcmp(desc->label_names[i], name) == 0)
			return true;
	return false;
}

static bool has_suffix(const char *str, const char *suffix)
{
	size_t len = strlen(str);
	size_t n = strlen(suffix);

	return len >= n && strcmp(str + len - n, suffix) == 0;
}

/* The family's name: OpenMetrics adds `_total` to samples, not to families. */
static struct span family_name(const struct encoder *e)
{
	struct span name = span_of(e->desc->name);

	if (e->format == TEXT_OPENMETRICS && e->desc->type == METRIC_COUNTER &&
	    has_suffix(e->desc->name, "_total"))
		name.len -= strlen("_total");
	return name;
}

static void add_head(struct encoder *e)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	static const char *const units[] = {"seconds", "bytes"};
	struct span name = family_name(e);

	text_add(e->out, "# HELP ");
	text_add_span(e->out, name);
	text_add_char(e->out, ' ');
	/* OpenMetrics escapes quotes in help too; Prometheus 0.0.4 does not. */
	add_escaped(e->out, e->desc->help, e->format == TEXT_OPENMETRICS);
	text_addf(e->out, "\n# TYPE %.*s %s\n", SPAN_ARG(name), types[e->desc->type]);
	if (e->format != TEXT_OPENMETRICS)
		return;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i]);

		if (name.len > n && name.ptr[name.len - n - 1] == '_' &&
		    memcmp(name.ptr + name.len - n, units[i], n) == 0)
			text_addf(e->out, "# UNIT %.*s %s\n", SPAN_ARG(name), units[i]);
	}
}

/* Everything of a sample line up to the value, of this family or name. */
static void add_named(struct encoder *e, struct span name, const char *suffix, const char *le)
{
	struct span labels = text_span(&e->labels);

	text_add_span(e->out, name);
	text_add(e->out, suffix);
	if (le) {
		text_add_char(e->out, '{');
		text_add_span(e->out, labels);
		text_add(e->out, "le=\"");
		text_add(e->out, le);
		text_add(e->out, "\"}");
	} else if (labels.len > 0) {
		labels.len--; /* the last comma */
		text_add_char(e->out, '{');
		text_add_span(e->out, labels);
		text_add_char(e->out, '}');
	}
	text_add_char(e->out, ' ');
}

static void add_sample(struct encoder *e, const char *suffix, const char *le)
{
	add_named(e, span_of(e->desc->name), suffix, le);
}

/* OpenMetrics 1.0, "Counter" and "Histogram": seconds since 1970. */
static void add_created(struct encoder *e, const struct series *s)
{
	if (!e->writes_created || e->desc->type == METRIC_GAUGE)
		return;
	add_named(e, family_name(e), "_created", NULL);
	text_addf(e->out, "%" PRIu64 ".%03u\n", s->created_ns / 1000000000,
		  (unsigned)(s->created_ns / 1000000 % 1000));
}

/* `# {LABELS} VALUE SECONDS` */
static void add_exemplar(struct encoder *e, const struct exemplar *exemplar)
{
	text_add(e->out, " # {trace_id=\"");
	text_add_hex(e->out, exemplar->trace_id, sizeof(exemplar->trace_id));
	text_add(e->out, "\",span_id=\"");
	text_add_hex(e->out, exemplar->span_id, sizeof(exemplar->span_id));
	text_add(e->out, "\"} ");
	text_add_double(e->out, exemplar->value);
	text_addf(e->out, " %" PRIu64 ".%03u", exemplar->time_ns / 1000000000,
		  (unsigned)(exemplar->time_ns / 1000000 % 1000));
}

/* The rest of the line of a bucket. */
static void end_bucket(struct encoder *e, const struct histogram *h, size_t bucket, uint64_t below)
{
	add_uint(e->out, below);
	if (e->format == TEXT_OPENMETRICS && h->exemplars && h->exemplars[bucket].time_ns)
		add_exemplar(e, &h->exemplars[bucket]);
	text_add_char(e->out, '\n');
}

static void add_histogram(struct encoder *e, const struct histogram *h)
{
	uint64_t below = 0;

	for (size_t i = 0; i < e->desc->bound_count; i++) {
		below += h->bucket[i];
		add_sample(e, "_bucket", e->le[i]);
		end_bucket(e, h, i, below);
	}
	add_sample(e, "_bucket", "+Inf");
	end_bucket(e, h, e->desc->bound_count, h->count);
	add_sample(e, "_sum", NULL);
	text_add_double(e->out, h->sum);
	text_add_char(e->out, '\n');
	add_sample(e, "_count", NULL);
	add_uint(e->out, h->count);
	text_add_char(e->out, '\n');
}

static void add_series(struct encoder *e, const struct series *s)
{
	text_clear(&e->labels);
	text_add_span(&e->labels, text_span(&e->constant_labels));
	for (size_t i = 0; i < e->desc->label_count; i++)
		add_label(&e->labels, e->desc->label_names[i], s->label_values[i]);
	if (e->desc->type == METRIC_HISTOGRAM) {
		add_histogram(e, s->histogram);
	} else {
		add_sample(e, "", NULL);
		text_add_double(e->out, s->value);
		text_add_char(e->out, '\n');
	}
	add_created(e, s);
}

/* Hands the text over that is there. */
static void flush(struct encoder *e)
{
	if (!e->fn || e->out->has_failed)
		return;
	e->has_stopped = !e->fn(e->ctx, text_span(e->out));
	text_clear(e->out);
}

static void encode_family(void *ctx, const struct family_desc *desc,
			  const struct series *const *series, size_t series_count)
{
	struct encoder *e = ctx;

	if (series_count == 0 || e->has_stopped)
		return;
	e->desc = desc;
	text_clear(&e->constant_labels);
	for (size_t i = 0; i < e->constant_count; i++)
		if (!desc_has_label(desc, e->constants[i].name))
			add_label(&e->constant_labels, e->constants[i].name, e->constants[i].value);
	for (size_t i = 0; i < desc->bound_count; i++) {
		double bound = desc->bounds[i];

		format_double(e->le[i], sizeof(e->le[i]), bound);
		/* OpenMetrics' canonical numbers: `le="1.0"`. */
		if (e->format == TEXT_OPENMETRICS && !strpbrk(e->le[i], ".e"))
			(void)strncat(e->le[i], ".0", 3); /* 17 digits at most are in 32 bytes */
	}
	add_head(e);
	for (size_t i = 0; i < series_count && !e->has_stopped; i++) {
		add_series(e, series[i]);
		if (e->out->len >= PART_BYTES)
			flush(e);
	}
}

static void encode(struct encoder *e, const struct registry *r)
{
	text_init(&e->constant_labels);
	text_init(&e->labels);
	e->writes_created = e->format == TEXT_OPENMETRICS && registry_writes_created(r);
	registry_each(r, encode_family, e);
	if (e->format == TEXT_OPENMETRICS)
		text_add(e->out, "# EOF\n");
	if (e->constant_labels.has_failed || e->labels.has_failed)
		e->out->has_failed = true;
	text_release(&e->constant_labels);
	text_release(&e->labels);
}

void text_encode(struct text *out, const struct registry *r, enum text_format format,
		 const struct label *constants, size_t constant_count)
{
	struct encoder e = {
		.out = out,
		.format = format,
		.constants = constants,
		.constant_count = constant_count,
	};

	encode(&e, r);
}

bool text_encode_parts(const struct registry *r, enum text_format format,
		       const struct label *constants, size_t constant_count, text_part_fn fn,
		       void *ctx)
{
	struct text part;
	struct encoder e = {
		.out = &part,
		.fn = fn,
		.ctx = ctx,
		.format = format,
		.constants = constants,
		.constant_count = constant_count,
	};
	bool is_whole;

	text_init(&part);
	encode(&e, r);
	if (!e.has_stopped)
		flush(&e);
	is_whole = !part.has_failed && !e.has_stopped;
	text_release(&part);
	return is_whole;
}
