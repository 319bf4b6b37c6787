/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_head.h"

#include <string.h>

#include "proto/grpc.h"

/* The head that was decoded last. One thread runs all HTTP/2 parsers: see http2.h. */
static struct http2_head decoded;

/* Its trace context, while it is decoded. */
static struct trace_reader trace;

/* Copies of its strings, which the HPACK decoder lends for one callback only. */
static struct words {
	char method[HTTP2_METHOD_MAX];
	char path[HTTP2_PATH_MAX];
	char authority[HTTP2_AUTHORITY_MAX];
} words;

static struct span copy(char *to, size_t size, struct span s)
{
	if (s.len > size)
		s.len = size;
	if (s.len)
		memcpy(to, s.ptr, s.len);
	return (struct span){to, s.len};
}

static bool is(struct span s, const char *name, size_t len)
{
	return memcmp(s.ptr, name, len) == 0;
}

/* The set of the lengths of the names below; bit 0 stands for fields that could not be decoded. */
#define LENGTH(name) (1ull << (sizeof(name) - 1))
#define LENGTHS                                                                                    \
	(1 | LENGTH("host") | LENGTH(":path") | LENGTH(":method") | LENGTH("user-agent") |         \
	 LENGTH("grpc-status") | LENGTH("content-type"))
/* The other names of trace contexts have a length of those above. */
#define TRACE_LENGTHS (LENGTHS | LENGTH("b3"))

/* Compares a name; does not compile for a name whose length is not in LENGTHS. */
#define IS(s, name)                                                                                \
	(sizeof(char[LENGTHS & LENGTH(name) ? 1 : -1]) && (s).len == sizeof(name) - 1 &&           \
	 is(s, name, sizeof(name) - 1))

static uint16_t parse_status(struct span s)
{
	unsigned status = 0;

	if (s.len != 3)
		return 0;
	for (int i = 0; i < 3; i++) {
		unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

		if (digit > 9)
			return 0;
		status = status * 10 + digit;
	}
	return (uint16_t)(status >= 100 ? status : 0);
}

/* The first field of each name counts: a head with two is malformed (RFC 9113 section 8.3). */
static void pseudo_field(struct http2_head *h, struct span name, struct span value)
{
	if (!h->has_method && IS(name, ":method")) {
		h->is_request = h->has_method = true;
		h->is_connect = span_is(value, "CONNECT");
		h->method = copy(words.method, sizeof(words.method), value);
	} else if (IS(name, ":status")) {
		h->status = parse_status(value);
	} else if (IS(name, ":scheme")) {
		h->is_request = true;
	} else if (!h->has_path && IS(name, ":path")) {
		h->is_request = h->has_path = true;
		h->path = copy(words.path, sizeof(words.path), value);
	} else if (!h->authority.len && IS(name, ":authority")) {
		h->authority = copy(words.authority, sizeof(words.authority), value);
	}
}

static void on_field(void *ctx, struct span name, struct span value)
{
	struct http2_head *h = ctx;

	if (name.len == 0) {
		h->unknown = (uint16_t)(h->unknown + (h->unknown < UINT16_MAX));
	} else if (name.ptr[0] == ':') {
		pseudo_field(h, name, value);
	} else if (IS(name, "content-type")) {
		h->content = grpc_is_content_type(value)       ? HTTP2_CONTENT_GRPC
			     : grpc_is_web_content_type(value) ? HTTP2_CONTENT_GRPC_WEB
							       : HTTP2_CONTENT_OTHER;
	} else if (IS(name, "grpc-status")) {
		h->grpc_status = (uint16_t)grpc_status_parse(value);
	} else if (IS(name, "grpc-timeout")) {
		h->timeout_ns = grpc_timeout_ns(value);
	} else if (IS(name, "user-agent")) {
		h->is_probe = span_starts(value, "kube-probe/");
	} else if (IS(name, "host") && h->authority.len == 0) {
		h->authority = copy(words.authority, sizeof(words.authority), value);
	}
}

/* As on_field(), and trace contexts: no other name that is used begins like theirs. */
static void on_field_or_trace(void *ctx, struct span name, struct span value)
{
	enum trace_field field;

	if (name.len == 0 || (name.ptr[0] != 't' && name.ptr[0] != 'b' && name.ptr[0] != 'x')) {
		on_field(ctx, name, value);
		return;
	}
	field = trace_field_find(name);
	if (field)
		trace_reader_add(&trace, field, value);
}

static void on_observed_field(void *ctx, struct span name, struct span value)
{
	const struct http2_observer *o = ctx;

	on_field_or_trace(&decoded, name, value);
	o->field(o->ctx, name, value);
}

/* As on_observed_field() with an observer, else as on_field_or_trace(). */
static void on_recalled_field(void *ctx, struct span name, struct span value)
{
	const struct http2_heads *h = ctx;

	http2_recall_field(h->recall, name, value);
	if (http2_heads_are_observed(h))
		on_observed_field((void *)h->observer, name, value);
	else
		on_field_or_trace(&decoded, name, value);
}

static void clear_cache(struct http2_heads *h)
{
	for (size_t i = 0; i < HTTP2_CACHED_BLOCKS; i++)
		h->cached[i].len = 0;
}

/*
 * Copies method and path into the cache entry if they fit, and sets keeps_target of the entry's
 * head and of *head accordingly.
 */
static void remember_target(struct http2_cached_block *m, struct http2_head *head)
{
	head->keeps_target = head->method.len + head->path.len <= sizeof(m->text);
	m->head.keeps_target = head->keeps_target;
	m->head.authority = (struct span){NULL, 0};
	m->head.method = m->head.path = (struct span){m->text, 0};
	if (!head->keeps_target)
		return;
	m->head.method = copy(m->text, sizeof(m->text), head->method);
	m->head.path =
		copy(m->text + head->method.len, sizeof(m->text) - head->method.len, head->path);
}

static void remember(struct http2_heads *h, struct span block, struct http2_head *head)
{
	struct http2_cached_block *m = &h->cached[h->next++ % HTTP2_CACHED_BLOCKS];

	m->len = (uint8_t)block.len;
	memcpy(m->bytes, block.ptr, block.len);
	m->attributes = (struct http2_attributes){0};
	head->attributes = &m->attributes;
	m->head = *head;
	remember_target(m, head);
}

static void begin_head(struct http2_heads *h)
{
	decoded =
		(struct http2_head){.grpc_status = GRPC_STATUS_NONE, .attributes = &h->attributes};
	trace_reader_init(&trace);
	if (http2_heads_are_observed(h))
		h->observer->begin(h->observer->ctx);
}

/* The block is decoded. If fields are unknown and the block's list is there, takes all from that.
 */
static void complete_head(struct http2_heads *h)
{
	const struct http2_list *list = http2_recall_end(h->recall, h->stream, h->is_end);
	struct http2_field f;
	struct span text;

	if (!list)
		return;
	begin_head(h);
	for (text = list->text; http2_list_next(&text, &f);)
		if (http2_heads_are_observed(h))
			on_observed_field((void *)h->observer, f.name, f.value);
		else
			on_field_or_trace(&decoded, f.name, f.value);
	clear_cache(h);
}

/* Not inlined: few blocks come here, and each caller would save registers for it. */
__attribute__((noinline)) int http2_heads_decode(struct http2_heads *h, struct span block,
						 const struct http2_head **ret)
{
	struct http2_fields fields = {h->wants_trace ? on_field_or_trace : on_field, &decoded,
				      h->wants_trace ? TRACE_LENGTHS : LENGTHS};
	bool is_observed = http2_heads_are_observed(h);
	bool is_small = block.len - 1 < HTTP2_CACHED_BLOCK_MAX && h->generation;
	bool is_table_unchanged;
	int err;

	h->attributes = (struct http2_attributes){0};
	begin_head(h);
	if (h->recall) {
		http2_recall_begin(h->recall);
		fields = (struct http2_fields){on_recalled_field, h, HTTP2_ALL_LENGTHS};
	} else if (is_observed) {
		fields = (struct http2_fields){on_observed_field, (void *)h->observer,
					       HTTP2_ALL_LENGTHS};
	}
	err = http2_hpack_decode(&h->hpack, block, &fields, &is_table_unchanged);
	if (h->recall && !err)
		complete_head(h);
	decoded.has_trace =
		h->wants_trace && trace.seen && trace_reader_end(&trace, &decoded.trace);
	decoded.is_observed = is_observed;
	if (!is_table_unchanged)
		clear_cache(h);
	else if (is_small && !is_observed && !(h->recall && decoded.unknown))
		remember(h, block, &decoded);
	if (!err)
		*ret = &decoded;
	return err;
}

void http2_heads_recall(struct http2_heads *h, uint64_t *counts)
{
	if (h->recall)
		return;
	h->recall = http2_recall_new(h->hpack.memory->account, counts);
	h->hpack.recall = h->recall;
	clear_cache(h);
}

void http2_heads_add_list(struct http2_heads *h, const struct http2_list *list)
{
	if (http2_recall_add(h->recall, list))
		clear_cache(h);
}

struct http2_heads *http2_heads_new(struct http2_memory *memory, const uint64_t *generation,
				    bool wants_trace, const struct http2_observer *observer)
{
	struct http2_heads *h = memory_calloc(memory->account, 1, sizeof(*h));

	if (!h)
		return NULL;
	h->hpack.memory = memory;
	h->generation = generation;
	h->wants_trace = wants_trace;
	h->observer = observer;
	return h;
}

void http2_heads_free(struct http2_heads *h)
{
	if (!h)
		return;
	http2_heads_release(h);
	memory_free(h->hpack.memory->account, h);
}

void http2_heads_release(struct http2_heads *h)
{
	http2_recall_free(h->recall);
	h->recall = h->hpack.recall = NULL;
	http2_hpack_release(&h->hpack);
}

void http2_heads_forget(struct http2_heads *h)
{
	http2_hpack_forget(&h->hpack);
	clear_cache(h);
}

const struct http2_head *http2_head_unknown(void)
{
	static struct http2_attributes attributes;
	static const struct http2_head head = {
		.grpc_status = GRPC_STATUS_NONE, .unknown = 1, .attributes = &attributes};

	attributes = (struct http2_attributes){0};
	return &head;
}
