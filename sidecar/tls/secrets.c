/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/secrets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct tls_secrets {
	struct tls_session_secrets *by_random;
	struct tls_session_secrets *newest;
	size_t cap;
	uint64_t dropped;
};

struct tls_secrets *tls_secrets_new(size_t session_cap)
{
	struct tls_secrets *s = calloc(1, sizeof(*s));

	if (s)
		s->cap = session_cap;
	return s;
}

void tls_secrets_free(struct tls_secrets *s)
{
	struct tls_session_secrets *e;
	struct tls_session_secrets *next;

	if (!s)
		return;
	HASH_ITER (hh, s->by_random, e, next) {
		HASH_DEL(s->by_random, e);
		explicit_bzero(e, sizeof(*e));
		free(e);
	}
	free(s);
}

static struct tls_session_secrets *find(const struct tls_secrets *s, const uint8_t *client_random)
{
	struct tls_session_secrets *e;

	HASH_FIND(hh, s->by_random, client_random, TLS_RANDOM_BYTES, e);
	return e;
}

static struct tls_session_secrets *add_session(struct tls_secrets *s, const uint8_t *client_random)
{
	struct tls_session_secrets *e;

	if (HASH_COUNT(s->by_random) >= s->cap)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memcpy(e->client_random, client_random, TLS_RANDOM_BYTES);
	HASH_ADD(hh, s->by_random, client_random, TLS_RANDOM_BYTES, e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	e->older = s->newest;
	s->newest = e;
	return e;
}

bool tls_secrets_add(struct tls_secrets *s, const uint8_t *client_random, enum tls_secret kind,
		     struct span value)
{
	struct tls_session_secrets *e = find(s, client_random);

	assert(value.len > 0 && value.len <= TLS_MASTER_BYTES);
	if (!e)
		e = add_session(s, client_random);
	if (!e) {
		s->dropped++;
		return false;
	}
	e->len[kind] = (uint8_t)value.len;
	memcpy(e->value[kind], value.ptr, value.len);
	return true;
}

const struct tls_session_secrets *tls_secrets_find(const struct tls_secrets *s,
						   const uint8_t *client_random)
{
	return find(s, client_random);
}

const struct tls_session_secrets *tls_secrets_newest(const struct tls_secrets *s)
{
	return s->newest;
}

size_t tls_secrets_sessions(const struct tls_secrets *s)
{
	return HASH_COUNT(s->by_random);
}

uint64_t tls_secrets_dropped(const struct tls_secrets *s)
{
	return s->dropped;
}
