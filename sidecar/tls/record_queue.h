/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of records of one connection that can't be decrypted yet, in the order of arrival, bounded
 * in bytes.
 */
#ifndef SIDELIGHT_TLS_RECORD_QUEUE_H
#define SIDELIGHT_TLS_RECORD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "tls/record.h"

/*
 * Limit for one connection: a first flight of requests, and what a server sends before any request.
 */
#define TLS_RECORD_QUEUE_MAX (256u << 10)

struct tls_queued_record {
	struct tls_queued_record *next;
	enum dir dir;
	bool is_fin; /* the direction ended at record.last_ns; there is no record */
	struct tls_record record; /* record.body points to body */
	uint8_t body[];
};

/* All zeros: empty. */
struct tls_record_queue {
	struct tls_queued_record *first;
	size_t bytes;
};

/*
 * Appends a copy of a record or, with is_fin, the end of a direction. Returns false if the queue is
 * full or there is no memory.
 */
bool tls_record_queue_add(struct tls_record_queue *list, enum dir dir,
			  const struct tls_record *record, bool is_fin,
			  struct memory_account *memory);

/* Removes an element and frees it. */
void tls_record_queue_remove(struct tls_record_queue *list, struct tls_queued_record *h,
			     struct memory_account *memory);
void tls_record_queue_release(struct tls_record_queue *list, struct memory_account *memory);

/* True if an element of the direction is queued. */
bool tls_record_queue_has(const struct tls_record_queue *list, enum dir dir);

#endif
