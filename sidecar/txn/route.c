/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

/* Entries are few whoever names them: no seed. */
#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)hash_bytes(key, len, 0))
#include <uthash.h>

#include "txn/route_path.h"
#include "txn/route_pattern.h"

#define PATTERNS_MAX 256

/* Names of templates are kept for good, because metrics have them: so many in a life. */
#define PATTERN_NAMES_MAX 4096
#define ROLES		  2

/*
 * Targets seen lately and their routes, by hash, 128 bytes each: a service's paths are few, or
 * full of identifiers, and then one in the cache more or less makes no difference.
 */
#define CACHE_SLOTS 256

struct slot {
	uint64_t hash;
	const char *route; /* NULL: free */
	uint16_t len;
	uint8_t role;
	char target[109];
};

_Static_assert(sizeof(struct slot) == 128, "two cache lines");

static const char other[] = ROUTE_OTHER;
static const char authority[] = ROUTE_AUTHORITY;
static const char invalid[] = ROUTE_INVALID;
static const char asterisk[] = "*";

/* An interned route. */
struct entry {
	UT_hash_handle hh;
	bool is_pattern; /* the user's: no cap */
	bool is_counted[ROLES]; /* against the cap of that role */
	char name[];
};

/* The user's, in their order. */
struct patterns {
	size_t count;
	struct pattern {
		struct route_pattern pattern;
		struct entry *entry;
	} * list;
};

struct routes {
	uint64_t seed;
	uint64_t overflowed;
	size_t cap;
	size_t count[ROLES];
	struct entry *entries;
	struct patterns patterns;
	size_t pattern_names;
	struct slot cache[CACHE_SLOTS];
};

/* The entry of that name, made if it is new; NULL if memory is short. */
static struct entry *intern(struct routes *r, struct span name)
{
	struct entry *e;

	HASH_FIND(hh, r->entries, name.ptr, name.len, e);
	if (e)
		return e;
	e = calloc(1, sizeof(*e) + name.len + 1);
	if (!e)
		return NULL;
	memcpy(e->name, name.ptr, name.len);
	HASH_ADD_KEYPTR(hh, r->entries, e->name, name.len, e);
	return e;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static const char *add_pattern(struct routes *r, struct patterns *patterns, struct span text)
{
	struct pattern *p = &patterns->list[patterns->count];
	const char *error = route_pattern_parse(&p->pattern, text);
	unsigned before = HASH_COUNT(r->entries);

	if (error)
		return error;
	if (r->pattern_names >= PATTERN_NAMES_MAX)
		return "too many different route templates since the start";
	p->entry = intern(r, text);
	if (!p->entry)
		return "no memory for route templates";
	r->pattern_names += HASH_COUNT(r->entries) - before;
	patterns->count++;
	return NULL;
}

static const char *add_patterns(struct routes *r, struct patterns *patterns, const char *templates)
{
	size_t n = 1;

	for (const char *c = templates; *c; c++)
		n += *c == ',';
	if (n > PATTERNS_MAX)
		return "more than 256 route templates";
	patterns->list = calloc(n, sizeof(*patterns->list));
	if (!patterns->list)
		return "no memory for route templates";
	for (const char *at = templates, *comma; at; at = comma ? comma + 1 : NULL) {
		const char *error;

		comma = strchr(at, ',');
		error = add_pattern(
			r, patterns,
			trim((struct span){at, comma ? (size_t)(comma - at) : strlen(at)}));
		if (error)
			return error;
	}
	return NULL;
}

const char *routes_set(struct routes *r, const char *templates)
{
	struct patterns next = {0};
	const char *error = templates && *templates ? add_patterns(r, &next, templates) : NULL;

	if (error) {
		free(next.list);
		return error;
	}
	for (size_t i = 0; i < r->patterns.count; i++)
		r->patterns.list[i].entry->is_pattern = false;
	for (size_t i = 0; i < next.count; i++)
		next.list[i].entry->is_pattern = true;
	free(r->patterns.list);
	r->patterns = next;
	memset(r->cache, 0, sizeof(r->cache));
	return NULL;
}

struct routes *routes_new(const char *templates, size_t cap, const char **ret_error)
{
	struct routes *r = calloc(1, sizeof(*r));
	const char *error;

	if (!r) {
		*ret_error = "no memory for routes";
		return NULL;
	}
	r->cap = cap;
	/* Without randomness the cache can be made to miss, which costs time only. */
	(void)!getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK);
	error = routes_set(r, templates);
	if (error) {
		*ret_error = error;
		routes_free(r);
		return NULL;
	}
	return r;
}

void routes_free(struct routes *r)
{
	struct entry *e;
	struct entry *next;

	if (!r)
		return;
	HASH_ITER (hh, r->entries, e, next) {
		HASH_DEL(r->entries, e);
		free(e);
	}
	free(r->patterns.list);
	free(r);
}

/* The automatic route of a path. */
static const char *automatic(struct routes *r, unsigned role, struct span path)
{
	char buf[ROUTE_PATH_MAX];
	struct span name = {buf, route_template(path, buf, sizeof(buf))};
	struct entry *e;

	HASH_FIND(hh, r->entries, name.ptr, name.len, e);
	if (e && (e->is_pattern || e->is_counted[role]))
		return e->name;
	if (r->count[role] >= r->cap)
		return other;
	e = intern(r, name);
	if (!e)
		return other;
	e->is_counted[role] = true;
	r->count[role]++;
	return e->name;
}

static const char *resolve(struct routes *r, unsigned role, struct span path)
{
	char buf[ROUTE_PATH_MAX];
	struct span normal = {buf, 0};

	if (r->patterns.count > 0)
		normal.len = route_path_normal(path, buf, sizeof(buf));
	for (size_t i = 0; i < r->patterns.count; i++) {
		if (route_pattern_matches(&r->patterns.list[i].pattern, normal))
			return r->patterns.list[i].entry->name;
	}
	return automatic(r, role, path);
}

static const char *answer(struct routes *r, const char *route)
{
	r->overflowed += route == other;
	return route;
}

/* Where s belongs in the cache. */
static struct slot *slot_of(struct routes *r, unsigned role, struct span s, uint64_t *ret_hash)
{
	uint64_t hash = hash_bytes(s.ptr, s.len, r->seed + role);

	*ret_hash = hash;
	return &r->cache[hash % CACHE_SLOTS];
}

static bool is_in(const struct slot *slot, uint64_t hash, unsigned role, struct span s)
{
	return slot->hash == hash && slot->len == s.len && slot->role == role && slot->route &&
	       memcmp(slot->target, s.ptr, s.len) == 0;
}

const char *routes_find(struct routes *r, enum role role, struct span target)
{
	unsigned which = role == ROLE_CLIENT;
	struct slot *slot = NULL;
	uint64_t hash = 0;
	struct span path;

	/* A target without a query, as most have none, needs no look inside. */
	if (target.len <= sizeof(slot->target)) {
		slot = slot_of(r, which, target, &hash);
		if (is_in(slot, hash, which, target))
			return answer(r, slot->route);
	}
	switch (route_path_of(target, &path)) {
	case ROUTE_FORM_PATH:
		break;
	case ROUTE_FORM_ASTERISK:
		return asterisk;
	case ROUTE_FORM_AUTHORITY:
		return authority;
	default:
		return invalid;
	}
	if (path.len < target.len && path.len <= sizeof(slot->target)) {
		slot = slot_of(r, which, path, &hash);
		if (is_in(slot, hash, which, path))
			return answer(r, slot->route);
	}
	if (path.len > sizeof(slot->target))
		return answer(r, resolve(r, which, path));
	*slot = (struct slot){.hash = hash, .len = (uint16_t)path.len, .role = (uint8_t)which};
	memcpy(slot->target, path.ptr, path.len);
	slot->route = resolve(r, which, path);
	return answer(r, slot->route);
}

uint64_t routes_overflowed(const struct routes *r)
{
	return r->overflowed;
}
