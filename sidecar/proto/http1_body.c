/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_body.h"

#include "proto/http1_chunk.h"

void http1_fail(struct http1 *p, struct http1_out out, enum parse_fail why, bool has_head)
{
	http1_resync(p);
	out.sink->fail(out.ctx, p->is_response, why, has_head);
}

enum http1_body http1_body_kind(const struct http1 *p, const struct message *m,
				enum http1_body body)
{
	if (p->state == HTTP1_TUNNEL)
		return HTTP1_BODY_TUNNEL;
	if (m->is_response && body <= HTTP1_BODY_OPTIONAL && http1_is_bodyless(m->status))
		return HTTP1_BODY_NONE;
	return body;
}

void http1_body_begin(struct http1 *p, struct http1_out out, const struct http1_framing *f,
		      enum http1_body body)
{
	p->is_resync = false;
	p->is_body_optional = body == HTTP1_BODY_OPTIONAL;
	p->body_bytes = 0;
	if (body == HTTP1_BODY_TUNNEL) {
		http1_tunnel(p);
	} else if (f->has_nul) {
		http1_fail(p, out, PARSE_FAIL_FIELD, true);
	} else if (body == HTTP1_BODY_NONE) {
		http1_end(p, out);
	} else if (f->has_coding) {
		p->state = f->is_chunked ? HTTP1_CHUNKED : HTTP1_CLOSE;
		if (f->is_chunked)
			http1_chunk_begin(p);
		else if (!p->is_response)
			http1_fail(p, out, PARSE_FAIL_LENGTH, true);
	} else if (f->is_bad_length) {
		http1_fail(p, out, PARSE_FAIL_LENGTH, true);
	} else if (f->has_length ? f->length == 0 : !p->is_response) {
		http1_end(p, out);
	} else {
		p->state = f->has_length ? HTTP1_LENGTH : HTTP1_CLOSE;
		p->body_left = f->length;
	}
}

uint64_t http1_body_pass(struct http1 *p, uint64_t n, struct http1_out out)
{
	if (n > p->body_left)
		n = p->body_left;
	p->body_left -= n;
	p->body_bytes += n;
	if (p->body_left == 0)
		http1_end(p, out);
	return n;
}

void http1_body_miss_trailers(const struct http1 *p, struct http1_out out)
{
	if (out.sink->trailers)
		out.sink->trailers(out.ctx, p->is_response, (struct span){NULL, 0});
}

size_t http1_body_chunked(struct http1 *p, struct span data, struct http1_out out)
{
	bool is_unframed = p->state == HTTP1_UNFRAMED;
	enum http1_chunk_result result;
	size_t trailers = SIZE_MAX;
	size_t used = 0;

	result = is_unframed ? http1_unframed_data(p, data, &used, &trailers)
			     : http1_chunk_data(p, data, &used, &trailers);
	if (trailers < used && out.sink->trailers)
		out.sink->trailers(out.ctx, p->is_response,
				   (struct span){data.ptr + trailers, used - trailers});
	else if (trailers == SIZE_MAX && is_unframed && result == HTTP1_CHUNK_DONE)
		http1_body_miss_trailers(p, out);
	p->body_bytes += used;
	if (result == HTTP1_CHUNK_DONE) {
		http1_end(p, out);
	} else if (result == HTTP1_CHUNK_BAD && is_unframed) {
		http1_fail(p, out, PARSE_FAIL_LOST, true);
		p->state = p->state == HTTP1_SYNC ? HTTP1_START : p->state;
	} else if (result == HTTP1_CHUNK_BAD) {
		http1_fail(p, out, PARSE_FAIL_CHUNK, true);
	}
	return used;
}
