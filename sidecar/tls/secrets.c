/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/secrets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct tls_secrets {
	struct tls_session_secrets *by_random;
	struct tls_session_secrets *newest;
	struct tls_session_secrets *oldest;
	size_t cap;
	uint64_t dropped;
	uint64_t now_ns;
	uint64_t replaced; /* nameless sessions whose pointer was used again */
	uint64_t turn; /* the highest one, */
	uint64_t nameless_turn; /* and that of nameless sessions */
	bool has_used; /* some sessions wait for tls_secrets_end_used() */
	/* Of a live table: */
	struct tls_session_secrets *memory; /* owned: cap elements */
	size_t fresh; /* of them, the first that was never used */
	struct tls_session_secrets *free; /* those that were, linked by older */
};

struct tls_secrets *tls_secrets_new(size_t session_cap)
{
	struct tls_secrets *s = calloc(1, sizeof(*s));

	if (s)
		s->cap = session_cap;
	return s;
}

struct tls_secrets *tls_secrets_new_live(size_t session_cap)
{
	struct tls_secrets *s = tls_secrets_new(session_cap);
	size_t bytes = session_cap * sizeof(*s->memory);
	void *memory;

	if (!s)
		return NULL;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(s);
		return NULL;
	}
	(void)madvise(memory, bytes, MADV_DONTDUMP); /* since 3.4: cannot fail */
	/* Pages are locked with their first use. A container's limit may forbid it; there swap is
	 * off. */
	(void)mlock2(memory, bytes, MLOCK_ONFAULT);
	s->memory = memory;
	return s;
}

static void remove_session(struct tls_secrets *s, struct tls_session_secrets *e)
{
	if (e->hh.tbl) /* else there was no memory to file it under another name */
		HASH_DEL(s->by_random, e);
	*(e->newer ? &e->newer->older : &s->newest) = e->older;
	*(e->older ? &e->older->newer : &s->oldest) = e->newer;
	explicit_bzero(e, sizeof(*e));
	if (s->memory) {
		e->older = s->free;
		s->free = e;
	} else {
		free(e);
	}
}

void tls_secrets_free(struct tls_secrets *s)
{
	if (!s)
		return;
	while (s->newest)
		remove_session(s, s->newest);
	if (s->memory)
		(void)munmap(s->memory, s->cap * sizeof(*s->memory)); /* it is mapped */
	free(s);
}

static struct tls_session_secrets *find(const struct tls_secrets *s, const uint8_t *client_random)
{
	struct tls_session_secrets *e;

	HASH_FIND(hh, s->by_random, client_random, TLS_RANDOM_BYTES, e);
	return e;
}

/* Of a live table that is full: without the oldest session that nobody uses. */
static void make_room(struct tls_secrets *s)
{
	struct tls_session_secrets *e = s->oldest;

	while (e && e->users)
		e = e->newer;
	if (e) {
		s->dropped += !e->is_used;
		remove_session(s, e);
	}
}

static struct tls_session_secrets *alloc_session(struct tls_secrets *s)
{
	struct tls_session_secrets *e;

	if (!s->memory)
		return HASH_COUNT(s->by_random) < s->cap ? calloc(1, sizeof(*e)) : NULL;
	if (!s->free && s->fresh < s->cap)
		return &s->memory[s->fresh++];
	if (!s->free)
		make_room(s);
	e = s->free;
	if (e) {
		s->free = e->older;
		e->older = NULL;
	}
	return e;
}

static struct tls_session_secrets *add_session(struct tls_secrets *s, const uint8_t *client_random)
{
	struct tls_session_secrets *e = alloc_session(s);

	if (!e)
		return NULL;
	memcpy(e->client_random, client_random, TLS_RANDOM_BYTES);
	e->added_ns = s->now_ns;
	e->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = e;
	s->newest = e;
	HASH_ADD(hh, s->by_random, client_random, TLS_RANDOM_BYTES, e);
	if (e->hh.tbl)
		return e;
	s->newest = e->older;
	*(s->newest ? &s->newest->newer : &s->oldest) = NULL;
	e->older = s->free;
	if (s->memory)
		s->free = e;
	else
		free(e);
	return NULL;
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
	if (kind == TLS_SECRET_MASTER || kind == TLS_SECRET_SERVER_HANDSHAKE)
		e->turn = ++s->turn;
	return true;
}

#define BIT(kind) ((uint8_t)(1u << (kind)))
#define TRAFFIC	  (BIT(TLS_SECRET_CLIENT_TRAFFIC) | BIT(TLS_SECRET_SERVER_TRAFFIC))
#define ALL_OF_13 (TRAFFIC | BIT(TLS_SECRET_CLIENT_HANDSHAKE) | BIT(TLS_SECRET_SERVER_HANDSHAKE))

/* Is this secret the first one of another session than e, which has its pointer? */
static bool begins_session(const struct tls_session_secrets *e, enum tls_secret kind,
			   struct span value)
{
	if (e->seen & BIT(kind))
		return e->len[kind] != value.len ||
		       memcmp(e->value[kind], value.ptr, value.len) != 0;
	if (kind == TLS_SECRET_MASTER || e->seen & BIT(TLS_SECRET_MASTER))
		return true;
	return kind == TLS_SECRET_SERVER_HANDSHAKE && e->seen & TRAFFIC;
}

/* Will no more of its secrets come? */
static bool is_complete(const struct tls_session_secrets *e)
{
	return e->seen & BIT(TLS_SECRET_MASTER) || (e->seen & ALL_OF_13) == ALL_OF_13;
}

/* The pointer of the session is used again: what was known by it has another name from now on. */
static void rename_session(struct tls_secrets *s, struct tls_session_secrets *e)
{
	uint64_t number = ++s->replaced;

	e->is_replaced = true;
	HASH_DEL(s->by_random, e);
	memcpy(e->client_random, &number, sizeof(number));
	HASH_ADD(hh, s->by_random, client_random, TLS_RANDOM_BYTES, e);
}

bool tls_secrets_add_nameless(struct tls_secrets *s, uint64_t process, uint64_t object,
			      enum tls_secret kind, struct span value)
{
	uint8_t name[TLS_RANDOM_BYTES] = {0};
	struct tls_session_secrets *e;
	bool is_kept;

	memcpy(name + 8, &process, sizeof(process));
	memcpy(name + 16, &object, sizeof(object));
	e = find(s, name);
	if (e && begins_session(e, kind, value)) {
		if (e->has_ended)
			remove_session(s, e);
		else
			rename_session(s, e); /* its records may come later than its secrets */
		e = NULL;
	}
	if (e && e->has_ended) {
		e->seen |= BIT(kind);
		return true;
	}
	is_kept = tls_secrets_add(s, name, kind, value);
	e = find(s, name);
	if (e) {
		e->is_nameless = true;
		e->seen |= BIT(kind);
		if (e->turn > s->nameless_turn)
			s->nameless_turn = e->turn;
	}
	return is_kept;
}

void tls_secrets_hold(struct tls_session_secrets *e)
{
	if (e)
		e->users++;
}

/* Nobody needs it. It is gone, or keeps its name alone. */
static void end_session(struct tls_secrets *s, struct tls_session_secrets *e)
{
	if (!e->is_nameless || e->is_replaced || is_complete(e)) {
		remove_session(s, e);
		return;
	}
	explicit_bzero(e->value, sizeof(e->value));
	memset(e->len, 0, sizeof(e->len));
	e->has_ended = true;
	e->is_used = false;
}

void tls_secrets_release(struct tls_secrets *s, struct tls_session_secrets *e)
{
	if (e && --e->users == 0 && s->memory)
		end_session(s, e);
}

void tls_secrets_release_used(struct tls_secrets *s, struct tls_session_secrets *e)
{
	if (e && --e->users == 0 && s->memory)
		e->is_used = s->has_used = true;
}

void tls_secrets_end_used(struct tls_secrets *s)
{
	struct tls_session_secrets *e = s->has_used ? s->newest : NULL;

	s->has_used = false;
	while (e) {
		struct tls_session_secrets *older = e->older;

		if (e->is_used && !e->users) /* else its user ends it */
			end_session(s, e);
		e = older;
	}
}

void tls_secrets_expire(struct tls_secrets *s, uint64_t now_ns, uint64_t before_ns)
{
	struct tls_session_secrets *e = s->oldest;

	s->now_ns = now_ns;
	while (e && e->added_ns < before_ns) {
		struct tls_session_secrets *next = e->newer;

		if (!e->users)
			remove_session(s, e);
		e = next;
	}
}

struct tls_session_secrets *tls_secrets_find(const struct tls_secrets *s,
					     const uint8_t *client_random)
{
	return find(s, client_random);
}

struct tls_session_secrets *tls_secrets_newest(const struct tls_secrets *s)
{
	return s->newest;
}

uint64_t tls_secrets_turn(const struct tls_secrets *s, bool has_ech)
{
	return has_ech ? s->turn : s->nameless_turn;
}

size_t tls_secrets_sessions(const struct tls_secrets *s)
{
	return HASH_COUNT(s->by_random);
}

uint64_t tls_secrets_dropped(const struct tls_secrets *s)
{
	return s->dropped;
}
