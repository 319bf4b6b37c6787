/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The label values of statuses, under a bound: a server may answer with hundreds of HTTP statuses
 * and thousands of grpc-status values, and each would be a series of each route.
 *
 * A registered status (IANA's registry of HTTP status codes, the codes of gRPC that have a name)
 * always has its own value. Of all others, the first STATUS_LABELS_OTHERS distinct ones have, by
 * protocol and direction, so that an upstream cannot take those of the served requests. All further
 * ones are label_other, and each of their requests is counted in
 * sidelight_statuses_overflowed_total.
 */
#ifndef SIDELIGHT_METRICS_STATUS_LABELS_H
#define SIDELIGHT_METRICS_STATUS_LABELS_H

#include "metrics/registry.h"
#include "txn/transaction.h"

#define STATUS_LABELS_OTHERS 16
#define STATUS_LABEL_SIZE    8 /* "65535" */

struct status_labels;

/* Adds its family to r, which must outlive it. NULL: no memory. */
struct status_labels *status_labels_new(struct registry *r);
/* Accepts NULL. */
void status_labels_free(struct status_labels *labels);

/*
 * The value for the status of t: a name, digits (which are written to buf, STATUS_LABEL_SIZE
 * bytes), "" if no status came, or label_other, which counts t: so that answer must not be
 * remembered for later requests.
 */
const char *status_labels_find(struct status_labels *labels, const struct transaction *t,
			       char *buf);

#endif
