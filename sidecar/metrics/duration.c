/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/duration.h"

#include <stdlib.h>
#include <string.h>

#define BOUND_MIN 1e-6
#define BOUND_MAX 86400.0

const struct duration_buckets duration_buckets_default = {
	.count = 17,
	.bounds = {.0005, .001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5,
		   10},
	.bounds_ns = {500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 75000000,
		      100000000, 250000000, 500000000, 750000000, 1000000000, 2500000000,
		      5000000000, 7500000000, 10000000000, UINT64_MAX},
};

/* Digits and a point: strtod() takes hexadecimal digits, "inf" and spaces, too. */
static const char *read_bound(const char *text, size_t len, double *ret_bound)
{
	char digits[24];

	if (len == 0)
		return "a bound is empty";
	if (len >= sizeof(digits) || strspn(text, "0123456789.") < len ||
	    memchr(text, '.', len) != memrchr(text, '.', len) || (len == 1 && *text == '.'))
		return "a bound is a number of seconds, such as 0.25";
	memcpy(digits, text, len);
	digits[len] = '\0';
	*ret_bound = strtod(digits, NULL);
	if (*ret_bound < BOUND_MIN || *ret_bound > BOUND_MAX)
		return "a bound is from 0.000001 to 86400 seconds";
	return NULL;
}

const char *duration_buckets_parse(struct duration_buckets *b, const char *list)
{
	struct duration_buckets read = {0};
	const char *why;

	for (;;) {
		size_t len = strcspn(list, ",");
		double bound;

		why = read_bound(list, len, &bound);
		if (why)
			return why;
		if (read.count == METRIC_BUCKETS_MAX)
			return "there are more than 24 bounds";
		read.bounds_ns[read.count] = (uint64_t)(bound * 1e9 + .5);
		/* As it is rounded: a text says where a bucket really ends. */
		read.bounds[read.count] = (double)read.bounds_ns[read.count] / 1e9;
		if (read.count && read.bounds_ns[read.count - 1] >= read.bounds_ns[read.count])
			return "bounds ascend";
		read.count++;
		if (!list[len])
			break;
		list += len + 1;
	}
	_Static_assert(METRIC_BUCKETS_MAX == 24, "the error says how many");
	read.bounds_ns[read.count] = UINT64_MAX;
	*b = read;
	return NULL;
}

struct family_desc duration_family(const struct family_desc *desc, const struct duration_buckets *b)
{
	struct family_desc copy = *desc;

	copy.bounds = b->bounds;
	copy.bound_count = b->count;
	return copy;
}
