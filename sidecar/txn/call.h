/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open calls of one HTTP/2 connection, by stream. A call is any request on a stream, gRPC or
 * not.
 *
 * Calls come from a pool that all connections share, and return to it.
 */
#ifndef SIDELIGHT_TXN_CALL_H
#define SIDELIGHT_TXN_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "proto/grpc.h"
#include "proto/trace_context.h"

struct active;
struct headers;

enum call_kind {
	CALL_UNSURE, /* the content type is unknown */
	CALL_HTTP,
	CALL_GRPC,
};

struct call {
	struct call *next; /* in the slot, or in the pool */
	struct call *newer; /* in the order of the connection */
	struct call *older;
	uint32_t stream;
	uint32_t tid; /* as in struct exchange */
	uint64_t start_ns;
	uint64_t request_end_ns; /* last byte of the request; 0: not seen yet */
	uint64_t read_ns; /* as in struct exchange, likewise request_end_seq */
	uint32_t request_end_seq;
	uint32_t tgid;
	const char *known_method; /* interned, as are the next three */
	const char *route;
	const char *rpc_method;
	const char *server_address;
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
	bool has_trace; /* trace is set */
	struct trace_context trace;
	struct active *active; /* the cell that counts it as open; may be NULL */
	struct headers *headers; /* owned; NULL: none is wanted */
	/*
	 * All members from here on, and headers, are zero in a new call; those above, after
	 * stream, are not set.
	 */
	uint64_t first_byte_ns; /* of the final response; 0: none yet */
	uint16_t status; /* of the final response; 0: none yet */
	uint16_t grpc_status; /* enum grpc_status */
	uint8_t kind; /* enum call_kind */
	uint8_t candidates; /* candidate.h */
	bool is_probe;
	bool is_connect;
	bool may_have_ended; /* frames were missed since it began */
	bool has_response; /* a final response head was seen */
	uint16_t wire_method_len;
	uint16_t wire_target_len;
	uint16_t wire_size; /* of the allocation */
	uint64_t request_bytes;
	uint64_t response_bytes;
	char *wire; /* owned: method, then target, as on the wire; NULL if no sink needs them */
	struct grpc_messages messages[2]; /* of request and response */
};

/* The pool of all connections. All zeros: empty. */
struct call_pool {
	struct call *free;
	unsigned free_count;
	uint64_t count; /* in use */
};

void call_pool_release(struct call_pool *pool);

/* More than the 100 to 1,000 that servers allow (SETTINGS_MAX_CONCURRENT_STREAMS). */
#define CALLS_MAX 4096

/* All zeros but for memory: empty. */
struct calls {
	struct call **slots;
	uint32_t size; /* power of two, or 0 */
	uint32_t count;
	struct call *newest;
	struct call *oldest;
	struct call *last; /* result of the last lookup; may be NULL */
	char *spare; /* the memory of one call's wire, kept for the next call; NULL: none */
	uint16_t spare_size;
	struct memory_account
		*memory; /* charged for calls, slots and wire; borrowed; may be NULL */
};

/*
 * Adds a call for a stream that has none; the caller enforces CALLS_MAX. Memory is charged when the
 * slots grow, for as many calls as there are slots. Returns NULL if there is no memory.
 */
struct call *calls_add(struct calls *calls, struct call_pool *pool, uint32_t stream);
void calls_remove(struct calls *calls, struct call_pool *pool, struct call *c);
/*
 * Copies method and target of a request, truncated to TXN_TARGET_MAX; omits them if there is no
 * memory.
 */
void calls_keep(struct calls *calls, struct call *c, struct span method, struct span target);
/* Removes all calls and frees the memory. */
void calls_release(struct calls *calls, struct call_pool *pool);

/* The general case of calls_find(). */
struct call *calls_find_other(struct calls *calls, uint32_t stream);

/* Returns NULL if the stream has no call. */
static inline struct call *calls_find(struct calls *calls, uint32_t stream)
{
	if (calls->last && calls->last->stream == stream)
		return calls->last;
	return calls_find_other(calls, stream);
}

#endif
