/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open requests of one HTTP/1 connection, oldest first: HTTP/1 responds in the order of
 * requests (RFC 9112 section 9.3.2).
 */
#ifndef SIDELIGHT_TXN_EXCHANGE_H
#define SIDELIGHT_TXN_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/copy.h"
#include "base/memory.h"
#include "proto/message.h"
#include "proto/method.h"
#include "proto/trace_context.h"
#include "txn/last_read.h"

struct active;
struct headers;

struct exchange {
	uint64_t start_ns;
	uint64_t request_bytes;
	/* Apart from start_ns: a load of both as a pair would stall on store forwarding. */
	uint64_t first_byte_ns; /* of the final response; 0: none yet */
	uint64_t request_end_ns; /* last byte of the request; 0: not seen yet */
	uint64_t read_ns; /* the program has read it; 0: not known */
	const char *known_method; /* interned, as are the next two */
	const char *route;
	const char *server_address;
	struct active *active; /* the cell that counts it as open; may be NULL */
	/*
	 * The method, unless it is known_method, then the target, as on the wire: in the buffer of
	 * struct exchanges, or in an allocation of its own. NULL if no sink needs them.
	 */
	char *wire;
	/* Where the run of bytes ends that has its last one; valid if request_end_ns is set. */
	uint32_t request_end_seq;
	uint16_t wire_target_len;
	uint16_t status;
	uint8_t wire_method_len;
	uint8_t version; /* enum http_version */
	uint8_t candidates; /* candidate.h */
	bool is_connect;
	uint8_t response_body; /* enum http1_body: HEAD has none, a truncated head may be of it */
	bool expects_continue; /* and got no response yet, not even 100 */
	bool is_probe;
	bool is_lost; /* already counted as lost; keeps its place in the order */
	bool has_trace; /* trace is set */
	struct trace_context trace;
	/* Of a client's request, or of the first bytes of a server's response. */
	uint32_t tid;
	uint32_t tgid;
	struct headers *headers; /* owned; NULL: none is wanted */
};

static inline void exchange_set_thread(struct exchange *e, uint32_t tid, uint32_t tgid)
{
	e->tid = tid;
	e->tgid = tgid;
}

/* Browsers had pipelines of 8, proxies of 100; load generators build some of thousands. */
#define EXCHANGES_MAX 4096

/* A ring of exchanges. All zeros but for memory: empty. It must not be moved. */
struct exchanges {
	struct exchange *ring;
	struct exchange one; /* the ring of a connection without pipelining */
	uint16_t alloc; /* power of two, or 0 */
	uint16_t first;
	uint16_t count;
	uint16_t buffer_room; /* buffer_size; 0 while the wire of an exchange is in buffer */
	uint16_t buffer_size; /* at most TXN_TARGET_MAX */
	/*
	 * For the wire of one exchange at a time, kept from request to request: a client that waits
	 * for its responses costs no allocation. NULL: none was needed yet.
	 */
	char *buffer;
	struct memory_account *memory; /* charged for all of it; borrowed; may be NULL */
};

/*
 * Appends an exchange, zeroed. Returns NULL if EXCHANGES_MAX is reached (*ret_is_full) or there is
 * no memory.
 */
struct exchange *exchanges_push(struct exchanges *q, bool *ret_is_full);
/* The i-th exchange, 0 being the oldest; i < count. */
static inline struct exchange *exchanges_at(struct exchanges *q, unsigned i)
{
	return &q->ring[(q->first + i) & (q->alloc - 1u)];
}
/* The oldest exchange; count > 0. */
static inline struct exchange *exchanges_oldest(struct exchanges *q)
{
	return &q->ring[q->first];
}
/*
 * The newest request is complete, with bytes that end before seq; body_bytes 0: none, or not known.
 * count > 0.
 */
static inline void exchanges_end_request(struct exchanges *q, uint64_t body_bytes, uint32_t seq,
					 const struct last_read *read, uint64_t time_ns)
{
	struct exchange *e = exchanges_at(q, q->count - 1u);

	e->request_end_ns = time_ns;
	e->request_end_seq = seq;
	if (read->time_ns)
		e->read_ns = last_read_ns(read, seq);
	if (body_bytes)
		e->request_bytes = body_bytes;
}
/* The program has read something. */
void exchanges_read(struct exchanges *q, const struct last_read *read);
/* Removes the oldest exchange; count > 0. */
void exchanges_pop(struct exchanges *q);
void exchanges_release(struct exchanges *q);

/* The general case of exchanges_keep(). */
void exchanges_keep_wire(struct exchanges *q, struct exchange *e, const struct message *m);

/*
 * Copies the target of a request, truncated to TXN_TARGET_MAX, and a method that is not
 * known_method, truncated to UINT8_MAX; omits them if there is no memory.
 */
static inline void exchanges_keep(struct exchanges *q, struct exchange *e, const struct message *m)
{
	if (__builtin_expect(m->target.len >= q->buffer_room, 0) ||
	    __builtin_expect(!method_is_known(e->known_method), 0)) {
		exchanges_keep_wire(q, e, m);
		return;
	}
	q->buffer_room = 0;
	e->wire = q->buffer;
	e->wire_target_len = (uint16_t)m->target.len;
	copy_short(e->wire, m->target.ptr, m->target.len);
}
/* The wire of e becomes the caller's, to be freed with the account of q; may be NULL. */
char *exchanges_take_wire(struct exchanges *q, struct exchange *e);

#endif
