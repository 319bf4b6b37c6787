/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/method.h"

#include <string.h>

static const char other[] = METHOD_OTHER;

const char *method_known(struct span method)
{
	const char *known = other;

	/* Lengths nearly tell them apart; memcmp() of a constant length is one comparison. */
	switch (method.len) {
	case 3:
		known = method.ptr[0] == 'G' ? "GET" : "PUT";
		break;
	case 4:
		known = method.ptr[0] == 'P' ? "POST" : "HEAD";
		break;
	case 5:
		if (method.ptr[0] == 'P')
			known = "PATCH";
		else
			known = method.ptr[0] == 'T' ? "TRACE" : "QUERY";
		break;
	case 6:
		known = "DELETE";
		break;
	case 7:
		known = method.ptr[0] == 'O' ? "OPTIONS" : "CONNECT";
		break;
	default:
		return other;
	}
	return memcmp(method.ptr, known, method.len) == 0 ? known : other;
}
