/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where we are: may we look for our siblings here?
 */
#ifndef SIDELIGHT_POD_PLACE_H
#define SIDELIGHT_POD_PLACE_H

enum place {
	PLACE_POD, /* siblings can be seen */
	PLACE_USER_NAMESPACE, /* hostUsers: false: BPF is refused there */
	PLACE_CGROUP1, /* no cgroup v2 */
	PLACE_HOST_PID, /* hostPID: true: every process of the node would be a sibling */
	PLACE_ALONE, /* a container that sees its own processes only */
	PLACE_HOST, /* no container at all */
};

/*
 * What the files say: /proc/self/uid_map; the cgroup paths of ourselves and of process 1, "" for no
 * cgroup v2; whether cgroup2 is mounted, and whether the PID namespace is the machine's.
 */
struct place_facts {
	char uid_map[128];
	char own[4096];
	char first[4096];
	int has_mount;
	int is_first_pid_namespace;
	int is_kubernetes; /* the environment that the kubelet gives every container */
};

void place_read(struct place_facts *f);
enum place place_of(const struct place_facts *facts);

/* Reads and checks; 0, or -ENOTSUP after one line that says what is wrong and what to do. */
int place_check(void);

#endif
