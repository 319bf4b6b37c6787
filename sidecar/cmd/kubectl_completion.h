/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program kubectl_complete-sidelight, which kubectl 1.26 and newer asks how to complete a line
 * of its plugin. It knows the plugin's commands and options from the plugin's help, Pods and
 * containers from the cluster, and what stands behind "--" from the table of options.
 */
#ifndef SIDELIGHT_CMD_KUBECTL_COMPLETION_H
#define SIDELIGHT_CMD_KUBECTL_COMPLETION_H

#include <stdio.h>

void kubectl_completion(FILE *out);

#endif
