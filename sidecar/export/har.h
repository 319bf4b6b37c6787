/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as an HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/), an entry each.
 * Headers and bodies are not captured: their lists are empty and their sizes are those on the wire,
 * or -1. A request without a response has status 0, as browsers write it. What HAR has no member
 * for is in members that begin with an underscore, as it demands: _role, _container, _client,
 * _error, _grpcStatus, _stream.
 */
#ifndef SIDELIGHT_EXPORT_HAR_H
#define SIDELIGHT_EXPORT_HAR_H

#include <cjson/cJSON.h>

#include "base/text.h"

void har_add_begin(struct text *out);
/* The caller writes a comma between two of them. */
void har_add_request(struct text *out, const cJSON *request);
void har_add_end(struct text *out);

#endif
