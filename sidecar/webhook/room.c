/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/room.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

uint64_t room_key(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	const uint64_t mapped = 0xffffull << 32; /* as in ::ffff:0:0/96 */
	uint64_t prefix;
	uint32_t host;

	if (address->sa_family == AF_INET)
		return mapped | v4->sin_addr.s_addr;
	if (address->sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(&host, &v6->sin6_addr.s6_addr[12], sizeof(host));
		return mapped | host;
	}
	memcpy(&prefix, v6->sin6_addr.s6_addr, sizeof(prefix));
	return prefix;
}

int room_init(struct room *r, unsigned capacity)
{
	*r = (struct room){.capacity = capacity};
	r->sources = calloc(capacity, sizeof(*r->sources));
	return r->sources ? 0 : -ENOMEM;
}

void room_release(struct room *r)
{
	free(r->sources);
	*r = (struct room){0};
}

/* The source of the key, or a free one for it; there is one as long as the room is not full. */
static struct room_source *source_for(struct room *r, uint64_t key)
{
	struct room_source *unused = NULL;

	for (unsigned i = 0; i < r->used; i++) {
		if (r->sources[i].count == 0)
			unused = unused ? unused : &r->sources[i];
		else if (r->sources[i].key == key)
			return &r->sources[i];
	}
	if (!unused)
		unused = &r->sources[r->used++];
	unused->key = key;
	return unused;
}

static void append(struct room *r, struct room_source *s, struct room_member *m)
{
	*m = (struct room_member){.older = s->newest, .source = s, .entered = ++r->entered};
	if (s->newest)
		s->newest->newer = m;
	else
		s->oldest = m;
	s->newest = m;
}

static void unlink_member(struct room_source *s, struct room_member *m)
{
	if (m->older)
		m->older->newer = m->newer;
	else
		s->oldest = m->newer;
	if (m->newer)
		m->newer->older = m->older;
	else
		s->newest = m->older;
}

void room_enter(struct room *r, struct room_member *m, uint64_t key)
{
	struct room_source *s = source_for(r, key);

	append(r, s, m);
	s->count++;
	r->count++;
}

void room_leave(struct room *r, struct room_member *m)
{
	unlink_member(m->source, m);
	m->source->count--;
	r->count--;
	m->source = NULL;
	while (r->used > 0 && r->sources[r->used - 1].count == 0)
		r->used--;
}

void room_touch(struct room *r, struct room_member *m)
{
	struct room_source *s = m->source;

	unlink_member(s, m);
	append(r, s, m);
}

static const struct room_source *find(const struct room *r, uint64_t key)
{
	for (unsigned i = 0; i < r->used; i++)
		if (r->sources[i].count > 0 && r->sources[i].key == key)
			return &r->sources[i];
	return NULL;
}

struct room_member *room_oldest_of(const struct room *r, uint64_t key)
{
	const struct room_source *s = find(r, key);

	return s ? s->oldest : NULL;
}

unsigned room_count_of(const struct room *r, uint64_t key)
{
	const struct room_source *s = find(r, key);

	return s ? s->count : 0;
}

struct room_source *room_largest(const struct room *r)
{
	struct room_source *largest = NULL;

	for (unsigned i = 0; i < r->used; i++) {
		struct room_source *s = &r->sources[i];

		if (s->count == 0)
			continue;
		if (!largest || s->count > largest->count ||
		    (s->count == largest->count && s->oldest->entered < largest->oldest->entered))
			largest = s;
	}
	return largest;
}

struct room_member *room_next(struct room *r)
{
	for (unsigned i = 0; i < r->used; i++) {
		struct room_source *s = &r->sources[(r->next_source + i) % r->used];

		if (s->count == 0)
			continue;
		r->next_source = (unsigned)(s - r->sources) + 1;
		return s->oldest;
	}
	return NULL;
}
