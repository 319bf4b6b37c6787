/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a header block says, as far as anybody here wants to know.
 *
 * A block that changed nothing in the header table means the same whenever its bytes come again
 * before the table changes; the last few of them are remembered, with what the owner made of them.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_HEAD_H
#define SIDELIGHT_PROTO_HTTP2_HEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "proto/http2_hpack.h"

struct active;

/* What its owner made of a request. */
struct http2_note {
	const char *known_method;
	const char *route;
	const char *rpc_method;
	const char *server_address;
	struct active *active;
	uint64_t generation; /* as the owner's when it was made; 0: it is not made */
	uint8_t candidates;
};

enum http2_content {
	HTTP2_CONTENT_NONE, /* no such field; if fields are unknown, maybe one */
	HTTP2_CONTENT_GRPC,
	HTTP2_CONTENT_GRPC_WEB,
	HTTP2_CONTENT_OTHER,
};

/* Longer ones are cut. */
#define HTTP2_METHOD_MAX    64
#define HTTP2_PATH_MAX	    4096
#define HTTP2_AUTHORITY_MAX 300

struct http2_head {
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
	uint16_t status; /* 0: none */
	uint16_t grpc_status; /* enum grpc_status */
	uint16_t unknown; /* fields of which nothing is known */
	uint8_t content; /* enum http2_content */
	bool is_request; /* :method, :scheme or :path is there */
	bool has_method; /* the next three are set; a block that is remembered has them no more */
	bool has_path;
	bool is_connect;
	bool is_probe; /* user-agent of a kubelet */
	struct http2_note *note; /* in which the owner may put its own; never NULL */
	struct span method;
	struct span path;
	struct span authority; /* else host */
};

/* Blocks longer than this are not worth remembering: nearly all their bytes are new. */
#define HTTP2_MEMO_BYTES 60
#define HTTP2_MEMOS	 2

struct http2_memo {
	struct http2_note note;
	uint8_t len; /* 0: free */
	char bytes[HTTP2_MEMO_BYTES];
	struct http2_head head; /* without spans */
};

/* One direction. Zeroed with hpack.memory set, it is at its start. */
struct http2_heads {
	struct http2_hpack hpack;
	struct http2_note note; /* of a block that is not remembered */
	/* The owner's, not 0; notes of others are stale. NULL: spans are wanted always, and nothing
	 * is remembered. */
	const uint64_t *generation;
	uint8_t next; /* memo to be replaced */
	struct http2_memo memo[HTTP2_MEMOS];
};

void http2_heads_release(struct http2_heads *h);
/* A block was missed. */
void http2_heads_forget(struct http2_heads *h);

/* A request counts as remembered while its owner's note of it is of this generation. */
static inline bool http2_memo_is(const struct http2_heads *h, const struct http2_memo *m,
				 struct span block)
{
	return m->len == block.len && block.len &&
	       (!m->head.is_request || m->note.generation == *h->generation) &&
	       memcmp(m->bytes, block.ptr, block.len) == 0;
}

/* As http2_heads_read(), of a block that is not remembered. */
int http2_heads_decode(struct http2_heads *h, struct span block, const struct http2_head **ret);

/*
 * One whole header block; note->generation of what it says tells whether its note was
 * made before. *ret lives until the next call for any direction. Errors are http2_hpack_decode()'s;
 * then *ret stays as it is.
 */
static inline int http2_heads_read(struct http2_heads *h, struct span block,
				   const struct http2_head **ret)
{
	for (size_t i = 0; i < HTTP2_MEMOS; i++) {
		if (http2_memo_is(h, &h->memo[i], block)) {
			*ret = &h->memo[i].head;
			return 0;
		}
	}
	return http2_heads_decode(h, block, ret);
}

#endif
