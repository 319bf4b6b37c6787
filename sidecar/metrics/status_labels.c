/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/status_labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/grpc.h"
#include "txn/label_values.h"

#define PROTOCOLS    2
#define ROLES	     2
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct family_desc overflowed_desc = {
	.name = "sidelight_statuses_overflowed_total",
	.help = "Requests whose status is _OTHER: it is not registered, and came after 16 others "
		"that are not.",
	.type = METRIC_COUNTER,
};

/* The unregistered statuses that have their own value, in order of their first request. */
struct others {
	size_t count;
	uint16_t status[STATUS_LABELS_OTHERS];
};

struct status_labels {
	struct series *overflowed;
	struct others others[PROTOCOLS][ROLES];
};

struct status_labels *status_labels_new(struct registry *r)
{
	struct status_labels *labels = calloc(1, sizeof(*labels));
	struct family *overflowed = registry_family(r, &overflowed_desc);

	if (!labels || !overflowed) {
		status_labels_free(labels);
		return NULL;
	}
	labels->overflowed = family_series(overflowed, NULL);
	return labels;
}

void status_labels_free(struct status_labels *labels)
{
	free(labels);
}

/* IANA's HTTP Status Code Registry (RFC 9110 section 16.2), with 306 and 418, which it reserves. */
static bool is_registered(unsigned status)
{
	static const struct {
		uint16_t first;
		uint16_t last;
	} ranges[] = {
		{100, 103}, {200, 208}, {226, 226}, {300, 308}, {400, 418}, {421, 426},
		{428, 429}, {431, 431}, {451, 451}, {500, 508}, {510, 511},
	};

	for (size_t i = 0; i < COUNT(ranges); i++)
		if (status >= ranges[i].first && status <= ranges[i].last)
			return true;
	return false;
}

static bool has_place(struct others *others, uint16_t status)
{
	for (size_t i = 0; i < others->count; i++)
		if (others->status[i] == status)
			return true;
	if (others->count == STATUS_LABELS_OTHERS)
		return false;
	others->status[others->count++] = status;
	return true;
}

const char *status_labels_find(struct status_labels *labels, const struct transaction *t, char *buf)
{
	bool is_rpc = t->protocol == TXN_GRPC;
	uint16_t status = is_rpc ? t->grpc.status : t->http.status;
	const char *name;

	_Static_assert(STATUS_LABEL_SIZE >= GRPC_STATUS_SIZE, "room for both");
	if (is_rpc) {
		name = grpc_status_name(status, buf);
		if (name != buf)
			return name;
	} else {
		if (!status)
			return "";
		if (status == TXN_STATUS_UNKNOWN)
			return txn_unknown;
		(void)snprintf(buf, STATUS_LABEL_SIZE, "%u", status); /* five digits at most */
		if (is_registered(status))
			return buf;
	}
	if (has_place(&labels->others[is_rpc][t->role == ROLE_CLIENT], status))
		return buf;
	series_add(labels->overflowed, 1);
	return label_other;
}
