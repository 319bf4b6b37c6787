/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

/* The longest domain name (RFC 1035 section 2.3.4). */
#define HOST_MAX   255
#define PORT_BYTES 2

/*
 * Extracts the host of `uri-host [ ":" port ]` (RFC 9110 section 7.2) in lower case. Returns its
 * length, 0 if there is none.
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

		/* Characters of names and addresses; other values are not hosts. */
		if (!isalnum(c) && c != '.' && c != '-' && c != '_' && c != ':')
			return 0;
		name[n] = (char)tolower(c);
	}
	name[n] = '\0';
	return n;
}

const char *addresses_find(struct label_values *addresses, struct span host,
			   const struct endpoint *peer, struct memory_account *memory,
			   bool *ret_is_candidate)
{
	char name[HOST_MAX + 1 + PORT_BYTES];
	size_t len = host_name(host, name);

	*ret_is_candidate = false;
	if (len == 0) {
		if (!peer->family ||
		    !inet_ntop(peer->family == 4 ? AF_INET : AF_INET6, peer->addr, name, HOST_MAX))
			return "";
		len = strlen(name);
	}
	/* The port follows the end of the string, where only the table sees it. */
	name[len + 1] = (char)(peer->port >> 8);
	name[len + 2] = (char)peer->port;
	return label_values_find(addresses, ROLE_CLIENT, (struct span){name, len + 1 + PORT_BYTES},
				 memory, ret_is_candidate);
}
