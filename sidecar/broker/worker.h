/* SPDX-License-Identifier: Apache-2.0 */
/* Forks the worker of broker/broker.h, and the channel to it. */
#ifndef SIDELIGHT_BROKER_WORKER_H
#define SIDELIGHT_BROKER_WORKER_H

#include <sys/types.h>

#include "broker/broker.h"
#include "pod/target.h"

/*
 * target may be NULL: the worker's copy is released. *ret_channel, the broker's end, is the
 * caller's also after an error, unless it is -1. Returns 0, or negative errno after one log line.
 */
int worker_start(broker_worker_fn fn, void *ctx, struct target *target, int *ret_channel,
		 pid_t *ret_pid);

#endif
