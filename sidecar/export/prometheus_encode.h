/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry in Prometheus' protobuf exposition format, which has what the text has not: native
 * histograms, and when each counter and histogram began. Families are written one behind the other,
 * each behind its length ("delimited"). Those without series are left out.
 */
#ifndef SIDELIGHT_EXPORT_PROMETHEUS_ENCODE_H
#define SIDELIGHT_EXPORT_PROMETHEUS_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "metrics/registry.h"
#include "metrics/text.h"

#define PROMETHEUS_PROTOBUF_TYPE                                                                   \
	"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "               \
	"encoding=delimited"

/* More labels of all series are left out. */
#define PROMETHEUS_CONSTANTS_MAX 64

/* As text_encode_parts(). */
bool prometheus_encode(const struct registry *r, const struct label *constants,
		       size_t constant_count, text_part_fn fn, void *ctx);

#endif
