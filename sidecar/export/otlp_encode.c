/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "export/otlp_names.h"
#include "export/protobuf_writer.h"
#include "otlp.pb-c.h"

/* Up to this, every integer is a double. */
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* Numbers of the fields that hold messages, which otlp.proto leaves out. All are below 16, so a tag
 * is one byte. */
enum field {
	REQUEST_RESOURCE = 1, /* ExportMetricsServiceRequest.resource_metrics */
	RESOURCE_RESOURCE = 1, /* ResourceMetrics.resource */
	RESOURCE_SCOPE = 2, /* ResourceMetrics.scope_metrics */
	SCOPE_SCOPE = 1, /* ScopeMetrics.scope */
	SCOPE_METRIC = 2, /* ScopeMetrics.metrics */
	METRIC_GAUGE_DATA = 5,
	METRIC_SUM_DATA = 7,
	METRIC_HISTOGRAM_DATA = 9,
	METRIC_EXPONENTIAL_DATA = 10,
	DATA_POINT = 1, /* data_points of each of the four */
};

/* Attributes as protobuf-c wants them: a list of addresses. */
struct attributes {
	size_t count;
	Otlp__Attribute *list[OTLP_ATTRIBUTES_MAX];
	Otlp__Attribute attribute[OTLP_ATTRIBUTES_MAX];
	Otlp__Value value[OTLP_ATTRIBUTES_MAX];
};

struct exemplars {
	size_t count;
	Otlp__Exemplar *list[METRIC_BUCKETS_MAX + 1];
	Otlp__Exemplar exemplar[METRIC_BUCKETS_MAX + 1];
};

/* What is about one container; the name of what is about none is "". */
struct containers {
	const char **names;
	size_t count;
	size_t alloc;
	bool has_failed;
};

struct encoder {
	struct protobuf_writer writer;
	bool has_exponentials; /* the registry's histograms have them */
	uint64_t now_ns;
	uint64_t since_ns; /* exemplars are newer */
	const char *container; /* in work */
	size_t metrics_size; /* of the container, framed */
	struct attributes attributes; /* of the resource or point in work */
	struct exemplars exemplars; /* of the point in work */
	/* Of the family in work. */
	const struct family_desc *desc;
	struct otlp_name name;
	struct otlp_attribute_name keys[METRIC_LABELS_MAX];
	size_t container_at; /* among the labels, or label_count */
	union {
		Otlp__NumberPoint number;
		Otlp__HistogramPoint histogram;
		Otlp__ExponentialPoint exponential;
	} point;
	Otlp__Buckets buckets; /* of an exponential point */
	uint64_t counts[EXPONENTIAL_BUCKETS];
	union {
		Otlp__Sum sum;
		Otlp__Histogram histogram;
	} data;
};

/* Digits become a number where the convention has one; `_OTHER` stays text. */
static void set_value(Otlp__Value *value, const char *text, bool is_number)
{
	size_t digits = strspn(text, "0123456789");

	otlp__value__init(value);
	if (is_number && digits > 0 && digits < 10 && !text[digits]) {
		value->has_number = true;
		value->number = strtol(text, NULL, 10);
	} else {
		value->text = (char *)text;
	}
}

static void add_attribute(struct attributes *a, const char *key, const char *value, bool is_number)
{
	Otlp__Attribute *attribute = &a->attribute[a->count];

	if (!*value || a->count == OTLP_ATTRIBUTES_MAX)
		return;
	set_value(&a->value[a->count], value, is_number);
	otlp__attribute__init(attribute);
	attribute->key = (char *)key;
	attribute->value = &a->value[a->count];
	a->list[a->count++] = attribute;
}

static void begin_family(struct encoder *e, const struct family_desc *desc)
{
	e->desc = desc;
	e->container_at = desc->label_count;
	otlp_name(desc, &e->name);
	for (size_t i = 0; i < desc->label_count; i++) {
		e->keys[i] = otlp_attribute_name(desc->label_names[i]);
		if (strcmp(desc->label_names[i], OTLP_CONTAINER_LABEL) == 0)
			e->container_at = i;
	}
}

static const char *container_of_series(const struct encoder *e, const struct series *s)
{
	return e->container_at < e->desc->label_count ? s->label_values[e->container_at] : "";
}

static bool is_in_work(const struct encoder *e, const struct series *s)
{
	return strcmp(container_of_series(e, s), e->container) == 0;
}

static void add_exemplar(struct exemplars *list, const struct exemplar *from)
{
	Otlp__Exemplar *e = &list->exemplar[list->count];

	otlp__exemplar__init(e);
	e->has_time = e->has_value = e->has_span_id = e->has_trace_id = true;
	e->time = from->time_ns;
	e->value = from->value;
	e->span_id = (ProtobufCBinaryData){sizeof(from->span_id), (uint8_t *)from->span_id};
	e->trace_id = (ProtobufCBinaryData){sizeof(from->trace_id), (uint8_t *)from->trace_id};
	list->list[list->count++] = e;
}

/* Whichever buckets are shown: there is one for each that is counted. */
static void add_exemplars(struct encoder *e, const struct histogram *h)
{
	e->exemplars.count = 0;
	for (size_t i = 0; h->exemplars && i <= METRIC_BUCKETS_MAX; i++)
		if (h->exemplars[i].time_ns > e->since_ns)
			add_exemplar(&e->exemplars, &h->exemplars[i]);
}

static const ProtobufCMessage *exponential_point(struct encoder *e, const struct series *s)
{
	Otlp__ExponentialPoint *p = &e->point.exponential;
	const struct histogram *h = s->histogram;

	otlp__exponential_point__init(p);
	p->has_start_time = p->has_time = p->has_count = p->has_sum = p->has_scale = true;
	p->has_zero_count = p->has_zero_bound = true;
	p->start_time = s->created_ns;
	p->time = e->now_ns;
	p->count = h->count;
	p->sum = h->sum;
	p->scale = exponential_scale(h->exponential);
	p->zero_count = h->exponential->zero_count;
	p->zero_bound = EXPONENTIAL_ZERO;
	otlp__buckets__init(&e->buckets);
	e->buckets.has_offset = true;
	e->buckets.n_counts = exponential_counts(h->exponential, e->counts, &e->buckets.offset);
	e->buckets.counts = e->counts;
	p->positive = &e->buckets;
	add_exemplars(e, h);
	p->n_exemplars = e->exemplars.count;
	p->exemplars = e->exemplars.list;
	p->n_attributes = e->attributes.count;
	p->attributes = e->attributes.list;
	return &p->base;
}

static const ProtobufCMessage *histogram_point(struct encoder *e, const struct series *s)
{
	const struct histogram *h = s->histogram;
	Otlp__HistogramPoint *p = &e->point.histogram;

	otlp__histogram_point__init(p);
	p->has_start_time = p->has_time = p->has_count = p->has_sum = true;
	p->start_time = s->created_ns;
	p->time = e->now_ns;
	p->count = h->count;
	p->sum = h->sum;
	p->n_bounds = e->desc->bound_count;
	p->bounds = (double *)e->desc->bounds;
	p->n_bucket_counts = e->desc->bound_count + 1;
	p->bucket_counts = (uint64_t *)h->bucket;
	p->n_attributes = e->attributes.count;
	p->attributes = e->attributes.list;
	add_exemplars(e, h);
	p->n_exemplars = e->exemplars.count;
	p->exemplars = e->exemplars.list;
	return &p->base;
}

static const ProtobufCMessage *number_point(struct encoder *e, const struct series *s)
{
	Otlp__NumberPoint *p = &e->point.number;
	double value = s->value;

	otlp__number_point__init(p);
	p->has_start_time = e->name.kind != OTLP_GAUGE; /* a gauge has no beginning */
	p->start_time = s->created_ns;
	p->has_time = true;
	p->time = e->now_ns;
	p->has_as_int = e->name.is_integer && value >= -EXACT_MAX && value <= EXACT_MAX &&
			value == (double)(int64_t)value;
	p->has_as_double = !p->has_as_int;
	if (p->has_as_int)
		p->as_int = (int64_t)value;
	else
		p->as_double = value;
	p->n_attributes = e->attributes.count;
	p->attributes = e->attributes.list;
	return &p->base;
}

/* Valid until the next call. */
static const ProtobufCMessage *make_point(struct encoder *e, const struct series *s)
{
	e->attributes.count = 0;
	for (size_t i = 0; i < e->desc->label_count; i++)
		if (i != e->container_at)
			add_attribute(&e->attributes, e->keys[i].key, s->label_values[i],
				      e->keys[i].is_number);
	if (e->desc->type != METRIC_HISTOGRAM)
		return number_point(e, s);
	return s->histogram->exponential ? exponential_point(e, s) : histogram_point(e, s);
}

/* What stands beside the points. NULL: nothing. */
static const ProtobufCMessage *make_data(struct encoder *e, enum field *ret_field)
{
	switch (e->name.kind) {
	case OTLP_HISTOGRAM:
		/* Both kinds are but a temporality. */
		*ret_field = e->has_exponentials && !e->desc->is_classic ? METRIC_EXPONENTIAL_DATA
									 : METRIC_HISTOGRAM_DATA;
		otlp__histogram__init(&e->data.histogram);
		e->data.histogram.has_temporality = true;
		e->data.histogram.temporality = OTLP__TEMPORALITY__CUMULATIVE;
		return &e->data.histogram.base;
	case OTLP_SUM:
	case OTLP_UP_DOWN_SUM:
		*ret_field = METRIC_SUM_DATA;
		otlp__sum__init(&e->data.sum);
		e->data.sum.has_temporality = e->data.sum.has_is_monotonic = true;
		e->data.sum.temporality = OTLP__TEMPORALITY__CUMULATIVE;
		e->data.sum.is_monotonic = e->name.kind == OTLP_SUM;
		return &e->data.sum.base;
	default:
		*ret_field = METRIC_GAUGE_DATA;
		return NULL;
	}
}

/* What stands before the data. */
static Otlp__Metric make_metric(const struct encoder *e)
{
	Otlp__Metric metric = OTLP__METRIC__INIT;

	metric.name = (char *)e->name.name;
	metric.description = (char *)e->desc->help;
	if (*e->name.unit)
		metric.unit = (char *)e->name.unit;
	return metric;
}

/* The size of the data of the family's metric; 0: it has no point in the container. */
static size_t measure_data(struct encoder *e, const struct series *const *series, size_t count)
{
	const ProtobufCMessage *data;
	enum field field;
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (is_in_work(e, series[i]))
			size += protobuf_framed(
				protobuf_c_message_get_packed_size(make_point(e, series[i])));
	if (size == 0)
		return 0;
	data = make_data(e, &field);
	return size + (data ? protobuf_c_message_get_packed_size(data) : 0);
}

static size_t measure_metric(const struct encoder *e, size_t data_size)
{
	const Otlp__Metric metric = make_metric(e);

	return protobuf_c_message_get_packed_size(&metric.base) + protobuf_framed(data_size);
}

static void measure_family(void *ctx, const struct family_desc *desc,
			   const struct series *const *series, size_t count)
{
	struct encoder *e = ctx;
	size_t data_size;

	begin_family(e, desc);
	data_size = measure_data(e, series, count);
	if (data_size)
		e->metrics_size += protobuf_framed(measure_metric(e, data_size));
}

static void write_family(void *ctx, const struct family_desc *desc,
			 const struct series *const *series, size_t count)
{
	struct encoder *e = ctx;
	const ProtobufCMessage *data;
	Otlp__Metric metric;
	enum field field;
	size_t data_size;

	begin_family(e, desc);
	data_size = measure_data(e, series, count);
	if (!data_size)
		return;
	metric = make_metric(e);
	protobuf_put_frame(&e->writer, SCOPE_METRIC, measure_metric(e, data_size));
	protobuf_put_fields(&e->writer, &metric.base);
	data = make_data(e, &field);
	protobuf_put_frame(&e->writer, field, data_size);
	if (data)
		protobuf_put_fields(&e->writer, data);
	for (size_t i = 0; i < count && !e->writer.has_stopped; i++) {
		if (!is_in_work(e, series[i]))
			continue;
		protobuf_put_message(&e->writer, DATA_POINT, make_point(e, series[i]));
		protobuf_writer_flush_part(&e->writer);
	}
}

static void write_resource(struct encoder *e, const struct registry *r,
			   const struct otlp_resource *resource, const char *instance)
{
	Otlp__Resource head = OTLP__RESOURCE__INIT;
	Otlp__Scope scope = OTLP__SCOPE__INIT;
	size_t scope_size;

	e->metrics_size = 0;
	registry_each(r, measure_family, e);
	if (e->metrics_size == 0)
		return;
	scope.name = (char *)"sidelight";
	scope.version = (char *)SIDELIGHT_VERSION;
	scope_size =
		protobuf_framed(protobuf_c_message_get_packed_size(&scope.base)) + e->metrics_size;
	e->attributes.count = 0;
	for (size_t i = 0; i < resource->attribute_count; i++)
		add_attribute(&e->attributes, resource->attributes[i].key,
			      resource->attributes[i].value, false);
	add_attribute(&e->attributes, "service.instance.id", instance, false);
	add_attribute(&e->attributes, resource->container_key, e->container, false);
	head.n_attributes = e->attributes.count;
	head.attributes = e->attributes.list;
	protobuf_put_frame(&e->writer, REQUEST_RESOURCE,
			   protobuf_framed(protobuf_c_message_get_packed_size(&head.base)) +
				   protobuf_framed(scope_size));
	protobuf_put_message(&e->writer, RESOURCE_RESOURCE, &head.base);
	protobuf_put_frame(&e->writer, RESOURCE_SCOPE, scope_size);
	protobuf_put_message(&e->writer, SCOPE_SCOPE, &scope.base);
	registry_each(r, write_family, e);
}

static void add_container(struct containers *c, const char *name)
{
	const char **names;

	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->names[i], name) == 0)
			return;
	if (c->count == c->alloc) {
		names = realloc(c->names, (c->alloc * 2 + 8) * sizeof(names[0]));
		if (!names) {
			c->has_failed = true;
			return;
		}
		c->names = names;
		c->alloc = c->alloc * 2 + 8;
	}
	c->names[c->count++] = name;
}

static void find_containers(void *ctx, const struct family_desc *desc,
			    const struct series *const *series, size_t count)
{
	struct containers *c = ctx;

	for (size_t at = 0; at < desc->label_count; at++)
		if (strcmp(desc->label_names[at], OTLP_CONTAINER_LABEL) == 0)
			for (size_t i = 0; i < count; i++)
				add_container(c, series[i]->label_values[at]);
}

bool otlp_encode(const struct registry *r, const struct otlp_resource *resource, uint64_t now_ns,
		 uint64_t since_ns, text_part_fn fn, void *ctx)
{
	struct encoder e = {.has_exponentials = registry_exponentials(r),
			    .now_ns = now_ns,
			    .since_ns = since_ns};
	struct containers containers = {0};
	struct text instance;
	bool is_whole;

	protobuf_writer_init(&e.writer, fn, ctx);
	text_init(&instance);
	add_container(&containers, "");
	registry_each(r, find_containers, &containers);
	for (size_t i = 0; i < containers.count && !e.writer.has_stopped; i++) {
		e.container = containers.names[i];
		text_clear(&instance);
		if (resource->instance)
			text_add(&instance, resource->instance);
		if (resource->instance && *e.container)
			text_addf(&instance, ".%s", e.container);
		write_resource(&e, r, resource, instance.ptr);
	}
	protobuf_writer_flush(&e.writer);
	is_whole = !containers.has_failed && !instance.has_failed && !e.writer.out.has_failed &&
		   !e.writer.has_stopped;
	free(containers.names);
	text_release(&instance);
	protobuf_writer_release(&e.writer);
	return is_whole;
}
