/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exponential.h"

#include <stdbool.h>
#include <stdlib.h>

#define SHIFT_MAX (EXPONENTIAL_SCALE_MAX - EXPONENTIAL_SCALE_MIN)

/* At the smallest scale a group reaches over 64 powers of two: one has all values up to 1, and
 * another one all above. */
#define GROUPS_ALWAYS 2

const uint64_t exponential_bounds[EXPONENTIAL_GROUP + 1] = {
	0x0000000000000, 0x0b5586cf9890f, 0x172b83c7d517b, 0x2387a6e756238, 0x306fe0a31b715,
	0x3dea64c123422, 0x4bfdad5362a27, 0x5ab07dd485429, 0x6a09e667f3bcd, 0x7a11473eb0187,
	0x8ace5422aa0db, 0x9c49182a3f090, 0xae89f995ad3ad, 0xc199bdd85529c, 0xd5818dcfba487,
	0xea4afa2a490da, UINT64_MAX};

const uint8_t exponential_below[32] = {0,  1,  2,  3,  3,  4,  4,  5,  6,  6,  7,
				       7,  8,  8,  9,  9,  10, 10, 11, 11, 12, 12,
				       13, 13, 13, 14, 14, 15, 15, 15, 16, 16};

void exponential_release(struct exponential *x)
{
	struct exponential_group *group;

	while ((group = x->first)) {
		x->first = group->next;
		free(group);
	}
	x->pool->groups -= x->group_count;
	x->group_count = 0;
}

static struct exponential_group *group_find(struct exponential_group *first, int32_t number)
{
	while (first && first->number != number)
		first = first->next;
	return first;
}

/* The group's buckets become half of those of the group that it is in at the next scale. */
static void group_halve(struct exponential_group *group, struct exponential_group *into)
{
	uint64_t pairs[EXPONENTIAL_GROUP / 2];
	size_t at = group->number & 1 ? EXPONENTIAL_GROUP / 2 : 0;

	for (size_t i = 0; i < EXPONENTIAL_GROUP / 2; i++)
		pairs[i] = group->count[2 * i] + group->count[2 * i + 1];
	if (into == group) {
		memset(group->count, 0, sizeof(group->count));
		group->number >>= 1;
	}
	memcpy(&into->count[at], pairs, sizeof(pairs));
}

static void halve(struct exponential *x)
{
	struct exponential_group *rest = x->first;
	struct exponential_group *group;

	x->first = NULL;
	while ((group = rest)) {
		struct exponential_group *into = group_find(x->first, group->number >> 1);

		rest = group->next;
		group_halve(group, into ? into : group);
		if (into) {
			free(group);
			x->group_count--;
			x->pool->groups--;
		} else {
			group->next = x->first;
			x->first = group;
		}
	}
	x->shift++;
	x->pool->halvings++;
}

static bool may_grow(const struct exponential *x)
{
	return x->group_count < GROUPS_ALWAYS ||
	       (x->group_count < EXPONENTIAL_GROUPS_MAX && x->pool->groups < x->pool->group_cap);
}

/* NULL: there is no memory. */
static struct exponential_group *group_add(struct exponential *x, int32_t number)
{
	struct exponential_group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	group->number = number;
	group->next = x->first;
	x->first = group;
	x->group_count++;
	x->pool->groups++;
	return group;
}

/* Puts the group before all others. False: it has none of this number. */
static bool use_group(struct exponential *x, int32_t number)
{
	struct exponential_group *group;

	for (struct exponential_group **at = &x->first; (group = *at); at = &group->next) {
		if (group->number != number)
			continue;
		*at = group->next;
		group->next = x->first;
		x->first = group;
		return true;
	}
	return false;
}

void exponential_add_slowly(struct exponential *x, double value)
{
	int32_t bucket;

	if (!(value > EXPONENTIAL_ZERO)) {
		x->zero_count++;
		return;
	}
	bucket = exponential_bucket(value < EXPONENTIAL_MAX ? value : EXPONENTIAL_MAX);
	while (!use_group(x, bucket >> x->shift >> 4)) {
		if (may_grow(x) && group_add(x, bucket >> x->shift >> 4))
			break;
		if (x->shift == SHIFT_MAX) {
			x->zero_count++;
			x->pool->unplaced++;
			return;
		}
		halve(x);
	}
	x->first->count[(bucket >> x->shift) & (EXPONENTIAL_GROUP - 1)]++;
}

size_t exponential_counts(const struct exponential *x, uint64_t counts[EXPONENTIAL_BUCKETS],
			  int32_t *ret_first)
{
	int32_t first = INT32_MAX;
	int32_t last = INT32_MIN;
	size_t count;
	const struct exponential_group *group;

	for (group = x->first; group; group = group->next) {
		for (int32_t i = 0; i < EXPONENTIAL_GROUP; i++) {
			int32_t bucket = group->number * EXPONENTIAL_GROUP + i;

			if (!group->count[i])
				continue;
			first = bucket < first ? bucket : first;
			last = bucket > last ? bucket : last;
		}
	}
	*ret_first = 0;
	if (first > last)
		return 0;
	*ret_first = first;
	count = (size_t)last - (size_t)first + 1;
	memset(counts, 0, count * sizeof(counts[0]));
	for (group = x->first; group; group = group->next)
		for (int32_t i = 0; i < EXPONENTIAL_GROUP; i++)
			if (group->count[i])
				counts[group->number * EXPONENTIAL_GROUP + i - first] =
					group->count[i];
	return count;
}
