/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hello.h"

#include <string.h>

/* IANA, "TLS ExtensionType Values" */
enum {
	EXT_ALPN = 16,
	EXT_ENCRYPT_THEN_MAC = 22,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_ECH = 0xfe0d,
};

/* SHA-256 of "HelloRetryRequest", RFC 8446 section 4.1.3. */
static const uint8_t retry_random[TLS_RANDOM_BYTES] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* Removes a number of `size` bytes from the front. Returns false if s is too short. */
static bool take_number(struct span *s, size_t size, uint32_t *ret)
{
	uint32_t n = 0;

	if (s->len < size)
		return false;
	for (size_t i = 0; i < size; i++)
		n = n << 8 | (uint8_t)s->ptr[i];
	*s = span_from(*s, size);
	*ret = n;
	return true;
}

/* Removes len bytes from the front. ret may be s: then the rest is dropped. */
static bool take_bytes(struct span *s, size_t len, struct span *ret)
{
	struct span taken = {s->ptr, len};

	if (s->len < len)
		return false;
	*s = span_from(*s, len);
	*ret = taken;
	return true;
}

/* Removes a vector that is preceded by its length in `size` bytes. */
static bool take_vector(struct span *s, size_t size, struct span *ret)
{
	uint32_t len;

	return take_number(s, size, &len) && take_bytes(s, len, ret);
}

/*
 * Removes the next extension. Returns false at the end, or, with *s not empty, if it is malformed.
 */
static bool take_extension(struct span *s, uint32_t *ret_type, struct span *ret)
{
	struct span rest = *s;

	if (!take_number(&rest, 2, ret_type) || !take_vector(&rest, 2, ret))
		return false;
	*s = rest;
	return true;
}

static enum tls_alpn find_alpn(struct span extension)
{
	struct span list;
	struct span name;

	if (!take_vector(&extension, 2, &list) || !take_vector(&list, 1, &name))
		return TLS_ALPN_NONE;
	/* gRPC's C core (C++, Python) has a name of its own for it, and prefers that. */
	if (span_is(name, "h2") || span_is(name, "grpc-exp"))
		return TLS_ALPN_HTTP_2;
	return span_is(name, "http/1.1") || span_is(name, "http/1.0") ? TLS_ALPN_HTTP_1
								      : TLS_ALPN_OTHER;
}

bool tls_client_hello_parse(struct span body, struct tls_client_hello *ret)
{
	struct tls_client_hello hello = {0};
	struct span random;
	struct span ignored;
	struct span extension;
	uint32_t version;
	uint32_t type;

	if (!take_number(&body, 2, &version) || !take_bytes(&body, TLS_RANDOM_BYTES, &random) ||
	    !take_vector(&body, 1, &ignored) || /* session id */
	    !take_vector(&body, 2, &ignored) || /* cipher suites */
	    !take_vector(&body, 1, &ignored)) /* compression methods */
		return false;
	memcpy(hello.random, random.ptr, TLS_RANDOM_BYTES);
	if (body.len > 0 && !take_vector(&body, 2, &body))
		return false;
	while (take_extension(&body, &type, &extension)) {
		hello.has_early_data |= type == EXT_EARLY_DATA;
		hello.has_ech |= type == EXT_ECH;
	}
	*ret = hello;
	return body.len == 0;
}

bool tls_server_hello_parse(struct span body, struct tls_server_hello *ret)
{
	struct tls_server_hello hello = {0};
	struct span random;
	struct span ignored;
	struct span extension;
	uint32_t version;
	uint32_t number;

	if (!take_number(&body, 2, &version) || !take_bytes(&body, TLS_RANDOM_BYTES, &random) ||
	    !take_vector(&body, 1, &ignored)) /* session id */
		return false;
	memcpy(hello.random, random.ptr, TLS_RANDOM_BYTES);
	hello.is_retry = memcmp(hello.random, retry_random, TLS_RANDOM_BYTES) == 0;
	if (!take_number(&body, 2, &number))
		return false;
	hello.suite = (uint16_t)number;
	if (!take_number(&body, 1, &number)) /* compression method */
		return false;
	if (body.len > 0 && !take_vector(&body, 2, &body))
		return false;
	while (take_extension(&body, &number, &extension)) {
		if (number == EXT_SUPPORTED_VERSIONS && !take_number(&extension, 2, &version))
			return false;
		hello.encrypt_then_mac |= number == EXT_ENCRYPT_THEN_MAC;
		if (number == EXT_ALPN)
			hello.alpn = find_alpn(extension);
	}
	hello.version = (uint16_t)version;
	*ret = hello;
	return body.len == 0;
}

bool tls_encrypted_extensions_parse(struct span body, struct tls_encrypted_extensions *ret)
{
	struct tls_encrypted_extensions extensions = {0};
	struct span extension;
	uint32_t type;

	if (!take_vector(&body, 2, &body))
		return false;
	while (take_extension(&body, &type, &extension)) {
		extensions.has_early_data |= type == EXT_EARLY_DATA;
		if (type == EXT_ALPN)
			extensions.alpn = find_alpn(extension);
	}
	*ret = extensions;
	return body.len == 0;
}
