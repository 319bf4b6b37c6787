/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry as a metrics export request of OTLP, in protobuf: one resource for each container
 * (what has the label `container`), and one for what is about none. Values are cumulative since
 * their series was made. Histograms are exponential if the registry's are native (also), else they
 * have explicit bounds. Families without series are left out.
 *
 * A message's length stands before it, so the sizes are computed first: the registry is walked
 * twice for each resource. The request never stands whole in memory.
 */
#ifndef SIDELIGHT_EXPORT_OTLP_ENCODE_H
#define SIDELIGHT_EXPORT_OTLP_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pairs.h"
#include "metrics/registry.h"
#include "metrics/text.h"

/* More attributes are left out. */
#define OTLP_ATTRIBUTES_MAX 128

/* Strings are UTF-8, and borrowed. */
struct otlp_resource {
	const struct pair *attributes; /* of all resources */
	size_t attribute_count;
	const char *container_key; /* the attribute that has the container's name */
	/* service.instance.id of what is about no container; of a container's, `.` and its name
	 * follow. NULL: it is among the attributes. */
	const char *instance;
};

/*
 * Hands the request over in parts of about 8 KiB. Returns false if memory ran out or fn stopped
 * it: then the request is cut short. now_ns: since 1970, when the values were collected.
 * since_ns: when those of the last export were; exemplars that are not newer are left out.
 */
bool otlp_encode(const struct registry *r, const struct otlp_resource *resource, uint64_t now_ns,
		 uint64_t since_ns, text_part_fn fn, void *ctx);

#endif
