/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace context of an HTTP/1 request. The head's parser only finds its fields; they are decoded
 * here, when somebody wants them. So a cached head (http1_head_cache.h) serves both.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_TRACE_CONTEXT_H
#define SIDELIGHT_PROTO_HTTP1_TRACE_CONTEXT_H

#include <stdbool.h>

#include "proto/message.h"
#include "proto/trace_context.h"

/* For a request with has_trace_fields. Returns false if it has no valid trace context. */
bool http1_trace_context(const struct message *m, struct trace_context *ret);

#endif
