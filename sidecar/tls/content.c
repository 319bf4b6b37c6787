/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/content.h"

#include "tls/messages.h"

#define CLOSE_NOTIFY 0 /* alert description, RFC 8446 section 6 */

/*
 * Alerts and KeyUpdates are shorter, content type included, so longer content is not one of them.
 */
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

/*
 * A record may span segments. Its first bytes keep their own time, since a message head begins
 * there.
 */
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
			tls_stream_fail(t, TLS_FAIL_PROTOCOL);
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
		return; /* heartbeats are ignored */
	}
}

/* The length of the content; 0 with *ret_type 0: there is only padding. */
static size_t inner_len(struct span plaintext, uint8_t *ret_type)
{
	size_t len = plaintext.len;

	while (len > 0 && plaintext.ptr[len - 1] == 0)
		len--;
	*ret_type = len ? (uint8_t)plaintext.ptr[len - 1] : 0;
	return len ? len - 1 : 0;
}

uint8_t tls_content_type(struct span plaintext)
{
	uint8_t type;

	(void)inner_len(plaintext, &type); /* the length is not needed */
	return type;
}

void tls_content(struct tls_stream *t, enum dir dir, const struct tls_record *r,
		 struct span plaintext)
{
	struct tls_direction *d = &t->direction[dir];
	uint8_t type = r->header[0];
	size_t len = plaintext.len;

	if (t->version == TLS_1_3) {
		len = inner_len(plaintext, &type);
		d->has_padding |= len + 1 != plaintext.len;
	}
	dispatch(t, dir, r, type, (struct span){plaintext.ptr, len});
}

/* True if a post-handshake message, or several that fill the content, can begin like this. */
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
		return size + 4 <= len || size > TLS_PLAINTEXT_MAX / 2;
	default:
		return false;
	}
}

/* Reports missing bytes of a record. */
static void put_missing(struct tls_stream *t, enum dir dir, const struct tls_record *r, size_t len)
{
	struct segment_view view = tls_stream_view(t, dir);

	(r->has_lost ? t->sink->lost : t->sink->skip)(t->ctx, dir, &view, (uint32_t)len,
						      r->last_ns);
}

/* The known ranges of the plaintext of an incomplete record, as offsets. */
struct known_ranges {
	size_t len; /* length of the content */
	size_t head; /* [0, head) is known */
	size_t tail; /* [tail, len) is known */
};

/*
 * TLS 1.3: true if the record certainly is application data. The last byte of the plaintext is the
 * type.
 */
static bool is_application_13(const struct tls_direction *d, const struct tls_record *r,
			      const struct known_ranges *known)
{
	uint8_t head[4];
	uint8_t type;

	if (d->has_padding)
		return false;
	if (known->tail <= known->len) {
		tls_cipher_decrypt(&d->cipher, d->number, r->body, known->len, 1, &type);
		return type == TLS_APPLICATION_DATA;
	}
	if (known->head < sizeof(head) || known->len < SHORT_CONTENT)
		return false;
	tls_cipher_decrypt(&d->cipher, d->number, r->body, 0, sizeof(head), head);
	return !may_be_handshake(head, known->len);
}

static bool find_known_ranges(const struct tls_stream *t, const struct tls_direction *d,
			      const struct tls_record *r, struct known_ranges *ret)
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
		tls_cipher_decrypt(&d->cipher, d->number, r->body, from, to - from,
				   t->env->plaintext);
	return (struct span){(const char *)t->env->plaintext, from < to ? to - from : 0};
}

void tls_content_incomplete(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct known_ranges known;
	size_t tail;

	if (!find_known_ranges(t, d, r, &known)) {
		tls_stream_fail(t, TLS_FAIL_GAP);
		return;
	}
	t->env->stats.records++;
	tail = known.tail < known.len ? known.tail : known.len;
	put_data(t, dir, decrypted(t, d, r, 0, known.head),
		 r->first_bytes ? r->first_ns : r->last_ns);
	if (tail > known.head)
		put_missing(t, dir, r, tail - known.head);
	put_data(t, dir, decrypted(t, d, r, tail, known.len), r->last_ns);
	tls_stream_count_record(t, dir, r);
}
