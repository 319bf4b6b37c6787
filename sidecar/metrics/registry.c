/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1

#include "metrics/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <uthash.h>

#include "base/hash.h"

#define OVERFLOW_VALUE "_OTHER"
#define SLOTS_FIRST    16u

/*
 * Groups of buckets for each series that the cap allows: a series has 144 bytes of memory for each,
 * and responses of one route and status have durations of about four powers of two.
 */
#define GROUPS_PER_SERIES 4

/*
 * A scrape bears the time at which it began, and reads what was created until its page was made.
 * What is created in between would be younger than its first sample, and a reader would not believe
 * that; a counter of which nobody knew was zero a second ago, too.
 */
#define CREATED_BEFORE_NS 1000000000u

/* A series with what finds it: one allocation, label values and histogram included. */
struct entry {
	struct series series; /* first: its address is the entry's */
	uint64_t hash;
	const char *values[]; /* label_count, then the histogram, then the bytes of the values */
};

/* What series are about, and how many series it has in the family; there is at least one. */
struct subject {
	UT_hash_handle hh;
	uint64_t key;
	size_t series_count;
};

/*
 * Invariants:
 *   - shown[0 .. count) are the series in order of creation, each the first
 *     member of its entry;
 *   - slots is an open-addressing table of them, its size a power of two and
 *     at least twice the number of series in it;
 *   - overflow is in the table from the start, and among the shown once it was
 *     handed out;
 *   - there is room for one more in shown.
 */
struct family {
	struct registry *registry;
	struct family_desc desc; /* as it is shown */
	const double *bounds; /* as it counts */
	size_t bound_count;
	struct family *next;
	struct entry *overflow;
	bool has_overflowed;
	struct entry **slots;
	size_t slot_count;
	const struct series **shown;
	size_t count;
	size_t alloc;
	struct subject *subjects; /* of family_series_about() */
};

struct registry {
	struct family *first;
	struct family **last;
	size_t series_cap;
	size_t series_count;
	uint64_t overflowed;
	uint64_t seed; /* label values come from the wire */
	uint64_t began_ns;
	enum histogram_kind histograms;
	bool writes_created;
	struct exponential_pool exponentials;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct registry *registry_new(size_t series_cap)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->series_cap = series_cap;
	r->last = &r->first;
	r->exponentials.group_cap = series_cap * GROUPS_PER_SERIES;
	r->began_ns = now_ns();
	if (getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK) != (ssize_t)sizeof(r->seed))
		r->seed = (uintptr_t)r; /* early in boot; the address is random enough */
	return r;
}

void registry_set_histograms(struct registry *r, enum histogram_kind kind)
{
	assert(!r->first);
	r->histograms = kind;
}

void registry_set_created(struct registry *r, bool is_written)
{
	r->writes_created = is_written;
}

bool registry_writes_created(const struct registry *r)
{
	return r->writes_created;
}

const struct exponential_pool *registry_exponentials(const struct registry *r)
{
	return r->histograms == HISTOGRAMS_CLASSIC ? NULL : &r->exponentials;
}

/* Accepts NULL. */
static void entry_free(const struct family *f, struct entry *e)
{
	if (e && f->desc.type == METRIC_HISTOGRAM) {
		free(e->series.histogram->exemplars);
		if (e->series.histogram->exponential)
			exponential_release(e->series.histogram->exponential);
	}
	free(e);
}

static void family_free(struct family *f)
{
	struct subject *subject;

	while ((subject = f->subjects)) {
		HASH_DEL(f->subjects, subject);
		free(subject);
	}
	for (size_t i = 0; i < f->count; i++)
		if (f->shown[i] != &f->overflow->series)
			entry_free(f, (struct entry *)f->shown[i]);
	entry_free(f, f->overflow);
	free(f->shown);
	free(f->slots);
	free(f);
}

void registry_free(struct registry *r)
{
	struct family *f;

	if (!r)
		return;
	while ((f = r->first)) {
		r->first = f->next;
		family_free(f);
	}
	free(r);
}

static bool has_exponentials(const struct family *f)
{
	return f->registry->histograms != HISTOGRAMS_CLASSIC && !f->desc.is_classic;
}

/* What lies behind the addresses of the label values. */
static size_t histogram_size(const struct family *f)
{
	size_t size = sizeof(struct histogram) + (f->bound_count + 1) * sizeof(uint64_t);

	if (f->desc.type != METRIC_HISTOGRAM)
		return 0;
	return has_exponentials(f) ? size + sizeof(struct exponential) : size;
}

static struct histogram *histogram_init(const struct family *f, char *bytes)
{
	struct histogram *h = (struct histogram *)bytes;

	if (has_exponentials(f)) {
		h->exponential = (struct exponential *)&h->bucket[f->bound_count + 1];
		h->exponential->pool = &f->registry->exponentials;
	}
	return h;
}

/* So far back that no sample of it can be older, but not before all counters were zero. */
static uint64_t created_ns(const struct registry *r)
{
	uint64_t ns = now_ns() - CREATED_BEFORE_NS;

	return ns < r->began_ns ? r->began_ns : ns;
}

static struct entry *entry_new(const struct family *f, const char *const *values)
{
	const struct family_desc *desc = &f->desc;
	size_t len[METRIC_LABELS_MAX];
	size_t size = sizeof(struct entry) + desc->label_count * sizeof(char *) + histogram_size(f);
	struct entry *e;
	char *bytes;

	for (size_t i = 0; i < desc->label_count; i++) {
		len[i] = strlen(values[i]) + 1;
		size += len[i];
	}
	e = calloc(1, size);
	if (!e)
		return NULL;
	bytes = (char *)&e->values[desc->label_count];
	if (desc->type == METRIC_HISTOGRAM)
		e->series.histogram = histogram_init(f, bytes);
	bytes += histogram_size(f);
	e->series.label_values = e->values;
	e->series.created_ns = created_ns(f->registry);
	for (size_t i = 0; i < desc->label_count; i++) {
		e->values[i] = memcpy(bytes, values[i], len[i]);
		bytes += len[i];
	}
	return e;
}

static uint64_t family_hash(const struct family *f, const char *const *values)
{
	uint64_t hash = f->registry->seed;

	for (size_t i = 0; i < f->desc.label_count; i++)
		hash = hash_bytes(values[i], strlen(values[i]), hash);
	return hash;
}

static void slot_put(struct entry **slots, size_t slot_count, struct entry *e)
{
	size_t at = e->hash & (slot_count - 1);

	while (slots[at])
		at = (at + 1) & (slot_count - 1);
	slots[at] = e;
}

struct family *registry_family(struct registry *r, const struct family_desc *desc)
{
	const char *others[METRIC_LABELS_MAX];
	struct family *f;

	assert(desc->label_count <= METRIC_LABELS_MAX && desc->bound_count <= METRIC_BUCKETS_MAX);
	for (size_t i = 1; i < desc->bound_count; i++)
		assert(desc->bounds[i - 1] < desc->bounds[i]);
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->registry = r;
	f->desc = *desc;
	f->bounds = desc->bounds;
	f->bound_count = desc->bound_count;
	if (r->histograms == HISTOGRAMS_NATIVE && !desc->is_classic)
		f->desc.bound_count = 0;
	f->alloc = 4;
	f->slot_count = SLOTS_FIRST;
	f->slots = calloc(f->slot_count, sizeof(struct entry *));
	f->shown = calloc(f->alloc, sizeof(struct series *));
	for (size_t i = 0; i < desc->label_count; i++)
		others[i] = OVERFLOW_VALUE;
	f->overflow = entry_new(f, others);
	if (!f->slots || !f->shown || !f->overflow) {
		family_free(f);
		return NULL;
	}
	f->overflow->hash = family_hash(f, others);
	slot_put(f->slots, f->slot_count, f->overflow);
	*r->last = f;
	r->last = &f->next;
	return f;
}

int registry_families(struct registry *r, const struct family_desc *descs, size_t count,
		      struct family **ret)
{
	for (size_t i = 0; i < count; i++) {
		ret[i] = registry_family(r, &descs[i]);
		if (!ret[i])
			return -ENOMEM;
	}
	return 0;
}

static struct series *family_overflow(struct family *f)
{
	if (!f->has_overflowed) {
		f->has_overflowed = true;
		f->shown[f->count++] = &f->overflow->series;
		f->registry->series_count++;
	}
	return &f->overflow->series;
}

/* Makes room for one more series beside the overflow series. */
static bool family_grow(struct family *f)
{
	const struct series **shown;
	struct entry **slots;
	size_t size;

	if (f->count + 2 > f->alloc) {
		shown = realloc(f->shown, f->alloc * 2 * sizeof(struct series *));
		if (!shown)
			return false;
		f->shown = shown;
		f->alloc *= 2;
	}
	if ((f->count + 2) * 2 <= f->slot_count)
		return true;
	size = f->slot_count * 2;
	slots = calloc(size, sizeof(struct entry *));
	if (!slots)
		return false;
	for (size_t i = 0; i < f->slot_count; i++)
		if (f->slots[i])
			slot_put(slots, size, f->slots[i]);
	free(f->slots);
	f->slots = slots;
	f->slot_count = size;
	return true;
}

static bool entry_has(const struct entry *e, const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(e->values[i], values[i]) != 0)
			return false;
	return true;
}

static struct entry *family_find(const struct family *f, const char *const *label_values,
				 uint64_t hash)
{
	size_t mask = f->slot_count - 1;
	struct entry *e;

	for (size_t at = hash & mask; (e = f->slots[at]); at = (at + 1) & mask)
		if (e->hash == hash && entry_has(e, label_values, f->desc.label_count))
			return e;
	return NULL;
}

/* NULL, and counted: there are `cap` series of all families, or there is no memory. */
static struct entry *family_add(struct family *f, const char *const *label_values, uint64_t hash,
				size_t cap)
{
	struct registry *r = f->registry;
	struct entry *e = NULL;

	if (r->series_count < cap && family_grow(f))
		e = entry_new(f, label_values);
	if (!e) {
		r->overflowed++;
		return NULL;
	}
	e->hash = hash;
	slot_put(f->slots, f->slot_count, e);
	f->shown[f->count++] = &e->series;
	r->series_count++;
	return e;
}

/* e: NULL, or found, or new. */
static struct series *entry_series(struct family *f, struct entry *e)
{
	return !e || e == f->overflow ? family_overflow(f) : &e->series;
}

struct series *family_series(struct family *f, const char *const *label_values)
{
	uint64_t hash = family_hash(f, label_values);
	struct entry *e = family_find(f, label_values, hash);

	if (!e)
		e = family_add(f, label_values, hash, f->registry->series_cap);
	return entry_series(f, e);
}

/* Without memory for it, the subject counts as one that has no series. */
static void subject_new(struct family *f, uint64_t key)
{
	struct subject *subject = calloc(1, sizeof(*subject));

	if (!subject)
		return;
	subject->key = key;
	subject->series_count = 1;
	HASH_ADD(hh, f->subjects, key, sizeof(subject->key), subject);
	if (!subject->hh.tbl)
		free(subject);
}

struct series *family_series_about(struct family *f, const char *const *label_values,
				   uint64_t subject_key)
{
	uint64_t hash = family_hash(f, label_values);
	struct entry *e = family_find(f, label_values, hash);
	size_t cap = f->registry->series_cap;
	struct subject *subject;

	if (e)
		return entry_series(f, e);
	HASH_FIND(hh, f->subjects, &subject_key, sizeof(subject_key), subject);
	if (subject && subject->series_count >= SUBJECT_SERIES)
		cap -= cap / 4;
	e = family_add(f, label_values, hash, cap);
	if (e && subject)
		subject->series_count++;
	else if (e)
		subject_new(f, subject_key);
	return entry_series(f, e);
}

void family_set(struct family *f, double value)
{
	series_set(family_series(f, NULL), value);
}

void family_clear(struct family *f)
{
	assert(f->desc.type == METRIC_GAUGE);
	for (size_t i = 0; i < f->slot_count; i++)
		if (f->slots[i])
			series_set(&f->slots[i]->series, 0);
}

void series_observe(const struct family *f, struct series *s, double value)
{
	size_t i = 0;

	/* Not `value > bound`: what is no number belongs into +Inf. */
	while (i < f->bound_count && !(value <= f->bounds[i]))
		i++;
	histogram_add(s->histogram, i, value);
}

uint64_t registry_overflowed(const struct registry *r)
{
	return r->overflowed;
}

size_t registry_series_count(const struct registry *r)
{
	return r->series_count;
}

bool registry_has_room(const struct registry *r)
{
	return r->series_count < r->series_cap / 2;
}

uint64_t registry_began_ns(const struct registry *r)
{
	return r->began_ns;
}

void registry_each(const struct registry *r, registry_fn fn, void *ctx)
{
	for (const struct family *f = r->first; f; f = f->next)
		fn(ctx, &f->desc, f->shown, f->count);
}
