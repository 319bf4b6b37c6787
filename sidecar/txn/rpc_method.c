/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1

#include "txn/rpc_method.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"

/* Names come from the wire. */
static uint64_t seed;
#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)hash_bytes(key, len, seed))
#include <uthash.h>

#define ROLES	   2
#define METHOD_MAX 255

static const char other[] = RPC_METHOD_OTHER;
static const char invalid[] = RPC_METHOD_INVALID;

struct entry {
	UT_hash_handle hh;
	bool is_counted[ROLES]; /* against the cap of that role */
	char name[];
};

struct rpc_methods {
	struct entry *entries;
	size_t cap;
	size_t count[ROLES];
	uint64_t overflowed;
};

struct rpc_methods *rpc_methods_new(size_t cap)
{
	struct rpc_methods *m = calloc(1, sizeof(*m));

	/* Without randomness a stranger can make look-ups slow, which the cap bounds. */
	if (!seed)
		(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	if (m)
		m->cap = cap;
	return m;
}

void rpc_methods_free(struct rpc_methods *m)
{
	struct entry *e;
	struct entry *next;

	if (!m)
		return;
	HASH_ITER (hh, m->entries, e, next) {
		HASH_DEL(m->entries, e);
		free(e);
	}
	free(m);
}

/* "/" Service-Name "/" {method name} of visible characters. */
static bool is_method(struct span path)
{
	const char *slash;

	if (path.len < 4 || path.len > METHOD_MAX || path.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] <= ' ' || path.ptr[i] > '~')
			return false;
	slash = memchr(path.ptr + 1, '/', path.len - 1);
	return slash && slash > path.ptr + 1 && slash < path.ptr + path.len - 1;
}

static struct entry *add(struct rpc_methods *m, struct span name)
{
	struct entry *e = calloc(1, sizeof(*e) + name.len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name.ptr, name.len);
	HASH_ADD_KEYPTR(hh, m->entries, e->name, name.len, e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

const char *rpc_methods_find(struct rpc_methods *m, enum role role, struct span path)
{
	unsigned which = role == ROLE_CLIENT;
	struct span name;
	struct entry *e;

	if (!is_method(path))
		return invalid;
	name = span_from(path, 1);
	HASH_FIND(hh, m->entries, name.ptr, name.len, e);
	if (!e || !e->is_counted[which]) {
		if (m->count[which] < m->cap && !e)
			e = add(m, name);
		if (m->count[which] >= m->cap || !e) {
			m->overflowed++;
			return other;
		}
		e->is_counted[which] = true;
		m->count[which]++;
	}
	return e->name;
}

bool rpc_method_is_other(const char *method)
{
	return method == other;
}

uint64_t rpc_methods_overflowed(const struct rpc_methods *m)
{
	return m->overflowed;
}
