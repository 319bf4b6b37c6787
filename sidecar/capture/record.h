/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converts a record of the BPF programs' ring (bpf/event.h) to an event. Records come from our own
 * programs, but are validated like any other input in shared memory.
 */
#ifndef SIDELIGHT_CAPTURE_RECORD_H
#define SIDELIGHT_CAPTURE_RECORD_H

#include <stddef.h>

#include "capture/event.h"

/*
 * record is aligned to 8 bytes. Returns 0, or -EBADMSG. Spans of *ret_event point into the record.
 */
int record_read(const void *record, size_t size, struct event *ret_event);

#endif
