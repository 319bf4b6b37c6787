/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a family and its labels are called in OTLP.
 *
 * Metrics of HTTP and RPC have the names and units of OpenTelemetry's semantic conventions, by a
 * table. All others follow a rule: `sidelight_tcp_bytes_total` is `sidelight.tcp` with the unit
 * `By`. A receiver that writes Prometheus' names makes of each the name that /metrics has.
 */
#ifndef SIDELIGHT_EXPORT_OTLP_NAMES_H
#define SIDELIGHT_EXPORT_OTLP_NAMES_H

#include <stdbool.h>

#include "metrics/registry.h"

#define OTLP_NAME_MAX 128

enum otlp_kind {
	OTLP_GAUGE,
	OTLP_SUM, /* a counter */
	OTLP_UP_DOWN_SUM, /* also falls */
	OTLP_HISTOGRAM,
};

struct otlp_name {
	char name[OTLP_NAME_MAX];
	const char *unit; /* of UCUM; "": none */
	enum otlp_kind kind;
	bool is_integer; /* its values are counts */
};

void otlp_name(const struct family_desc *desc, struct otlp_name *ret_name);

struct otlp_attribute_name {
	const char *key;
	bool is_number; /* where the value of the label is one */
};

/* Of a label that the table does not have, its own name: borrowed. */
struct otlp_attribute_name otlp_attribute_name(const char *label);

/* The label of a container, which is an attribute of the resource. */
#define OTLP_CONTAINER_LABEL "container"

#endif
