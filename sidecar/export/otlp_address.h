/* SPDX-License-Identifier: Apache-2.0 */
/* Where to send metrics to by OTLP. */
#ifndef SIDELIGHT_EXPORT_OTLP_ADDRESS_H
#define SIDELIGHT_EXPORT_OTLP_ADDRESS_H

#include <stdbool.h>

#include "base/text.h"

struct otlp_address {
	struct text url;
	struct text shown; /* the same, fit to be logged: without a password */
};

/*
 * url is http:// or https://, without query and fragment. is_base: it is that of all signals, to
 * which `/v1/metrics` is appended. False: *ret_error says why, in static text. To be released in
 * either case.
 */
bool otlp_address_init(struct otlp_address *a, const char *url, bool is_base,
		       const char **ret_error);
/* Accepts a zeroed one. */
void otlp_address_release(struct otlp_address *a);

#endif
