/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry in Prometheus' protobuf format: lengths agree with what follows them, and the spans
 * and deltas of a native histogram are its buckets, whatever those are. What the fields mean to
 * others, a decoder that is not ours checks (tests/e2e/test_histograms.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/prometheus_encode.h"
#include "prometheus.pb-c.h"

static const char *const names[] = {"route", "status"};
static const double bounds[] = {.1, 1};
static const struct family_desc seconds = {.name = "x_seconds",
					   .help = "Help.",
					   .type = METRIC_HISTOGRAM,
					   .label_names = names,
					   .label_count = 2,
					   .bounds = bounds,
					   .bound_count = 2};
static const struct family_desc total = {.name = "y_total",
					 .help = "Help.",
					 .type = METRIC_COUNTER,
					 .label_names = names,
					 .label_count = 1};
static const struct family_desc gauge = {.name = "z", .help = "Help.", .type = METRIC_GAUGE};

static bool append(void *ctx, struct span part)
{
	text_add_span(ctx, part);
	return true;
}

static bool refuse(void *ctx, struct span part)
{
	size_t *left = ctx;

	(void)part;
	return (*left)-- > 0;
}

static size_t cut_length(struct span *rest)
{
	size_t len = 0;
	unsigned shift = 0;
	unsigned char byte;

	do {
		assert_true(rest->len > 0 && shift < 63);
		byte = (unsigned char)rest->ptr[0];
		*rest = span_from(*rest, 1);
		len |= (size_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	assert_true(len <= rest->len);
	return len;
}

typedef void (*series_fn)(const Prometheus__Family *family, const Prometheus__Series *series);

/* Calls fn for each series of a page; returns how many there are. */
static size_t each_series(struct span page, series_fn fn)
{
	size_t count = 0;

	while (page.len) {
		size_t len = cut_length(&page);
		Prometheus__Family *family =
			prometheus__family__unpack(NULL, len, (const uint8_t *)page.ptr);

		assert_non_null(family);
		for (size_t i = 0; i < family->base.n_unknown_fields; i++) {
			const ProtobufCMessageUnknownField *f = &family->base.unknown_fields[i];
			struct span field = {(const char *)f->data, f->len};
			size_t size = cut_length(&field); /* it begins with its length */
			Prometheus__Series *series;

			assert_int_equal(f->tag, 4);
			assert_int_equal(size, field.len);
			series = prometheus__series__unpack(NULL, size, (const uint8_t *)field.ptr);
			assert_non_null(series);
			fn(family, series);
			prometheus__series__free_unpacked(series, NULL);
			count++;
		}
		prometheus__family__free_unpacked(family, NULL);
		page = span_from(page, len);
	}
	return count;
}

static void accept(const Prometheus__Family *family, const Prometheus__Series *series)
{
	assert_int_equal(!!series->gauge, family->kind == PROMETHEUS__KIND__GAUGE);
	assert_int_equal(!!series->counter, family->kind == PROMETHEUS__KIND__COUNTER);
	assert_int_equal(!!series->histogram, family->kind == PROMETHEUS__KIND__HISTOGRAM);
	assert_true(!series->counter || series->counter->created);
}

static struct registry *make(enum histogram_kind kind, unsigned routes)
{
	struct registry *r = registry_new(100000);
	struct family *f[3];
	char route[400];

	registry_set_histograms(r, kind);
	f[0] = registry_family(r, &seconds);
	f[1] = registry_family(r, &total);
	f[2] = registry_family(r, &gauge);
	memset(route, 'x', sizeof(route));
	for (unsigned i = 0; i < routes; i++) {
		const char *values[] = {route, i % 2 ? "" : "200"};

		route[i % sizeof(route)] = '\0';
		for (unsigned n = 0; n < i % 40; n++)
			series_observe(f[0], family_series(f[0], values), exp2(n % 30) * 1e-5);
		series_add(family_series(f[1], values), i);
		route[i % sizeof(route)] = 'x';
	}
	family_set(f[2], -1.5);
	return r;
}

static void test_lengths(void **state)
{
	static const struct label constants[] = {{"job", "shop"}, {"pod", ""}, {"route", "ours"}};

	(void)state;
	for (int kind = HISTOGRAMS_CLASSIC; kind <= HISTOGRAMS_BOTH; kind++) {
		for (unsigned routes = 0; routes < 800; routes = routes * 3 + 1) {
			struct registry *r = make((enum histogram_kind)kind, routes);
			struct text out;

			text_init(&out);
			assert_true(prometheus_encode(r, constants, 3, append, &out));
			assert_int_equal(each_series(text_span(&out), accept),
					 registry_series_count(r));
			text_release(&out);
			registry_free(r);
		}
	}
}

static void test_stopped(void **state)
{
	struct registry *r = make(HISTOGRAMS_BOTH, 400);
	size_t left = 3;

	(void)state;
	assert_false(prometheus_encode(r, NULL, 0, refuse, &left));
	registry_free(r);
}

/* Of the one native histogram that a test makes. */
static const struct exponential *wanted;
static size_t found;

static void compare(const Prometheus__Family *family, const Prometheus__Series *series)
{
	static uint64_t counts[EXPONENTIAL_BUCKETS];
	const Prometheus__Histogram *h = series->histogram;
	uint64_t total_count = h->zero_count;
	int32_t first;
	int32_t at = 0;
	size_t count = exponential_counts(wanted, counts, &first);
	size_t delta = 0;
	size_t empty = 0;
	int64_t n = 0;

	(void)family;
	found++;
	assert_int_equal(h->n_buckets, 0);
	assert_int_equal(h->scale, exponential_scale(wanted));
	assert_true(h->zero_bound == EXPONENTIAL_ZERO);
	for (size_t i = 0; i < h->n_spans; i++) {
		at += h->spans[i]->offset;
		assert_true(h->spans[i]->length > 0);
		assert_true(i == 0 || h->spans[i]->offset > 2);
		for (uint32_t k = 0; k < h->spans[i]->length; k++, at++) {
			assert_true(delta < h->n_deltas);
			n += h->deltas[delta++];
			assert_true(at - 1 - first >= 0 && (size_t)(at - 1 - first) < count);
			assert_int_equal(n, counts[at - 1 - first]); /* Prometheus' number */
			total_count += (uint64_t)n;
			empty += n == 0;
		}
	}
	assert_int_equal(delta, h->n_deltas);
	assert_int_equal(total_count, h->count);
	assert_true(empty <= 2 * (count + 1));
}

static void test_spans(void **state)
{
	static const struct {
		const char *why;
		double values[8]; /* 0 ends them */
	} rows[] = {
		{"nothing", {0}},
		{"only zeros", {1e-9}},
		{"one bucket", {1, 1, 1}},
		{"neighbours", {1, 1.05, 1.1}},
		{"a gap of one and of two", {1, 1.1, 1.3}},
		{"a gap of three", {1, 1.2}},
		{"far apart", {1e-5, 3, 1e9}},
		{"ends of the range", {EXPONENTIAL_MAX, 1e-6}},
		{"counts that fall and rise", {1, 1, 1, 1.05, 1.1, 1.1, 7}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct registry *r = registry_new(10);
		const char *values[] = {"/", ""};
		struct family *f;
		struct series *s;
		struct text out;

		registry_set_histograms(r, HISTOGRAMS_NATIVE);
		f = registry_family(r, &seconds);
		s = family_series(f, values);
		for (size_t n = 0; n < 8 && rows[i].values[n] > 0; n++)
			series_observe(f, s, rows[i].values[n]);
		wanted = s->histogram->exponential;
		found = 0;
		text_init(&out);
		assert_true(prometheus_encode(r, NULL, 0, append, &out));
		(void)each_series(text_span(&out), compare);
		if (found != 1)
			fail_msg("%s: %zu histograms", rows[i].why, found);
		text_release(&out);
		registry_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths),
					   cmocka_unit_test(test_stopped),
					   cmocka_unit_test(test_spans)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
