/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --log-level debug says of connections, and of protocols on them.
 */
#ifndef SIDELIGHT_AGENT_DEBUG_LOG_H
#define SIDELIGHT_AGENT_DEBUG_LOG_H

#include "capture/event.h"
#include "txn/transaction.h"

/* One line for an OPEN, a CLOSE and a MUTE; nothing for data. */
void debug_log_event(const struct event *ev);

/* One line per request: its protocol, method, route and result. Takes no ctx. */
extern const struct txn_sink debug_log_sink;

#endif
