/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of containers, as the broker counts them while somebody wants it. Its rows are sums
 * since its counting began; the series go on when it begins again.
 */
#ifndef SIDELIGHT_METRICS_SYSCALL_METRICS_H
#define SIDELIGHT_METRICS_SYSCALL_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/channel.h"
#include "metrics/registry.h"

struct syscall_metrics;

/* The name of a container; "": it has none. */
typedef const char *(*syscall_name_fn)(void *ctx, uint64_t number);

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct syscall_metrics *syscall_metrics_new(struct registry *r, syscall_name_fn name, void *ctx);
/* Accepts NULL. */
void syscall_metrics_free(struct syscall_metrics *m);

void syscall_metrics_calls(struct syscall_metrics *m, const struct channel_call *calls,
			   size_t count);
void syscall_metrics_errors(struct syscall_metrics *m, const struct channel_call_error *errors,
			    size_t count);
/* Calls fn for each call of each container that was counted since the last beginning. */
void syscall_metrics_each(const struct syscall_metrics *m,
			  void (*fn)(void *ctx, const char *container,
				     const struct channel_call *call),
			  void *ctx);
/* Whether the broker counts, as it said last. */
bool syscall_metrics_is_counting(const struct syscall_metrics *m);
/* message is of CHANNEL_COUNTING, and comes before the rows of a new beginning. */
void syscall_metrics_counting(struct syscall_metrics *m, const struct channel_message *message);

#endif
