/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/content.h"

#include "tls/messages.h"

#define CLOSE_NOTIFY 0 /* alert description, RFC 8446 section 6 */

/* Alerts and KeyUpdates are shorter, with the type of TLS 1.3: then it is known what they are. */
#define SHORT_CONTENT 8

static void put_data(struct tls_stream *t, enum dir dir, struct span data, uint64_t time_ns)
{
	struct segment_view view;

	if (data.len == 0)
		return;
	view = tls_stream_view(t, dir);
	view = segment_view_with(&view, data);
	t->direction[dir].has_data = true;
	t->sink->data(t->ctx, dir, &view, time_ns);
}

/* The record's first bytes were seen before its last: a head begins when they were. */
static void put_application(struct tls_stream *t, enum dir dir, const struct tls_record *r,
			    struct span data)
{
	size_t nonce = tls_cipher_nonce_bytes(&t->direction[dir].cipher);
	size_t first = r->first_bytes > nonce ? r->first_bytes - nonce : 0;

	if (first > data.len || r->first_ns == r->last_ns)
		first = data.len;
	t->env->stats.records++;
	put_data(t, dir, (struct span){data.ptr, first},
		 first == data.len ? r->last_ns : r->first_ns);
	put_data(t, dir, span_from(data, first), r->last_ns);
}

static void on_alert(struct tls_stream *t, enum dir dir, struct span content, uint64_t time_ns)
{
	if (content.len >= 2 && content.ptr[1] == CLOSE_NOTIFY)
		tls_stream_put_fin(t, dir, time_ns);
}

static void dispatch(struct tls_stream *t, enum dir dir, const struct tls_record *r, uint8_t type,
		     struct span content)
{
	enum tls_phase phase = t->direction[dir].phase;

	switch (type) {
	case TLS_APPLICATION_DATA:
		if (phase == TLS_PHASE_TRAFFIC || phase == TLS_PHASE_EARLY)
			put_application(t, dir, r, content);
		else
			tls_stream_set_dark(t, TLS_DARK_PROTOCOL);
		return;
	case TLS_HANDSHAKE:
		tls_messages(t, dir, content);
		return;
	case TLS_ALERT:
		on_alert(t, dir, content, r->last_ns);
		return;
	case TLS_CHANGE_CIPHER_SPEC:
		tls_change_cipher(t, dir);
		return;
	default:
		return; /* heartbeats */
	}
}

/* The length of the content; 0 with *ret_type 0: there is nothing but padding. */
static size_t inner_len(struct span plain, uint8_t *ret_type)
{
	size_t len = plain.len;

	while (len > 0 && plain.ptr[len - 1] == 0)
		len--;
	*ret_type = len ? (uint8_t)plain.ptr[len - 1] : 0;
	return len ? len - 1 : 0;
}

uint8_t tls_content_type(struct span plain)
{
	uint8_t type;

	(void)inner_len(plain, &type); /* only the type matters here */
	return type;
}

void tls_content(struct tls_stream *t, enum dir dir, const struct tls_record *r, struct span plain)
{
	struct tls_direction *d = &t->direction[dir];
	uint8_t type = r->header[0];
	size_t len = plain.len;

	if (t->version == TLS_1_3) {
		len = inner_len(plain, &type);
		d->has_padding |= len + 1 != plain.len;
	}
	dispatch(t, dir, r, type, (struct span){plain.ptr, len});
}

/* A post-handshake message, or as many of them as fill the content, could begin like this. */
static bool may_be_handshake(const uint8_t *head, size_t len)
{
	uint32_t size = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];

	switch (head[0]) {
	case TLS_NEW_SESSION_TICKET:
	case TLS_CERTIFICATE:
	case TLS_CERTIFICATE_REQUEST:
	case TLS_CERTIFICATE_VERIFY:
	case TLS_FINISHED:
	case TLS_KEY_UPDATE:
		return size + 4 <= len || size > TLS_PLAIN_MAX / 2;
	default:
		return false;
	}
}

/* Bytes of a record that are missing. */
static void put_missing(struct tls_stream *t, enum dir dir, const struct tls_record *r, size_t len)
{
	struct segment_view view = tls_stream_view(t, dir);

	(r->has_lost ? t->sink->lost : t->sink->skip)(t->ctx, dir, &view, (uint32_t)len,
						      r->last_ns);
}

/* Where the plaintext of a cut record is known: offsets in it. */
struct cut {
	size_t len; /* of the content */
	size_t head; /* the first bytes, up to here */
	size_t tail; /* the last bytes, from here */
};

/* TLS 1.3: is it application data for certain? The last byte of the plaintext is the type. */
static bool is_application_13(const struct tls_direction *d, const struct tls_record *r,
			      const struct cut *cut)
{
	uint8_t head[4];
	uint8_t type;

	if (d->has_padding)
		return false;
	if (cut->tail <= cut->len) {
		tls_cipher_decrypt(&d->cipher, d->number, r->body, cut->len, 1, &type);
		return type == TLS_APPLICATION_DATA;
	}
	if (cut->head < sizeof(head) || cut->len < SHORT_CONTENT)
		return false;
	tls_cipher_decrypt(&d->cipher, d->number, r->body, 0, sizeof(head), head);
	return !may_be_handshake(head, cut->len);
}

static bool measure(const struct tls_stream *t, const struct tls_direction *d,
		    const struct tls_record *r, struct cut *ret)
{
	size_t nonce = tls_cipher_nonce_bytes(&d->cipher);
	size_t overhead = tls_cipher_overhead(&d->cipher) + (t->version == TLS_1_3);

	if (!d->is_verified || !tls_cipher_is_stream(&d->cipher) || r->len < overhead ||
	    r->head < nonce)
		return false;
	ret->len = r->len - overhead;
	ret->head = r->head - nonce < ret->len ? r->head - nonce : ret->len;
	ret->tail = r->tail - nonce;
	return t->version == TLS_1_3 ? is_application_13(d, r, ret)
				     : r->header[0] == TLS_APPLICATION_DATA;
}

static struct span decrypted(struct tls_stream *t, const struct tls_direction *d,
			     const struct tls_record *r, size_t from, size_t to)
{
	if (from < to)
		tls_cipher_decrypt(&d->cipher, d->number, r->body, from, to - from, t->env->plain);
	return (struct span){(const char *)t->env->plain, from < to ? to - from : 0};
}

void tls_content_cut(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct cut cut;
	size_t tail;

	if (!measure(t, d, r, &cut)) {
		tls_stream_set_dark(t, TLS_DARK_GAP);
		return;
	}
	t->env->stats.records++;
	tail = cut.tail < cut.len ? cut.tail : cut.len;
	put_data(t, dir, decrypted(t, d, r, 0, cut.head),
		 r->first_bytes ? r->first_ns : r->last_ns);
	if (tail > cut.head)
		put_missing(t, dir, r, tail - cut.head);
	put_data(t, dir, decrypted(t, d, r, tail, cut.len), r->last_ns);
	d->number++;
}
