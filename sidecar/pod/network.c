/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/network.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The first namespace alone has it: net_core_table of the kernel's net/core/sysctl_net_core.c. */
#define NODE_ONLY "/proc/sys/net/core/netdev_max_backlog"

static bool path_make(char path[PATH_MAX], const char *root, const char *name)
{
	return snprintf(path, PATH_MAX, "%s%s", root, name) < PATH_MAX;
}

/* The sum of two of the values that the kernel's snmp_seq_show_tcp_udp() writes below their names.
 */
static int add_opens(const char *names, const char *values, uint64_t *ret_count)
{
	unsigned found = 0;
	uint64_t count = 0, value;
	int name_len, value_len;
	char name[32];

	while (sscanf(names, "%31s%n", name, &name_len) == 1 &&
	       sscanf(values, "%*s%n", &value_len) == 0) {
		bool is_open =
			strcmp(name, "ActiveOpens") == 0 || strcmp(name, "PassiveOpens") == 0;

		if (is_open && sscanf(values, "%" SCNu64, &value) == 1) {
			count += value;
			found++;
		}
		names += name_len;
		values += value_len;
	}
	if (found != 2)
		return -ENOENT;
	*ret_count = count;
	return 0;
}

int network_connections(const char *root, uint64_t *ret_count)
{
	scoped_free char *names = NULL;
	scoped_free char *values = NULL;
	size_t names_alloc = 0, values_alloc = 0;
	scoped_file FILE *file = NULL;
	char path[PATH_MAX];

	if (path_make(path, root, NODE_ONLY) && access(path, F_OK) == 0)
		return -EXDEV;
	if (path_make(path, root, "/proc/self/net/snmp"))
		file = fopen(path, "re");
	while (file && getline(&names, &names_alloc, file) > 0 &&
	       getline(&values, &values_alloc, file) > 0)
		if (strncmp(names, "Tcp:", 4) == 0)
			return add_opens(names, values, ret_count);
	return -ENOENT;
}
