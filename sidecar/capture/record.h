/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of the kernel's ring (bpf/event.h) as an event. The records are
 * our own programs', but they are checked like anybody's: a ring is memory.
 */
#ifndef SIDELIGHT_CAPTURE_RECORD_H
#define SIDELIGHT_CAPTURE_RECORD_H

#include <stddef.h>

#include "capture/event.h"

/* record is aligned to 8 bytes, as those of a ring are. Returns 0, or -EBADMSG. Spans of *ret_event
 * point into the record. */
int record_read(const void *record, size_t size, struct event *ret_event);

#endif
