/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of a native histogram (Prometheus), which is an exponential histogram (OTLP).
 *
 * At scale s, bucket i holds the values above 2^(i / 2^s) and not above 2^((i + 1) / 2^s). This is
 * OTLP's number of a bucket; Prometheus' is one higher. Values up to EXPONENTIAL_ZERO count as
 * zero. Scale 4, at which each histogram begins, makes a bucket 4.4 % wide: no quantile is off by
 * more.
 *
 * Memory is taken in groups of 16 neighbouring buckets, a power of two at scale 4, where values
 * are. It is bounded: when a histogram needs more than EXPONENTIAL_GROUPS_MAX groups, or when all
 * histograms of the pool together have as many as they may, pairs of neighbouring buckets become
 * one (the scale is one less), until the value has a place. Two groups are always allowed: they
 * have room for all values at the smallest scale. Both formats allow that a histogram changes its
 * scale.
 */
#ifndef SIDELIGHT_METRICS_EXPONENTIAL_H
#define SIDELIGHT_METRICS_EXPONENTIAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPONENTIAL_SCALE_MAX  4
#define EXPONENTIAL_SCALE_MIN  (-2)
#define EXPONENTIAL_GROUP      16 /* buckets to a group */
#define EXPONENTIAL_GROUPS_MAX 10 /* 160 buckets, OpenTelemetry's default */

/* Values above the maximum count as the maximum. A nanosecond is below zero's bound: durations are
 * in seconds. */
#define EXPONENTIAL_ZERO_EXPONENT (-20) /* 2^-20 s is 0.95 us */
#define EXPONENTIAL_MAX_EXPONENT  40
#define EXPONENTIAL_ZERO	  0x1p-20
#define EXPONENTIAL_MAX		  0x1p40

/* All buckets there are, at scale 4. */
#define EXPONENTIAL_BUCKETS                                                                        \
	((EXPONENTIAL_MAX_EXPONENT - EXPONENTIAL_ZERO_EXPONENT) * EXPONENTIAL_GROUP)

struct exponential_group {
	struct exponential_group *next;
	int32_t number; /* of its first bucket, divided by 16 */
	uint64_t count[EXPONENTIAL_GROUP];
};

/* What the histograms of a registry share. */
struct exponential_pool {
	size_t group_cap;
	size_t groups;
	uint64_t halvings; /* times that two buckets became one, all over a histogram */
	uint64_t unplaced; /* values that count as zero because there was no memory */
};

/* Zeroed but for the pool, it is empty. */
struct exponential {
	struct exponential_pool *pool;
	struct exponential_group *first; /* the one used last; owned */
	uint64_t zero_count;
	int32_t shift; /* EXPONENTIAL_SCALE_MAX less the scale */
	uint32_t group_count;
};

/* Frees the groups. */
void exponential_release(struct exponential *x);

static inline int exponential_scale(const struct exponential *x)
{
	return EXPONENTIAL_SCALE_MAX - x->shift;
}

/*
 * Mantissas of the bounds in a power of two: the doubles nearest to 2^(i / 16), without their
 * leading one. Behind them is one that no mantissa is above.
 */
extern const uint64_t exponential_bounds[EXPONENTIAL_GROUP + 1];
/* Of each thirty-second of a power of two: how many bounds are below it. None has two in it. */
extern const uint8_t exponential_below[32];

/* The bucket of a normal number above zero, at scale 4. */
static inline int32_t exponential_bucket(double value)
{
	uint64_t bits;
	uint64_t mantissa;
	uint32_t below;

	memcpy(&bits, &value, sizeof(bits));
	mantissa = bits & ((UINT64_C(1) << 52) - 1);
	below = exponential_below[mantissa >> 47];
	below += mantissa > exponential_bounds[below];
	return ((int32_t)(bits >> 52) - 1023) * EXPONENTIAL_GROUP + (int32_t)below - 1;
}

/* As exponential_add(), for any value. */
void exponential_add_slowly(struct exponential *x, double value);

/* Counts a value. One that is negative or no number counts as zero. */
static inline void exponential_add(struct exponential *x, double value)
{
	struct exponential_group *group = x->first;
	int32_t bucket = exponential_bucket(value) >> x->shift;

	if (group && value > EXPONENTIAL_ZERO && group->number == bucket >> 4)
		group->count[bucket & (EXPONENTIAL_GROUP - 1)]++;
	else
		exponential_add_slowly(x, value);
}

/*
 * Stores the counts of all buckets from the first to the last that is not empty. Returns how many
 * these are; *ret_first is the number of the first.
 */
size_t exponential_counts(const struct exponential *x, uint64_t counts[EXPONENTIAL_BUCKETS],
			  int32_t *ret_first);

#endif
