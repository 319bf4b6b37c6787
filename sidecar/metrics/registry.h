/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of series: what is exported, independent of how.
 *
 * A family has a name, a type and a fixed list of label names; a series is
 * one tuple of label values in it. All series of all families together are
 * capped: beyond the cap, a family answers with its overflow series, whose
 * label values are all `_OTHER`, and the registry counts the refusal. The last quarter of the cap
 * is kept for series of subjects that have few: see family_series_about().
 *
 * Encoders walk it with registry_each(); they never change it.
 */
#ifndef SIDELIGHT_METRICS_REGISTRY_H
#define SIDELIGHT_METRICS_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/exponential.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX  12
#define METRIC_BUCKETS_MAX 24

struct registry;
struct family;

/* One of the values that a bucket counts, and where it is from: see exemplars.h. */
struct exemplar {
	uint64_t time_ns; /* since 1970; 0: there is none */
	double value;
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

struct histogram {
	uint64_t count;
	double sum;
	struct exponential *exponential; /* NULL: the registry has none */
	struct exemplar *exemplars; /* one for each bucket; owned; NULL: none */
	uint64_t bucket[]; /* one for each bound, and +Inf; not cumulative */
};

struct series {
	const char *const *label_values; /* as many as the family has label names; "" is left out */
	union {
		double value; /* counter, gauge */
		struct histogram *histogram;
	};
	uint64_t created_ns; /* since 1970: a counter or histogram was zero then */
};

struct family_desc {
	const char *name; /* counters end in _total, units are in the name */
	const char *help;
	enum metric_type type;
	/*
	 * histogram: its values come already counted into these bounds, so that it has no other
	 * buckets, whatever kind the registry's histograms are.
	 */
	bool is_classic;
	const char *const *label_names; /* static, label_count of them */
	size_t label_count;
	const double *bounds; /* histogram: ascending upper bounds, without +Inf */
	size_t bound_count;
};

/* Which buckets histograms have. */
enum histogram_kind { HISTOGRAMS_CLASSIC, HISTOGRAMS_NATIVE, HISTOGRAMS_BOTH };

/* With classic histograms. */
struct registry *registry_new(size_t series_cap);
void registry_free(struct registry *r);

/*
 * Before the first family is added. Native: families are shown without bounds, whatever they were
 * described with, unless they are classic.
 */
void registry_set_histograms(struct registry *r, enum histogram_kind kind);
/* OpenMetrics text says when each counter and histogram began. */
void registry_set_created(struct registry *r, bool is_written);
bool registry_writes_created(const struct registry *r);
/* NULL: there are only classic histograms. */
const struct exponential_pool *registry_exponentials(const struct registry *r);

/* Adds a family; what desc points to must outlive the registry. NULL: no memory. */
struct family *registry_family(struct registry *r, const struct family_desc *desc);

/* The same for several: ret[i] is the family of descs[i]. Returns 0 or -ENOMEM. */
int registry_families(struct registry *r, const struct family_desc *descs, size_t count,
		      struct family **ret);

/*
 * The series of these label values, made if new; its address is stable for
 * the registry's life. Values are copied; they must be UTF-8, because a
 * gateway refuses a whole push for one that is not. Never NULL: out of memory
 * or over the cap, it is the family's overflow series, and that is counted. A
 * family without labels has one series, which is always there.
 */
struct series *family_series(struct family *f, const char *const *label_values);

/* So many series of a subject may use the whole cap. */
#define SUBJECT_SERIES 4

/*
 * As family_series(), for a family whose label values strangers can multiply. `subject_key` is a
 * hash of what the series is about, such as a route: the first SUBJECT_SERIES series of a subject,
 * in each family, may use the whole cap, and further ones only the first three quarters of it. So
 * the last quarter is left to subjects that are met later.
 */
struct series *family_series_about(struct family *f, const char *const *label_values,
				   uint64_t subject_key);

/* Sets the series of a family without labels. */
void family_set(struct family *f, double value);

/* counter: n >= 0; gauge: any */
static inline void series_add(struct series *s, double n)
{
	s->value += n;
}

/* gauge, or a counter mirrored from elsewhere */
static inline void series_set(struct series *s, double value)
{
	s->value = value;
}

/* Sets all series of a family of gauges to zero: some may have no value any more. */
void family_clear(struct family *f);

void series_observe(const struct family *f, struct series *s, double value); /* histogram */

/* For callers who know the bucket already: the first whose bound is >= value, or bound_count. */
static inline void histogram_add(struct histogram *h, size_t bucket, double value)
{
	h->bucket[bucket]++;
	h->count++;
	h->sum += value;
	if (h->exponential)
		exponential_add(h->exponential, value);
}

/* Look-ups that were answered with an overflow series. */
uint64_t registry_overflowed(const struct registry *r);
size_t registry_series_count(const struct registry *r);
/* Half of the cap is free: there may be series that nobody needs yet. */
bool registry_has_room(const struct registry *r);
/* When it was made, in nanoseconds since 1970: all counters were zero then. */
uint64_t registry_began_ns(const struct registry *r);

typedef void (*registry_fn)(void *ctx, const struct family_desc *desc,
			    const struct series *const *series, size_t series_count);

/* Families in order of creation, each with all its series in order of creation. */
void registry_each(const struct registry *r, registry_fn fn, void *ctx);

#endif
