/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/duration.h"

const double duration_bounds[DURATION_BOUNDS] = {.0005, .001, .0025, .005, .01, .025, .05, .075, .1,
						 .25,	.5,   .75,   1,	   2.5, 5,    7.5, 10};

const uint64_t duration_bounds_ns[DURATION_BOUNDS] = {
	500000,	    1000000,	2500000,    5000000,	10000000,   25000000,
	50000000,   75000000,	100000000,  250000000,	500000000,  750000000,
	1000000000, 2500000000, 5000000000, 7500000000, 10000000000};
