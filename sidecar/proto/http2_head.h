/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes header blocks into the fields that sidelight uses.
 *
 * A block that does not change the dynamic table has the same meaning as long as the table does not
 * change. The last few such blocks of each direction are cached, with the attributes that the owner
 * derived from them.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_HEAD_H
#define SIDELIGHT_PROTO_HTTP2_HEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "proto/http2_hpack.h"
#include "proto/http2_recall.h"
#include "proto/trace_context.h"

struct active;

/* The attributes that the owner derives from a request, as struct http1_attributes. */
struct http2_attributes {
	const char *known_method;
	const char *route;
	const char *rpc_method;
	const char *server_address;
	struct active *active;
	uint64_t generation; /* the owner's generation when this was filled in; 0: not filled in */
	uint8_t candidates;
};

enum http2_content {
	HTTP2_CONTENT_NONE, /* no content-type field was decoded */
	HTTP2_CONTENT_GRPC,
	HTTP2_CONTENT_GRPC_WEB,
	HTTP2_CONTENT_OTHER,
};

/* Longer values are truncated. */
#define HTTP2_METHOD_MAX    64
#define HTTP2_PATH_MAX	    4096
#define HTTP2_AUTHORITY_MAX 300

/*
 * Gets all fields of each block while is_on, which may change between two blocks. Meanwhile no
 * cached block is used.
 */
struct http2_observer {
	bool is_on;
	void (*begin)(void *ctx); /* a block begins */
	/* Spans are borrowed during the call. An empty name: the field is unknown. */
	void (*field)(void *ctx, struct span name, struct span value);
	void *ctx;
};

struct http2_head {
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
	uint16_t status; /* 0: none */
	uint16_t grpc_status; /* enum grpc_status */
	uint16_t unknown; /* number of fields that could not be decoded */
	uint8_t content; /* enum http2_content */
	bool is_request; /* the block has :method, :scheme or :path */
	bool has_method; /* method is set, or was when the block was cached */
	bool has_path; /* path is set, or was when the block was cached */
	bool is_connect;
	bool is_probe; /* the user-agent is a kubelet's */
	bool keeps_target; /* method and path stay set when the block is cached */
	bool has_trace; /* trace is set; only with http2_heads.wants_trace */
	struct trace_context trace;
	bool is_observed; /* the observer has the fields of this block */
	struct http2_attributes *attributes; /* for the owner to fill in; never NULL */
	struct span method; /* of a cached block: empty unless keeps_target */
	struct span path; /* of a cached block: empty unless keeps_target */
	struct span authority; /* :authority, else host; of a cached block: empty */
};

/* Longer blocks are not cached: they rarely repeat byte by byte. */
#define HTTP2_CACHED_BLOCK_MAX 60
#define HTTP2_CACHED_BLOCKS    2
/* Size of the cached method and path: nine in ten are shorter. */
#define HTTP2_CACHED_TEXT 96

struct http2_cached_block {
	struct http2_attributes attributes;
	uint8_t len; /* 0: the entry is free */
	char bytes[HTTP2_CACHED_BLOCK_MAX];
	struct http2_head head; /* its spans point into text */
	char text[HTTP2_CACHED_TEXT];
};

/*
 * The decoder of one direction. All zeros but for hpack.memory, it is at the start of the
 * direction.
 */
struct http2_heads {
	struct http2_hpack hpack;
	struct http2_attributes attributes; /* attributes of a block that is not cached */
	/*
	 * The owner's generation, not 0; cached attributes of another generation are stale. NULL:
	 * the owner always needs the spans, and no block is cached.
	 */
	const uint64_t *generation;
	bool wants_trace; /* set before the first block: the owner wants trace contexts */
	const struct http2_observer *observer; /* borrowed; NULL: there is none */
	/*
	 * Owned: recalls fields from before we joined (http2_heads_recall()); NULL: it does not.
	 * Then the next two say whose block is decoded.
	 */
	struct http2_recall *recall;
	uint32_t stream;
	bool is_end;
	uint8_t next; /* the entry that is replaced next */
	struct http2_cached_block cached[HTTP2_CACHED_BLOCKS];
};

/* NULL: no memory. What is given is borrowed. */
struct http2_heads *http2_heads_new(struct http2_memory *memory, const uint64_t *generation,
				    bool wants_trace, const struct http2_observer *observer);
/* Accepts NULL. */
void http2_heads_free(struct http2_heads *h);
/* Frees what the decoder has. */
void http2_heads_release(struct http2_heads *h);
/* A block was missed: the dynamic table and the cache are invalid. */
void http2_heads_forget(struct http2_heads *h);

/*
 * From now on fields are recalled from lists (http2_recall.h), whose ends are added to counts.
 * Without memory they are not, and the next call tries again.
 */
void http2_heads_recall(struct http2_heads *h, uint64_t *counts);
/* A list of the direction; after http2_heads_recall(). */
void http2_heads_add_list(struct http2_heads *h, const struct http2_list *list);

/*
 * True if cache entry m holds the block. A request also needs attributes of the owner's generation.
 */
static inline bool http2_block_is_cached(const struct http2_heads *h,
					 const struct http2_cached_block *m, struct span block)
{
	return m->len == block.len && block.len &&
	       (!m->head.is_request || m->attributes.generation == *h->generation) &&
	       memcmp(m->bytes, block.ptr, block.len) == 0;
}

static inline bool http2_heads_are_observed(const struct http2_heads *h)
{
	return __builtin_expect(h->observer && h->observer->is_on, 0);
}

/* As http2_heads_read(), without the cache. */
int http2_heads_decode(struct http2_heads *h, struct span block, const struct http2_head **ret);

/*
 * Decodes one complete header block. attributes->generation of the result says whether its
 * attributes are filled in. *ret is valid until the next call for any direction. Returns 0 or an
 * error of http2_hpack_decode(), and leaves *ret unchanged in that case.
 */
static inline int http2_heads_read(struct http2_heads *h, struct span block,
				   const struct http2_head **ret)
{
	for (size_t i = 0; i < HTTP2_CACHED_BLOCKS && !http2_heads_are_observed(h); i++) {
		if (http2_block_is_cached(h, &h->cached[i], block)) {
			*ret = &h->cached[i].head;
			return 0;
		}
	}
	return http2_heads_decode(h, block, ret);
}

/* The head of a block that could not be decoded. Valid until the next call. */
const struct http2_head *http2_head_unknown(void);

#endif
