/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/rpc_method.h"

#include <string.h>

#define METHOD_MAX 255

static const char invalid[] = RPC_METHOD_INVALID;

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

const char *rpc_methods_find(struct label_values *methods, enum role role, struct span path,
			     struct memory_account *memory, bool *ret_is_candidate)
{
	const char *query = path.len ? memchr(path.ptr, '?', path.len) : NULL;

	*ret_is_candidate = false;
	/* A query is not part of the name, and may contain secrets. */
	path.len = query ? (size_t)(query - path.ptr) : path.len;
	if (!is_method(path))
		return invalid;
	return label_values_find(methods, role, span_from(path, 1), memory, ret_is_candidate);
}
