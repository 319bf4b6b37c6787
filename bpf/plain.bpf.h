/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is left out of the programs that are loaded without CAP_PERFMON (SL_PLAIN).
 *
 * The verifier also follows what a CPU may speculate then: into branches that a knob has closed,
 * with bounds that do not hold there, and through loops until it gives up. Before 6.6 it allows
 * no comparison with the end of a packet either (commit d75e30dddf73).
 */
#ifndef SIDELIGHT_PLAIN_BPF_H
#define SIDELIGHT_PLAIN_BPF_H

#ifdef SL_PLAIN
#define IS_PLAIN 1
#else
#define IS_PLAIN 0
#endif

#endif
