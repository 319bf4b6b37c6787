/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidelight replay: the engine on a capture file.
 *
 * Prints the requests in it, or with --metrics what a scrape would show after
 * them. Standard error gets one line that sums up, so that what is missing is
 * never a secret:
 *
 *     sidelight: 24 packets, 2 connections, 3 requests; lost: 1 response_gap
 *
 * Exit status: 0; 1 if requests are missing, or may be, since something is lost (other than
 * bytes inside of bodies), the file ends too early or the output cannot be written; 2 if it
 * cannot be read at all.
 */
#ifndef SIDELIGHT_CMD_REPLAY_H
#define SIDELIGHT_CMD_REPLAY_H

#include "cmd/options.h"

int command_replay(const struct options *o);

#endif
