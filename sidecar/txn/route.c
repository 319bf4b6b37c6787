/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

#include "txn/route_path.h"
#include "txn/route_pattern.h"

#define PATTERNS_MAX 256

/*
 * The maximum number of different templates in the life of a process: metrics keep their names for
 * good.
 */
#define PATTERN_NAMES_MAX 4096

/*
 * A cache of targets and their routes, by hash, 128 bytes each. The paths of a service are few, or
 * full of identifiers; in the second case a small cache is as good as a large one.
 */
#define CACHE_SLOTS 256

struct slot {
	uint64_t hash;
	const char *route; /* NULL: the entry is free */
	uint16_t len;
	uint8_t role;
	char target[109];
};

_Static_assert(sizeof(struct slot) == 128, "two cache lines");

static const char authority[] = ROUTE_AUTHORITY;
static const char invalid[] = ROUTE_INVALID;
static const char asterisk[] = "*";

/* The user's templates, in order. */
struct patterns {
	size_t count;
	struct pattern {
		struct route_pattern pattern;
		const char *name;
	} * list;
};

struct routes {
	uint64_t seed;
	struct label_values *names; /* borrowed */
	struct patterns patterns;
	size_t pattern_names;
	struct slot cache[CACHE_SLOTS];
};

static const char *add_pattern(struct routes *r, struct patterns *patterns, struct span text)
{
	struct pattern *p = &patterns->list[patterns->count];
	const char *error = route_pattern_parse(&p->pattern, text);
	bool is_new;

	if (error)
		return error;
	if (r->pattern_names >= PATTERN_NAMES_MAX)
		return "too many different route templates since the start";
	p->name = label_values_keep(r->names, text, &is_new);
	if (!p->name)
		return "no memory for route templates";
	r->pattern_names += is_new;
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
			span_trim((struct span){at, comma ? (size_t)(comma - at) : strlen(at)}));
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
		label_values_pin(r->patterns.list[i].name, false);
	for (size_t i = 0; i < next.count; i++)
		label_values_pin(next.list[i].name, true);
	free(r->patterns.list);
	r->patterns = next;
	memset(r->cache, 0, sizeof(r->cache));
	return NULL;
}

struct routes *routes_new(struct label_values *names, const char *templates, const char **ret_error)
{
	struct routes *r = calloc(1, sizeof(*r));
	const char *error;

	if (!r) {
		*ret_error = "no memory for routes";
		return NULL;
	}
	r->names = names;
	/* Without a random seed, peers can cause cache misses, which cost time only. */
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
	if (!r)
		return;
	free(r->patterns.list);
	free(r);
}

/* The state of one lookup. */
struct query {
	enum role role;
	struct memory_account *memory;
	bool *ret_is_candidate;
};

static const char *resolve(struct routes *r, const struct query *q, struct span path)
{
	char buf[ROUTE_PATH_MAX];
	struct span name = {buf, 0};

	if (r->patterns.count > 0)
		name.len = route_path_normal(path, buf, sizeof(buf));
	for (size_t i = 0; i < r->patterns.count; i++) {
		if (route_pattern_matches(&r->patterns.list[i].pattern, name))
			return r->patterns.list[i].name;
	}
	name.len = route_template(path, buf, sizeof(buf));
	return label_values_find(r->names, q->role, name, q->memory, q->ret_is_candidate);
}

/* Returns a cached route, and counts it if it is beyond the cap. */
static const char *cached_route(struct routes *r, const char *route)
{
	if (route == label_other)
		label_values_count_overflow(r->names);
	return route;
}

/* The cache entry of s. */
static struct slot *slot_of(struct routes *r, enum role role, struct span s, uint64_t *ret_hash)
{
	uint64_t hash = hash_bytes(s.ptr, s.len, r->seed + role);

	*ret_hash = hash;
	return &r->cache[hash % CACHE_SLOTS];
}

static bool is_in(const struct slot *slot, uint64_t hash, enum role role, struct span s)
{
	return slot->hash == hash && slot->len == s.len && slot->role == role && slot->route &&
	       memcmp(slot->target, s.ptr, s.len) == 0;
}

/* A candidate is not cached: each request has to be a holder. */
static bool is_final(const struct routes *r, const struct query *q, const char *route)
{
	return route == label_other ? label_values_are_full(r->names, q->role)
				    : !*q->ret_is_candidate;
}

const char *routes_find(struct routes *r, enum role role, struct span target,
			struct memory_account *memory, bool *ret_is_candidate)
{
	const struct query q = {role, memory, ret_is_candidate};
	struct slot *slot = NULL;
	const char *route;
	uint64_t hash = 0;
	struct span path;

	*ret_is_candidate = false;
	/* A target without a query, as most are, is used as it is. */
	if (target.len <= sizeof(slot->target)) {
		slot = slot_of(r, role, target, &hash);
		if (is_in(slot, hash, role, target))
			return cached_route(r, slot->route);
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
		slot = slot_of(r, role, path, &hash);
		if (is_in(slot, hash, role, path))
			return cached_route(r, slot->route);
	}
	route = resolve(r, &q, path);
	if (path.len > sizeof(slot->target) || !is_final(r, &q, route))
		return route;
	*slot = (struct slot){
		.hash = hash, .len = (uint16_t)path.len, .role = (uint8_t)role, .route = route};
	memcpy(slot->target, path.ptr, path.len);
	return route;
}
