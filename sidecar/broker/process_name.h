/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the worker, which cannot read /proc: what a process is called, and since when it runs. */
#ifndef SIDELIGHT_BROKER_PROCESS_NAME_H
#define SIDELIGHT_BROKER_PROCESS_NAME_H

#include <stdint.h>

/* channel: to the worker. Returns as channel_send(). */
int process_name_send(int channel, uint32_t pid);

#endif
