/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver of OTLP answers to a request that it took: all of it, or not. */
#ifndef SIDELIGHT_EXPORT_OTLP_ANSWER_H
#define SIDELIGHT_EXPORT_OTLP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct otlp_answer {
	uint64_t rejected_points;
	char message[256]; /* one line of visible ASCII characters, maybe cut; "": none */
};

/* body: protobuf. Returns false if it is malformed. */
bool otlp_answer_read(struct span body, struct otlp_answer *ret_answer);

#endif
