/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Pod's files say: mounts of a stranger's container, and annotations.
 * The first line of the input is the cgroup of the process, the rest both
 * files at once. It holds that
 *   - names that come out are DNS labels;
 *   - a cgroup that is taken for the container's holds the process, and not us;
 *   - keys and values of annotations are strings within the text.
 */
#include <string.h>

#include "fuzz.h"
#include "pod/podinfo.h"
#include "pod/process.h"

static void check_name(const char *name)
{
	fuzz_check(strlen(name) < PROCESS_NAME_MAX);
	fuzz_check(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
}

static void check_home(char *text, size_t len, const char *cgroup, const char *own)
{
	FILE *file = fmemopen(text, len, "r");
	struct process_home home;

	if (!file)
		return;
	if (process_home_read(file, cgroup, own, "/kubelet/pods", &home) == 0) {
		check_name(home.container);
		check_name(home.pod_uid);
		if (home.mount_id) {
			fuzz_check(strncmp(cgroup, home.cgroup, strlen(home.cgroup)) == 0);
			fuzz_check(!process_is_own(home.cgroup, own));
			fuzz_check(!process_is_above(home.cgroup, own));
		}
	}
	(void)fclose(file);
}

struct bounds {
	const char *from;
	const char *to;
};

static void check_pair(void *ctx, const char *key, const char *value)
{
	const struct bounds *b = ctx;

	fuzz_check(*key && key >= b->from && key + strlen(key) < value);
	fuzz_check(value + strlen(value) < b->to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *rest = text ? strchr(text, '\n') : NULL;
	char id[PROCESS_ID_MAX];
	struct bounds bounds;

	if (rest) {
		*rest++ = '\0';
		process_container_id(text, id);
		fuzz_check(strlen(id) < PROCESS_ID_MAX);
		if (*rest) {
			check_home(rest, strlen(rest), text, "/");
			check_home(rest, strlen(rest), text, "/kubepods/pod/own");
		}
		bounds = (struct bounds){rest, rest + strlen(rest) + 1};
		(void)podinfo_parse(rest, check_pair, &bounds);
	}
	free(text);
	return 0;
}
