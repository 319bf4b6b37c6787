/* SPDX-License-Identifier: Apache-2.0 */
/* Our PID namespace, as BPF programs have to name it. */
#ifndef SIDELIGHT_POD_PID_NAMESPACE_H
#define SIDELIGHT_POD_PID_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

/* For bpf_get_ns_current_pid_tgid(). */
struct pid_namespace {
	uint64_t dev; /* of its file, as the kernel encodes it */
	uint64_t ino;
	bool is_initial; /* no other is above it */
};

/* Returns 0 or negative errno. */
int pid_namespace_read(struct pid_namespace *ret);

#endif
