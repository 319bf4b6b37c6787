/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of header lists: see engine_add_header_list(). */
#ifndef SIDELIGHT_METRICS_HEADER_LISTS_H
#define SIDELIGHT_METRICS_HEADER_LISTS_H

#include <stdint.h>

#include "metrics/registry.h"
#include "txn/engine.h"

/* NULL: no memory. */
struct family *header_lists_family(struct registry *r);
/* lost: lists that did not come to the engine. */
void header_lists_refresh(struct family *f, const struct engine_stats *engine, uint64_t lost);

#endif
