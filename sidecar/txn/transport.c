/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/transport.h"

#include "txn/decrypted.h"
#include "txn/detection.h"
#include "txn/proxy_header.h"

static struct session *session_of(struct conn *c)
{
	return (struct session *)c->user;
}

static struct tls_env *tls_of(struct conn *c)
{
	return ((struct session_env *)c->owner)->tls;
}

/* Ends the session, and wipes the keys: nothing more of the connection is needed. */
static void end_session(struct conn *c, struct session *s, enum sl_mute why, uint64_t time_ns)
{
	const struct session_env *env = c->owner;

	s->transport = TRANSPORT_ENDED;
	session_sink.end(c, why == SL_MUTE_TLS_DARK ? CONN_UNDECRYPTABLE : CONN_MUTED, time_ns);
	tls_stream_free(s->tls);
	s->tls = NULL;
	if (env->on_unneeded)
		env->on_unneeded(env->source_ctx, c->id, why);
}

/* The buffered bytes were neither a PROXY header nor TLS. */
static void release_buffered(struct conn *c, struct session *s, enum dir dir,
			     const struct segment_view *view)
{
	char buf[PROXY_BUFFER_MAX];
	struct segment_view buffered = proxy_header_take_buffered(c, s, view, buf);

	s->transport = TRANSPORT_PLAINTEXT;
	session_sink.bytes.data(c, dir, &buffered, s->buffered_ns);
}

/* Removes a PROXY header. Returns false if no bytes are left. */
static bool pass_header(struct conn *c, struct session *s, enum dir dir, struct segment_view *view,
			uint64_t time_ns)
{
	if (!detection_may_have_header(c, s, dir))
		return true;
	switch (proxy_header_take(c, s, dir, view, time_ns)) {
	case PROXY_HEADER_BUFFERED:
		release_buffered(c, s, dir, view);
		return true;
	case PROXY_HEADER_BAD:
		s->transport = TRANSPORT_PLAINTEXT;
		detection_refuse(c, s, dir, view);
		return false;
	case PROXY_HEADER_INSIDE:
		return false;
	default:
		return view->data.len;
	}
}

static void decide(struct conn *c, struct session *s, struct span data, uint64_t time_ns)
{
	if (!tls_begins(data)) {
		s->transport = TRANSPORT_PLAINTEXT;
	} else {
		s->transport = TRANSPORT_TLS;
		s->tls = tls_stream_new(tls_of(c), &c->memory);
		if (s->tls)
			s->tls->owner = c;
		else
			end_session(c, s, SL_MUTE_TLS_DARK, time_ns);
	}
}

/* Checks the TLS stream after each call, which may free it. */
static void check(struct conn *c, struct session *s, uint64_t time_ns)
{
	enum sl_mute why;

	/* The TCP handshake was not seen, but the TLS handshake was: it identifies the client. */
	if (c->role == ROLE_UNKNOWN && s->tls->has_hello)
		c->role = s->tls->client == DIR_INGRESS ? ROLE_SERVER : ROLE_CLIENT;
	why = s->tls->failure ? SL_MUTE_TLS_DARK : decrypted_unneeded(c, s);
	if (why)
		end_session(c, s, why, time_ns);
}

/*
 * If it waits for secrets, what has come may be among them. What comes next may be the end of its
 * decryption: of a queue that is full, of bytes that were not copied.
 */
static void go_on(struct conn *c, struct session *s, uint64_t time_ns)
{
	if (!s->tls || !s->tls->wait.is_waiting)
		return;
	tls_stream_secrets(s->tls, &decrypted_sink, c);
	check(c, s, time_ns);
}

static void pass_data(struct conn *c, struct session *s, enum dir dir,
		      const struct segment_view *view, uint64_t time_ns)
{
	if (s->transport == TRANSPORT_PLAINTEXT) {
		session_sink.bytes.data(c, dir, view, time_ns);
	} else if (s->transport == TRANSPORT_TLS) {
		go_on(c, s, time_ns);
		if (!s->tls)
			return;
		tls_stream_data(s->tls, dir, view, time_ns, &decrypted_sink, c);
		check(c, s, time_ns);
		if (s->tls)
			decrypted_tell_body(c, s, dir, view->seq + (uint32_t)view->data.len);
	}
}

static __attribute__((noinline)) void first_data(struct conn *c, struct session *s, enum dir dir,
						 const struct segment_view *view, uint64_t time_ns)
{
	struct segment_view rest = *view;

	if (!pass_header(c, s, dir, &rest, time_ns))
		return;
	if (s->transport == TRANSPORT_UNKNOWN)
		decide(c, s, rest.data, time_ns);
	pass_data(c, s, dir, &rest, time_ns);
}

static void on_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (s->transport == TRANSPORT_UNKNOWN)
		first_data(c, s, dir, view, time_ns);
	else
		pass_data(c, s, dir, view, time_ns);
}

static void miss(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		 uint32_t len, bool is_lost, uint64_t time_ns)
{
	go_on(c, s, time_ns);
	if (!s->tls)
		return;
	tls_stream_missing(s->tls, dir, view, len, is_lost, time_ns, &decrypted_sink, c);
	check(c, s, time_ns);
}

static void on_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (s->transport <= TRANSPORT_PLAINTEXT)
		session_sink.bytes.skip(c, dir, view, len, time_ns);
	else if (s->transport == TRANSPORT_TLS)
		miss(c, s, dir, view, len, false, time_ns);
}

static void on_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (s->transport <= TRANSPORT_PLAINTEXT)
		session_sink.bytes.lost(c, dir, view, len, time_ns);
	else if (s->transport == TRANSPORT_TLS)
		miss(c, s, dir, view, len, true, time_ns);
}

static void on_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (s->transport <= TRANSPORT_PLAINTEXT) {
		session_sink.bytes.fin(c, dir, view, time_ns);
	} else if (s->transport == TRANSPORT_TLS) {
		go_on(c, s, time_ns);
		if (!s->tls)
			return;
		tls_stream_fin(s->tls, dir, view, time_ns, &decrypted_sink, c);
		check(c, s, time_ns);
	}
}

static void on_end(struct conn *c, enum conn_end how, uint64_t time_ns)
{
	struct session *s = session_of(c);

	/* It may be evicted while another one's plaintext is read: nothing is decrypted then. */
	if (how != CONN_EVICTED && how != CONN_EVICTED_MEMORY)
		go_on(c, s, time_ns);
	if (s->transport == TRANSPORT_TLS) {
		tls_stream_end(s->tls);
		how = s->tls->failure ? CONN_UNDECRYPTABLE : how;
	}
	if (s->transport != TRANSPORT_ENDED)
		session_sink.end(c, how, time_ns);
	tls_stream_free(s->tls);
	s->tls = NULL;
}

void transport_secrets(struct conn *c, uint64_t time_ns)
{
	go_on(c, session_of(c), time_ns);
}

bool transport_no_secrets(struct conn *c, uint64_t before_ns, uint64_t time_ns)
{
	struct session *s = session_of(c);

	go_on(c, s, time_ns);
	if (!s->tls || !s->tls->wait.is_waiting || s->tls->wait.since_ns >= before_ns)
		return false;
	tls_stream_end(s->tls); /* it has held records, which nobody can decrypt */
	check(c, s, time_ns);
	return true;
}

const struct conn_sink transport_sink = {
	.bytes = {.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin},
	.end = on_end,
	.read = session_read,
};
