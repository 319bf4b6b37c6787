/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of one HTTP/2 connection whose responses have not ended, by stream.
 *
 * Calls come from a pool that all connections share, and go back to it.
 */
#ifndef SIDELIGHT_TXN_CALL_H
#define SIDELIGHT_TXN_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "proto/grpc.h"

struct active;

enum call_kind {
	CALL_UNSURE, /* its content type is unknown */
	CALL_HTTP,
	CALL_GRPC,
};

struct call {
	struct call *next; /* in the slot; of the pool */
	struct call *newer; /* on the connection */
	struct call *older;
	uint32_t stream;
	uint32_t tid;
	uint64_t start_ns;
	const char *known_method; /* interned, as are the next three */
	const char *route;
	const char *rpc_method;
	const char *server_address;
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
	struct active *active; /* where it is counted as open; NULL if it is not */
	/* In a new call all from here on is zero, and what is above, behind stream, is not set. */
	uint64_t first_byte_ns; /* of the final response; 0: none yet */
	uint16_t status; /* of the final response; 0: none yet */
	uint16_t grpc_status; /* enum grpc_status */
	uint8_t kind; /* enum call_kind */
	uint8_t candidates; /* candidate.h */
	bool is_probe;
	bool is_connect;
	bool may_have_ended; /* unseen: frames were missed since it began */
	bool has_response; /* a final response head was seen */
	uint16_t wire_method_len;
	uint16_t wire_target_len;
	uint64_t request_bytes;
	uint64_t response_bytes;
	char *wire; /* owned: method, then target, as on the wire; NULL if nobody wants them */
	struct grpc_messages messages[2]; /* of request and response */
};

/* Of all connections. Zeroed, it is empty. */
struct call_pool {
	struct call *free;
	unsigned free_count;
	uint64_t count; /* in use */
};

void call_pool_release(struct call_pool *pool);

/* More than the 100 to 1,000 that servers allow (SETTINGS_MAX_CONCURRENT_STREAMS). */
#define CALLS_MAX 4096

/* Zeroed but for memory, it is empty. */
struct calls {
	struct call **slots;
	uint32_t size; /* power of two, or 0 */
	uint32_t count;
	struct call *newest;
	struct call *oldest;
	struct call *last; /* looked up last; may be NULL */
	struct memory_account *memory; /* charged for calls and slots; borrowed; may be NULL */
};

/*
 * A new call for a stream that has none. NULL: no memory. CALLS_MAX is for the caller. What a call
 * takes is charged when the slots grow, for as many calls as there are slots: a call of its own
 * costs no charge.
 */
struct call *calls_add(struct calls *calls, struct call_pool *pool, uint32_t stream);
void calls_remove(struct calls *calls, struct call_pool *pool, struct call *c);
/* Copies method and target of a request, cut to TXN_TARGET_MAX; not, if memory is short. */
void calls_keep(struct calls *calls, struct call *c, struct span method, struct span target);
/* No calls left, memory freed. */
void calls_release(struct calls *calls, struct call_pool *pool);

/* Any but the one looked up last. */
struct call *calls_find_other(struct calls *calls, uint32_t stream);

/* NULL: there is none. */
static inline struct call *calls_find(struct calls *calls, uint32_t stream)
{
	if (calls->last && calls->last->stream == stream)
		return calls->last;
	return calls_find_other(calls, stream);
}

#endif
