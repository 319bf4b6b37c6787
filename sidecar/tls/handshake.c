/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/handshake.h"

#include <string.h>

#include "tls/hello.h"

static uint32_t message_len(const struct tls_handshake *h)
{
	return (uint32_t)h->header[1] << 16 | (uint32_t)h->header[2] << 8 | h->header[3];
}

static bool is_read(const struct tls_handshake *h)
{
	return h->header[0] == TLS_CLIENT_HELLO || h->header[0] == TLS_SERVER_HELLO ||
	       h->header[0] == TLS_ENCRYPTED_EXTENSIONS ||
	       (h->header[0] == TLS_CERTIFICATE && h->wants_certificate &&
		message_len(h) <= TLS_HELLO_MAX);
}

static void take_header(struct tls_handshake *h, struct span *data)
{
	while (h->header_bytes < sizeof(h->header) && data->len > 0) {
		h->header[h->header_bytes++] = (uint8_t)data->ptr[0];
		*data = span_from(*data, 1);
	}
}

/* Buffers n bytes of a body that does not begin or does not end in this record. */
static bool keep(struct tls_handshake *h, const char *data, size_t n, struct memory_account *memory)
{
	if (!h->body)
		h->body = memory_alloc(memory, message_len(h));
	if (!h->body)
		return false;
	memcpy(h->body + h->body_bytes, data, n);
	return true;
}

bool tls_handshake_data(struct tls_handshake *h, struct span data, struct memory_account *memory,
			tls_message_fn fn, void *ctx)
{
	for (;;) {
		struct span body = {"", 0};
		uint32_t len;
		size_t n;
		bool goes_on;

		take_header(h, &data);
		if (h->header_bytes < sizeof(h->header))
			return true;
		len = message_len(h);
		if (is_read(h) && len > TLS_HELLO_MAX)
			return false;
		n = len - h->body_bytes < data.len ? len - h->body_bytes : data.len;
		if (is_read(h) && n < len) {
			if (n > 0 && !keep(h, data.ptr, n, memory))
				return false;
			body = (struct span){(const char *)h->body, len};
		} else if (is_read(h)) {
			body = (struct span){data.ptr, len};
		}
		h->body_bytes += (uint32_t)n;
		data = span_from(data, n);
		if (h->body_bytes < len)
			return true;
		goes_on = fn(ctx, h->header[0], body);
		tls_handshake_release(h, memory);
		if (!goes_on)
			return false;
	}
}

void tls_handshake_release(struct tls_handshake *h, struct memory_account *memory)
{
	if (h->body)
		memory_free(memory, h->body);
	*h = (struct tls_handshake){.wants_certificate = h->wants_certificate};
}
