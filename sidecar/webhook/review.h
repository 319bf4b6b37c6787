/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One AdmissionReview (admission.k8s.io/v1): bytes in, bytes out; no state, no
 * clock, no network.
 *
 * Every review that can be read is answered "allowed": sidelight refuses
 * nobody's Pod. The answer repeats apiVersion, kind and uid, and carries
 * a patch only if there is one. Bytes that are no review get an HTTP error,
 * which the API server treats by its failurePolicy.
 *
 * Reviews are read by cJSON: nesting over 1000 is refused, of equal names in an
 * object the first counts (the API server sends none), and memory is limited by
 * budget.h.
 */
#ifndef SIDELIGHT_WEBHOOK_REVIEW_H
#define SIDELIGHT_WEBHOOK_REVIEW_H

#include <stdbool.h>

#include "base/span.h"
#include "base/text.h"
#include "webhook/parameter.h"

/* The largest body: twice (object, oldObject) what the API server stores of an object. */
#define REVIEW_BYTES_MAX (3u << 20)

enum review_target { REVIEW_POD, REVIEW_WORKLOAD };

/* How it ended; review_results[] has their names for the metrics. */
enum review_result {
	RESULT_UNASKED, /* no annotation, or a kind or operation that is not ours */
	RESULT_PRESENT,
	RESULT_SKIPPED,
	RESULT_INJECTED,
	RESULT_UNCHANGED, /* a workload: carried before */
	RESULT_CARRIED,
	RESULT_REMOVED,
	RESULT_MALFORMED,
	RESULT_NO_MEMORY,
	RESULT_MAX,
};

extern const char *const review_results[RESULT_MAX];

struct reviewer {
	const struct values *defaults;
	enum review_target target;
	bool is_restricted; /* these two: struct injection */
	bool is_unlabelled;
};

/*
 * Adds the answer to out: a review, or for RESULT_MALFORMED and RESULT_NO_MEMORY
 * a line for people. out->has_failed is to be checked.
 */
enum review_result review_answer(const struct reviewer *r, struct span body, struct text *out);

#endif
