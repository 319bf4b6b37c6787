/* SPDX-License-Identifier: Apache-2.0 */
#include "export/prometheus_encode.h"

#include <stdlib.h>
#include <string.h>

#include "export/protobuf_writer.h"
#include "prometheus.pb-c.h"

/* MetricFamily.metric, which prometheus.proto leaves out. */
#define FAMILY_SERIES 4

#define LABELS_MAX (PROMETHEUS_CONSTANTS_MAX + METRIC_LABELS_MAX)

/* A new span takes about as many bytes as so many empty buckets. */
#define GAP_MAX 2

/* protobuf-c wants lists of addresses. */
struct labels {
	size_t constant_count; /* those of all series of the family, first */
	size_t count;
	Prometheus__Label *list[LABELS_MAX];
	Prometheus__Label label[LABELS_MAX];
};

struct buckets {
	Prometheus__Bucket *list[METRIC_BUCKETS_MAX];
	Prometheus__Bucket bucket[METRIC_BUCKETS_MAX];
};

/* A span begins with a bucket that is not empty, behind a gap. */
#define SPANS_MAX (EXPONENTIAL_GROUPS_MAX * EXPONENTIAL_GROUP)

struct spans {
	size_t count;
	size_t delta_count;
	Prometheus__Span *list[SPANS_MAX];
	Prometheus__Span span[SPANS_MAX];
	int64_t deltas[EXPONENTIAL_BUCKETS];
	uint64_t counts[EXPONENTIAL_BUCKETS];
};

struct encoder {
	struct protobuf_writer writer;
	const struct label *constants;
	size_t constant_count;
	/* Of the family and of the series in work. */
	const struct family_desc *desc;
	struct labels labels;
	struct buckets buckets;
	struct spans spans;
	Prometheus__Time created;
	union {
		Prometheus__Gauge gauge;
		Prometheus__Counter counter;
		Prometheus__Histogram histogram;
	} value;
	Prometheus__Series series;
};

static void add_label(struct labels *l, const char *name, const char *value)
{
	Prometheus__Label *label = &l->label[l->count];

	if (!*value || l->count == LABELS_MAX)
		return;
	prometheus__label__init(label);
	label->name = (char *)name;
	label->value = (char *)value;
	l->list[l->count++] = label;
}

static bool desc_has_label(const struct family_desc *desc, const char *name)
{
	for (size_t i = 0; i < desc->label_count; i++)
		if (strcmp(desc->label_names[i], name) == 0)
			return true;
	return false;
}

static void begin_family(struct encoder *e, const struct family_desc *desc)
{
	struct labels *l = &e->labels;

	e->desc = desc;
	l->count = 0;
	for (size_t i = 0; i < e->constant_count && l->count < PROMETHEUS_CONSTANTS_MAX; i++)
		if (!desc_has_label(desc, e->constants[i].name))
			add_label(l, e->constants[i].name, e->constants[i].value);
	l->constant_count = l->count;
}

static void set_created(struct encoder *e, const struct series *s)
{
	prometheus__time__init(&e->created);
	e->created.seconds = (int64_t)(s->created_ns / 1000000000);
	e->created.has_nanoseconds = true;
	e->created.nanoseconds = (int32_t)(s->created_ns % 1000000000);
}

static void set_buckets(struct encoder *e, Prometheus__Histogram *out, const struct histogram *h)
{
	uint64_t below = 0;

	for (size_t i = 0; i < e->desc->bound_count; i++) {
		Prometheus__Bucket *bucket = &e->buckets.bucket[i];

		below += h->bucket[i];
		prometheus__bucket__init(bucket);
		bucket->count_below = below;
		bucket->bound = e->desc->bounds[i];
		e->buckets.list[i] = bucket;
	}
	out->n_buckets = e->desc->bound_count;
	out->buckets = e->buckets.list;
}

static void add_span(struct spans *s, int32_t offset)
{
	Prometheus__Span *span = &s->span[s->count];

	prometheus__span__init(span);
	span->offset = offset;
	s->list[s->count++] = span;
}

/* Fills the spans and deltas. first: Prometheus' number of counts[0]. */
static void make_spans(struct spans *s, size_t count, int32_t first)
{
	int32_t offset = first; /* of the next span, if one begins here */
	int64_t last = 0;

	s->count = s->delta_count = 0;
	for (size_t i = 0; i < count;) {
		size_t gap = 0;

		while (s->counts[i + gap] == 0)
			gap++; /* the last one is not empty */
		if (s->count == 0 || gap > GAP_MAX) {
			add_span(s, offset + (int32_t)gap);
			offset = 0;
			i += gap;
			gap = 0;
		}
		for (size_t end = i + gap + 1; i < end; i++) {
			s->deltas[s->delta_count++] = (int64_t)s->counts[i] - last;
			last = (int64_t)s->counts[i];
			s->span[s->count - 1].length++;
		}
	}
}

static void set_exponential(struct encoder *e, Prometheus__Histogram *out,
			    const struct exponential *x)
{
	struct spans *s = &e->spans;
	int32_t first;
	size_t count = exponential_counts(x, s->counts, &first);

	make_spans(s, count, first + 1);
	out->has_scale = out->has_zero_bound = out->has_zero_count = true;
	out->scale = exponential_scale(x);
	out->zero_bound = EXPONENTIAL_ZERO;
	out->zero_count = x->zero_count;
	out->n_spans = s->count;
	out->spans = s->list;
	out->n_deltas = s->delta_count;
	out->deltas = s->deltas;
}

static void set_histogram(struct encoder *e, const struct histogram *h)
{
	Prometheus__Histogram *out = &e->value.histogram;

	prometheus__histogram__init(out);
	out->count = h->count;
	out->sum = h->sum;
	out->created = &e->created;
	set_buckets(e, out, h);
	if (h->exponential)
		set_exponential(e, out, h->exponential);
	e->series.histogram = out;
}

/* Valid until the next call. */
static const ProtobufCMessage *make_series(struct encoder *e, const struct series *s)
{
	struct labels *l = &e->labels;

	l->count = l->constant_count;
	for (size_t i = 0; i < e->desc->label_count; i++)
		add_label(l, e->desc->label_names[i], s->label_values[i]);
	prometheus__series__init(&e->series);
	e->series.n_labels = l->count;
	e->series.labels = l->list;
	set_created(e, s);
	if (e->desc->type == METRIC_HISTOGRAM) {
		set_histogram(e, s->histogram);
	} else if (e->desc->type == METRIC_COUNTER) {
		prometheus__counter__init(&e->value.counter);
		e->value.counter.value = s->value;
		e->value.counter.created = &e->created;
		e->series.counter = &e->value.counter;
	} else {
		prometheus__gauge__init(&e->value.gauge);
		e->value.gauge.value = s->value;
		e->series.gauge = &e->value.gauge;
	}
	return &e->series.base;
}

/* What stands before the series. */
static Prometheus__Family make_family(const struct family_desc *desc)
{
	static const Prometheus__Kind kinds[] = {
		[METRIC_COUNTER] = PROMETHEUS__KIND__COUNTER,
		[METRIC_GAUGE] = PROMETHEUS__KIND__GAUGE,
		[METRIC_HISTOGRAM] = PROMETHEUS__KIND__HISTOGRAM,
	};
	Prometheus__Family family = PROMETHEUS__FAMILY__INIT;

	family.name = (char *)desc->name;
	family.help = (char *)desc->help;
	family.kind = kinds[desc->type];
	return family;
}

static void write_family(void *ctx, const struct family_desc *desc,
			 const struct series *const *series, size_t count)
{
	struct encoder *e = ctx;
	const Prometheus__Family family = make_family(desc);
	size_t size = protobuf_c_message_get_packed_size(&family.base);

	if (count == 0 || e->writer.has_stopped)
		return;
	begin_family(e, desc);
	for (size_t i = 0; i < count; i++)
		size += protobuf_framed(
			protobuf_c_message_get_packed_size(make_series(e, series[i])));
	protobuf_put_varint(&e->writer, size);
	protobuf_put_fields(&e->writer, &family.base);
	for (size_t i = 0; i < count && !e->writer.has_stopped; i++) {
		protobuf_put_message(&e->writer, FAMILY_SERIES, make_series(e, series[i]));
		protobuf_writer_flush_part(&e->writer);
	}
}

bool prometheus_encode(const struct registry *r, const struct label *constants,
		       size_t constant_count, text_part_fn fn, void *ctx)
{
	struct encoder *e = malloc(sizeof(*e)); /* 30 KB: not for the stack */
	bool is_whole;

	if (!e)
		return false;
	protobuf_writer_init(&e->writer, fn, ctx);
	e->constants = constants;
	e->constant_count = constant_count;
	registry_each(r, write_family, e);
	protobuf_writer_flush(&e->writer);
	is_whole = !e->writer.out.has_failed && !e->writer.has_stopped;
	protobuf_writer_release(&e->writer);
	free(e);
	return is_whole;
}
