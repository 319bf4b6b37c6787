/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of one connection that cannot be decrypted yet, in the order in which they came: copies,
 * bounded in bytes.
 */
#ifndef SIDELIGHT_TLS_HELD_H
#define SIDELIGHT_TLS_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "tls/record.h"

/* Copies of one connection: a first flight of requests, and what a server sends unasked. */
#define TLS_HELD_MAX (256u << 10)

struct tls_held {
	struct tls_held *next;
	enum dir dir;
	bool is_fin; /* the direction ended, at record.last_ns: there is no record */
	struct tls_record record; /* its body is behind this */
	uint8_t body[];
};

/* Zeroed, it is empty. */
struct tls_held_list {
	struct tls_held *first;
	size_t bytes;
};

/* Adds a copy at the end; with record->body NULL, the end of a direction. False: no room. */
bool tls_held_add(struct tls_held_list *list, enum dir dir, const struct tls_record *record,
		  bool is_fin, struct memory_account *memory);

/* Takes an element out of the list and frees it. */
void tls_held_drop(struct tls_held_list *list, struct tls_held *h, struct memory_account *memory);
void tls_held_release(struct tls_held_list *list, struct memory_account *memory);

/* Is there something of the direction? */
bool tls_held_has(const struct tls_held_list *list, enum dir dir);

#endif
