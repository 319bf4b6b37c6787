/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one connection. Its bytes go to the protocol that it speaks (protocol.h), which is
 * detected from the first bytes (detection.h).
 */
#ifndef SIDELIGHT_TXN_SESSION_H
#define SIDELIGHT_TXN_SESSION_H

#include "flow/conn.h"
#include "proto/http1.h"
#include "proto/proxy.h"
#include "tls/stream.h"
#include "txn/active.h"
#include "txn/address.h"
#include "txn/engine.h"
#include "txn/call.h"
#include "txn/exchange.h"
#include "txn/header_capture.h"
#include "txn/protocol.h"
#include "txn/route.h"
#include "txn/rpc_method.h"
#include "txn/sinks.h"

/* The state that all sessions of an engine share: conn.owner. */
struct session_env {
	struct routes *routes;
	struct label_values *route_names; /* values of routes */
	struct label_values *addresses;
	struct label_values *rpc_methods;
	struct call_pool calls;
	size_t http2_table_bytes; /* header tables of all connections */
	void (*on_frame)(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq); /* may be NULL */
	void (*on_unneeded)(void *ctx, uint64_t conn_id, enum sl_mute why); /* may be NULL */
	void (*on_lists_wanted)(void *ctx); /* may be NULL */
	void *source_ctx;
	/* Sessions of HTTP/2 that want header lists. */
	struct {
		struct http2_session *first;
		unsigned count;
	} wanting;
	uint64_t number; /* of the engine with its current templates; unique in this process */
	struct sinks sinks;
	struct header_capture headers;
	struct tls_env *tls; /* NULL: TLS is not decrypted */
	struct actives actives;
	struct engine_stats stats;
	struct protocols protocols;
};

/* Read for each request, since sinks come and go. */
static inline bool session_needs_target(const struct session_env *env)
{
	return env->sinks.needs & TXN_NEED_TARGET;
}
static inline bool session_needs_trace(const struct session_env *env)
{
	return env->sinks.needs & TXN_NEED_TRACE;
}

/* The state of the exchange of the newest request (pairing.h). */
enum last_exchange {
	/* There is none, or something was missed since, or it was not complete. */
	LAST_EXCHANGE_UNKNOWN,
	LAST_EXCHANGE_OPEN,
	LAST_EXCHANGE_COMPLETE, /* it got one complete response */
};

/* Whether the client pipelines: see pairing.h. */
enum client_habit { CLIENT_UNKNOWN, CLIENT_WAITS, CLIENT_PIPELINES };

/* Whether requests may be among bytes that the BPF programs did not copy: see uncopied.h. */
enum uncopied {
	UNCOPIED_NONE,
	UNCOPIED_POSSIBLE,
	/* bytes were lost, too: responses don't determine the number of requests */
	UNCOPIED_UNCERTAIN,
};

/* conn.user of every connection. */
struct session {
	const struct protocol_ops *protocol; /* NULL: not detected yet */
	struct http2_session *http2; /* owned; NULL: not HTTP/2 */
	struct last_read read; /* by the observed program, of a client that asks it */
	/* HTTP/1 */
	enum role role;
	bool is_interim; /* the current response is a 1xx */
	bool is_unpaired; /* the current response has no known request */
	/* unpaired_seq is valid: a response without request came after the newest request */
	bool has_unpaired_seq;
	/* head_seq is valid: earlier segments contain a part of a request's head */
	bool has_head_seq;
	bool has_request_seq; /* request_seq is valid */
	uint8_t last_exchange; /* enum last_exchange */
	uint8_t client; /* enum client_habit */
	uint8_t uncopied; /* enum uncopied */
	bool is_skipping; /* the current bytes were skipped, not lost */
	/* The newest request was not added: see uncopied_hides(), pairing_drops_late() */
	bool is_unopened;
	bool has_missed; /* messages, or parts of them, were missed at any time */
	bool request_may_be_missing; /* after the only open request: no other may follow it */
	/* Malformed bytes may have been a request: the next request may get its response. */
	bool doubts_next;
	/* Requests are missing among the open ones: they are counted, not reported. */
	bool pairing_unreliable;
	struct http1 parser[2]; /* by enum dir */
	struct exchanges open;
	/* Current segment; borrowed during a call of flow; NULL: none. */
	const struct segment_view *current;
	/* Position of the request direction when the newest unpaired response came. */
	uint32_t unpaired_seq;
	/* Position of the response direction when the first byte of that head came. */
	uint32_t head_seq;
	/* Position of the response direction when the first byte of the newest request came. */
	uint32_t request_seq;
	uint32_t tid; /* thread of the newest egress data; 0: not known */
	uint32_t tgid; /* its process */
	/* At most so many responses come to requests that are counted as lost already. */
	uint32_t responses_due;
	/* Responses without a request while uncopied was UNCOPIED_NONE. */
	uint32_t responses_unexplained;
	/* Malformed bytes came in place of a request, at unreadable_ns; nothing followed. */
	bool is_unreadable;
	/* Number of open requests before such bytes; the pairing of the others is unreliable. */
	uint16_t trusted;
	uint64_t unreadable_ns;
	/* Detection */
	uint64_t buffered_ns; /* time of the first buffered byte, of the preface or in proxy */
	struct proxy *proxy; /* owned: an incomplete PROXY header of the client */
	bool is_past_proxy[2]; /* by enum dir: no PROXY header can start or continue */
	/* Bytes of HTTP/2's preface that the client has sent so far, and no others. */
	uint8_t preface_bytes;
	bool has_lost_start[2]; /* first bytes are missing, as for an older connection */
	bool has_gap; /* bytes of either direction were lost at any time */
	/* not_http was detected by bytes that the server sent before the client did */
	bool is_banner;
	uint8_t not_http; /* enum not_http; if set, all further bytes are ignored */
	bool is_past_protocols[2]; /* by enum dir: not offered to added protocols any more */
	uint8_t likely_frames; /* segments of an older connection that look like HTTP/2's frames */
	uint32_t requests; /* that were reported, modulo 2^32 */
	/* Transport */
	uint8_t transport; /* enum transport */
	uint8_t flight; /* the direction of the newest decrypted bytes, 1 + enum dir; 0: none */
	uint8_t unknown_flights; /* decrypted, of the server, without HTTP */
	bool has_http; /* decrypted bytes are HTTP, or an added protocol */
	struct tls_stream *tls; /* owned: decrypts the bytes; NULL: plaintext */
	/* Added protocols (protocols.h) */
	/* Owned: buffered until a protocol is detected; may be NULL. */
	struct first_bytes *first_bytes;
	void *state; /* of an added `protocol`, which owns it */
};

/* For a connection whose user is a session. */
static inline bool session_is_tls(const struct conn *c)
{
	return ((const struct session *)c->user)->tls;
}

/* The sink of the table of connections, without TLS. */
extern const struct conn_sink session_sink;
/* The operation of session_sink, for a sink that hands on what it gets. */
void session_read(struct conn *c, const struct event_read *read, uint64_t time_ns);

#endif
