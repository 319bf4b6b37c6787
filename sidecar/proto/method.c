/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/method.h"

#include <string.h>

static const char other[] = METHOD_OTHER;

/* The compiler turns the constant lengths into one or two comparisons of words. */
static inline const char *name_if(struct span method, const char *name, size_t len)
{
	return memcmp(method.ptr, name, len) == 0 ? name : other;
}

const char *method_known(struct span method)
{
	char first = method.len > 0 ? method.ptr[0] : '\0';

	switch (method.len) {
	case 3:
		return first == 'G' ? name_if(method, "GET", 3) : name_if(method, "PUT", 3);
	case 4:
		return first == 'P' ? name_if(method, "POST", 4) : name_if(method, "HEAD", 4);
	case 5:
		if (first == 'P')
			return name_if(method, "PATCH", 5);
		return first == 'T' ? name_if(method, "TRACE", 5) : name_if(method, "QUERY", 5);
	case 6:
		return name_if(method, "DELETE", 6);
	case 7:
		return first == 'O' ? name_if(method, "OPTIONS", 7) : name_if(method, "CONNECT", 7);
	default:
		return other;
	}
}
