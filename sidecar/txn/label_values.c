/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1

#include "txn/label_values.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "proto/grpc.h"

/* Values come from peers: the hash is seeded. */
static uint64_t seed;
#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)hash_bytes(key, len, seed))
#include <uthash.h>

#define ROLES 2

/* The maximum number of candidates without an exchange, which are stored in case they recur. */
#define IDLE_MAX 256u

/* Exchanges that admit a value, by how full the table is: see the header. */
#define SERVED_TIMES  4u
#define REFUSED_TIMES 8u

const char label_other[] = LABEL_OTHER;

struct value {
	UT_hash_handle hh;
	struct value *newer; /* in the list of idle candidates */
	struct value *older;
	uint32_t holders; /* exchanges that refer to it */
	bool is_idle; /* is in the list of idle candidates */
	bool is_pinned;
	bool is_kept; /* metrics may refer to it: it is never freed */
	bool is_admitted[ROLES];
	uint8_t times[ROLES]; /* exchanges of the candidate that ended */
	char name[];
};

struct label_values {
	struct value *by_name;
	size_t cap;
	size_t count[ROLES]; /* admitted values */
	size_t weak[ROLES]; /* of those, admitted by another response than LABEL_SERVED */
	size_t refused[ROLES]; /* of those, admitted by LABEL_REFUSED */
	struct value *newest; /* of the idle candidates */
	struct value *oldest;
	size_t idle_count;
	uint64_t overflowed;
};

enum label_evidence label_evidence_of_http(uint16_t status)
{
	switch (status) {
	case 101:
	case 304:
		return LABEL_SERVED;
	case 404:
	case 405:
	case 410:
	case 414:
	case 421:
	case 501:
		return LABEL_REFUSED;
	default:
		return status >= 200 && status < 300 ? LABEL_SERVED : LABEL_NO_EVIDENCE;
	}
}

enum label_evidence label_evidence_of_grpc(uint16_t status)
{
	if (status == GRPC_OK)
		return LABEL_SERVED;
	return status == GRPC_UNIMPLEMENTED ? LABEL_REFUSED : LABEL_NO_EVIDENCE;
}

struct label_values *label_values_new(size_t cap)
{
	struct label_values *v = calloc(1, sizeof(*v));

	/* Without a random seed, peers can make lookups slow; the cap bounds that. */
	if (!seed)
		(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	if (v)
		v->cap = cap;
	return v;
}

void label_values_free(struct label_values *v)
{
	struct value *i;
	struct value *next;

	if (!v)
		return;
	HASH_ITER (hh, v->by_name, i, next) {
		HASH_DEL(v->by_name, i);
		free(i);
	}
	free(v);
}

static struct value *value_of(const char *name)
{
	return (struct value *)(name - offsetof(struct value, name));
}

static struct value *find(struct label_values *v, struct span name)
{
	struct value *found;

	HASH_FIND(hh, v->by_name, name.ptr, name.len, found);
	return found;
}

static void unlink_idle(struct label_values *v, struct value *value)
{
	if (!value->is_idle)
		return;
	*(value->newer ? &value->newer->older : &v->newest) = value->older;
	*(value->older ? &value->older->newer : &v->oldest) = value->newer;
	value->is_idle = false;
	v->idle_count--;
}

static void forget(struct label_values *v, struct value *value)
{
	unlink_idle(v, value);
	HASH_DEL(v->by_name, value);
	free(value);
}

/* Adds a candidate without exchanges to the idle list: it may recur. */
static void link_idle(struct label_values *v, struct value *value)
{
	value->is_idle = true;
	value->newer = NULL;
	value->older = v->newest;
	*(v->newest ? &v->newest->newer : &v->oldest) = value;
	v->newest = value;
	if (++v->idle_count > IDLE_MAX)
		forget(v, v->oldest);
}

static struct value *add(struct label_values *v, struct span name)
{
	struct value *value = calloc(1, sizeof(*value) + name.len + 1);

	if (!value)
		return NULL;
	memcpy(value->name, name.ptr, name.len);
	HASH_ADD_KEYPTR(hh, v->by_name, value->name, name.len, value);
	if (value->hh.tbl)
		return value;
	free(value);
	return NULL;
}

static size_t cost(const struct value *value)
{
	return sizeof(*value) + value->hh.keylen;
}

static const char *overflow(struct label_values *v)
{
	v->overflowed++;
	return label_other;
}

static void unhold(struct label_values *v, struct value *value)
{
	value->holders--;
	if (!value->holders && !value->is_kept)
		link_idle(v, value);
}

static void release(struct label_values *v, struct value *value, struct memory_account *memory)
{
	memory_credit(memory, cost(value));
	unhold(v, value);
}

const char *label_values_find(struct label_values *v, enum role role, struct span value,
			      struct memory_account *memory, bool *ret_is_candidate)
{
	unsigned which = role == ROLE_CLIENT;
	struct value *found = find(v, value);

	*ret_is_candidate = false;
	if (found && (found->is_pinned || found->is_admitted[which]))
		return found->name;
	if (v->count[which] >= v->cap)
		return overflow(v);
	if (!found)
		found = add(v, value);
	if (!found)
		return overflow(v);
	/*
	 * The reference comes first: charging memory may evict connections, and their candidates
	 * with them.
	 */
	unlink_idle(v, found);
	found->holders++;
	if (!memory_charge(memory, cost(found))) {
		unhold(v, found);
		return overflow(v);
	}
	*ret_is_candidate = true;
	return found->name;
}

static bool may_admit(const struct label_values *v, unsigned which, const struct value *value,
		      enum label_evidence evidence)
{
	if (v->count[which] >= v->cap)
		return false;
	if (evidence == LABEL_SERVED)
		return v->count[which] < v->cap - v->cap / 4 || value->times[which] >= SERVED_TIMES;
	if (v->weak[which] >= v->cap - v->cap / 2 || v->count[which] >= v->cap - v->cap / 4)
		return false;
	return evidence == LABEL_NO_EVIDENCE || v->refused[which] < (v->cap + 9) / 10 ||
	       value->times[which] >= REFUSED_TIMES;
}

const char *label_values_decide(struct label_values *v, enum role role, const char *candidate,
				struct memory_account *memory, enum label_evidence evidence)
{
	struct value *value = value_of(candidate);
	unsigned which = role == ROLE_CLIENT;

	if (value->is_admitted[which] || value->is_pinned) {
		release(v, value, memory);
		return candidate;
	}
	if (value->times[which] < UINT8_MAX)
		value->times[which]++;
	if (!may_admit(v, which, value, evidence)) {
		release(v, value, memory);
		return overflow(v);
	}
	value->is_kept = value->is_admitted[which] = true;
	v->count[which]++;
	v->weak[which] += evidence != LABEL_SERVED;
	v->refused[which] += evidence == LABEL_REFUSED;
	release(v, value, memory);
	return candidate;
}

void label_values_drop(struct label_values *v, const char *candidate, struct memory_account *memory)
{
	release(v, value_of(candidate), memory);
}

const char *label_values_keep(struct label_values *v, struct span value, bool *ret_is_new)
{
	struct value *found = find(v, value);

	*ret_is_new = !found || !found->is_kept;
	if (!found)
		found = add(v, value);
	if (!found)
		return NULL;
	unlink_idle(v, found);
	found->is_kept = true;
	return found->name;
}

void label_values_pin(const char *kept, bool is_pinned)
{
	value_of(kept)->is_pinned = is_pinned;
}

bool label_values_are_full(const struct label_values *v, enum role role)
{
	return v->count[role == ROLE_CLIENT] >= v->cap;
}

uint64_t label_values_overflowed(const struct label_values *v)
{
	return v->overflowed;
}

void label_values_count_overflow(struct label_values *v)
{
	v->overflowed++;
}
