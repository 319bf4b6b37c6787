/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last bytes that the program has read from a connection, and when: those of a request, if its
 * end is among them. A request may end before or after it is known that it was read.
 */
#ifndef SIDELIGHT_TXN_LAST_READ_H
#define SIDELIGHT_TXN_LAST_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "flow/queued_segment.h"

/* Zeroed: nothing was read. */
struct last_read {
	struct event_read bytes;
	uint64_t time_ns; /* 0: nothing was read */
};

/* When the bytes before end_seq, and the last of them, were read; 0: not known. */
static inline uint64_t last_read_ns(const struct last_read *r, uint32_t end_seq)
{
	bool has_end =
		seq_diff(end_seq, r->bytes.from_seq) > 0 && seq_diff(r->bytes.to_seq, end_seq) >= 0;

	return has_end ? r->time_ns : 0;
}

#endif
