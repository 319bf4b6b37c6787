/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a shared PID namespace process 1 is /pause. What speaks to process 1 no longer reaches
 * the application ("kill -HUP 1" in a hook, "/proc/1/fd/1" as a log), and an init that insists
 * on being process 1 (s6, runit, systemd) does not start. This finds what shows of it in the
 * manifest: command, args, lifecycle hooks and probes. What an image's entrypoint does, nobody
 * sees there.
 */
#ifndef SIDELIGHT_WEBHOOK_PROCESS_ONE_H
#define SIDELIGHT_WEBHOOK_PROCESS_ONE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/*
 * Adds a line for each container of the spec to the array of strings `warnings`; none where the
 * Pod shares its PID namespace by itself. False when memory is short.
 */
bool process_one_warn(const cJSON *spec, cJSON *warnings);

#endif
