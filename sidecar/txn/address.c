/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1

#include "txn/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <uthash.h>

/* The longest domain name (RFC 1035 section 2.3.4). */
#define HOST_MAX 255

struct address {
	UT_hash_handle hh;
	char name[];
};

struct addresses {
	struct address *by_name;
	size_t cap;
};

struct addresses *addresses_new(size_t cap)
{
	struct addresses *a = calloc(1, sizeof(*a));

	if (a)
		a->cap = cap;
	return a;
}

void addresses_free(struct addresses *a)
{
	struct address *i;
	struct address *next;

	if (!a)
		return;
	HASH_ITER (hh, a->by_name, i, next) {
		HASH_DEL(a->by_name, i);
		free(i);
	}
	free(a);
}

/* The host of `uri-host [ ":" port ]` (RFC 9110 section 7.2), in lower case. Its length, 0 if none.
 */
static size_t host_name(struct span host, char *name)
{
	const char *end;
	size_t n;

	if (host.len && host.ptr[0] == '[') {
		end = memchr(host.ptr, ']', host.len);
		host = end ? (struct span){host.ptr + 1, (size_t)(end - host.ptr) - 1}
			   : (struct span){NULL, 0};
	} else if (host.len) {
		end = memchr(host.ptr, ':', host.len);
		if (end)
			host.len = (size_t)(end - host.ptr);
	}
	if (host.len > HOST_MAX)
		return 0;
	for (n = 0; n < host.len; n++) {
		unsigned char c = (unsigned char)host.ptr[n];

		/* What can stand in a name or an address; anything else was not meant as one. */
		if (!isalnum(c) && c != '.' && c != '-' && c != '_' && c != ':')
			return 0;
		name[n] = (char)tolower(c);
	}
	name[n] = '\0';
	return n;
}

const char *addresses_find(struct addresses *a, struct span host, const struct endpoint *peer)
{
	char name[HOST_MAX + 1];
	size_t len = host_name(host, name);
	struct address *found;

	if (len == 0) {
		if (!peer->family || !inet_ntop(peer->family == 4 ? AF_INET : AF_INET6, peer->addr,
						name, sizeof(name)))
			return "";
		len = strlen(name);
	}
	HASH_FIND(hh, a->by_name, name, len, found);
	if (found)
		return found->name;
	if (HASH_COUNT(a->by_name) >= a->cap)
		return ADDRESS_OTHER;
	found = calloc(1, sizeof(*found) + len + 1);
	if (!found)
		return ADDRESS_OTHER;
	memcpy(found->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, a->by_name, found->name, len, found);
	if (!found->hh.tbl) {
		free(found);
		return ADDRESS_OTHER;
	}
	return found->name;
}
