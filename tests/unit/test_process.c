/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/process.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define UID "2f1c7a50-9d1e-4a7e-8f6d-0d4e6c1b2a3f"
#define ID  "4f0e5a3c2b1d4f0e5a3c2b1d4f0e5a3c2b1d4f0e5a3c2b1d4f0e5a3c2b1d4f0e"
#define LOG(root)                                                                                  \
	"90 80 253:1 " root " /dev/termination-log rw,relatime - ext4 /dev/vda1 rw,discard\n"
#define VOLUME(root)	   "91 80 253:1 " root " /data rw,relatime - ext4 /dev/vda1 rw,discard\n"
#define PODS		   "/kubelet/pods"
#define MOUNT(root, point) "77 70 0:26 " root " " point " ro,nosuid - cgroup2 cgroup rw\n"

static void test_home(void **state)
{
	static const struct {
		const char *why;
		const char *mounts;
		const char *cgroup;
		const char *own;
		const char *container;
		int mount_id;
		const char *home;
		const char *pods_dir; /* NULL: not known */
	} rows[] = {
		{"as containerd and the kubelet make it",
		 MOUNT("/../" ID, "/sys/fs/cgroup")
			 LOG("/var/lib/kubelet/pods/" UID "/containers/web/0a1b2c3d"),
		 "/../" ID, "/", "web", 77, "/../" ID, NULL},
		{"the kubelet's folder is a file system of its own",
		 LOG("/pods/" UID "/containers/web/0a1b2c3d"), "/../" ID, "/", "web", 0, "", NULL},
		{"systemd and crun: a cgroup below that of the scope",
		 MOUNT("/../../crio-" ID ".scope/container", "/sys/fs/cgroup"),
		 "/../../crio-" ID ".scope/container", "/", "", 77,
		 "/../../crio-" ID ".scope/container", NULL},
		{"a process in a cgroup that the container has made",
		 MOUNT("/../" ID, "/sys/fs/cgroup"), "/../" ID "/init.scope", "/", "", 77,
		 "/../" ID, NULL},
		{"the node's whole tree, as a privileged container has it, is not for us",
		 MOUNT("/../../..", "/sys/fs/cgroup"), "/../" ID, "/", "", 0, "", NULL},
		{"nor is the Pod's, in which we are", MOUNT("/..", "/sys/fs/cgroup"), "/../" ID,
		 "/", "", 0, "", NULL},
		{"nor our own", MOUNT("/", "/sys/fs/cgroup"), "/../" ID, "/", "", 0, "", NULL},
		{"nor that of another container", MOUNT("/../other", "/sys/fs/cgroup"), "/../" ID,
		 "/", "", 0, "", NULL},
		{"without a cgroup namespace of ours", MOUNT("/kubepods/pod1/a", "/sys/fs/cgroup"),
		 "/kubepods/pod1/a", "/kubepods/pod1/b", "", 77, "/kubepods/pod1/a", NULL},
		{"the same, and the whole tree", MOUNT("/", "/sys/fs/cgroup"), "/kubepods/pod1/a",
		 "/kubepods/pod1/b", "", 0, "", NULL},
		{"the first of two", MOUNT("/../" ID, "/a") MOUNT("/../" ID, "/b"), "/../" ID, "/",
		 "", 77, "/../" ID, NULL},
		{"names are DNS labels", LOG("/pods/" UID "/containers/We\\\"b/0a1b2c3d"),
		 "/../" ID, "/", "", 0, "", NULL},
		{"and not empty", LOG("/pods/" UID "/containers//0a1b2c3d"), "/../" ID, "/", "", 0,
		 "", NULL},
		{"nor longer than those",
		 LOG("/pods/" UID "/containers/"
		     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "/0a1b2c3d"),
		 "/../" ID, "/", "", 0, "", NULL},
		{"a volume of a container is no name",
		 LOG("/pods/" UID "/volume-subpaths/config/web/0"), "/../" ID, "/", "", 0, "",
		 NULL},
		{"a volume whose path looks like the kubelet's",
		 VOLUME("/kubelet/pods/" UID "/volumes/x/pods/" UID "/containers/fake/0a1b2c3d")
			 LOG("/kubelet/pods/" UID "/containers/web/0a1b2c3d"),
		 "/../" ID, "/", "web", 0, "", PODS},
		{"the same, behind the kubelet's file",
		 LOG("/kubelet/pods/" UID "/containers/web/0a1b2c3d")
			 VOLUME("/kubelet/pods/" UID "/containers/fake/0a1b2c3d"),
		 "/../" ID, "/", "web", 0, "", PODS},
		{"such a volume alone",
		 VOLUME("/kubelet/pods/" UID "/volumes/x/pods/" UID "/containers/fake/0a1b2c3d"),
		 "/../" ID, "/", "", 0, "", PODS},
		{"the kubelet's file at another place (terminationMessagePath)",
		 VOLUME("/kubelet/pods/" UID "/containers/web/0a1b2c3d"), "/../" ID, "/", "web", 0,
		 "", PODS},
		{"there, and nobody knows where the kubelet has our own",
		 VOLUME("/kubelet/pods/" UID "/containers/web/0a1b2c3d"), "/../" ID, "/", "", 0, "",
		 NULL},
		{"a shorter path", LOG("/containers/web/0a1b2c3d"), "/../" ID, "/", "", 0, "",
		 NULL},
		{"nothing at all", "\n \nx - y\n1 2 - cgroup2\n", "/../" ID, "/", "", 0, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *file = fmemopen((void *)rows[i].mounts, strlen(rows[i].mounts), "r");
		struct process_home home;

		assert_non_null(file);
		assert_int_equal(process_home_read(file, rows[i].cgroup, rows[i].own,
						   rows[i].pods_dir ? rows[i].pods_dir : "", &home),
				 0);
		(void)fclose(file);
		if (strcmp(home.container, rows[i].container) != 0 ||
		    home.mount_id != rows[i].mount_id || strcmp(home.cgroup, rows[i].home) != 0)
			fail_msg("%s: container \"%s\", mount %d of \"%s\"", rows[i].why,
				 home.container, home.mount_id, home.cgroup);
		if (home.container[0])
			assert_string_equal(home.pod_uid, UID);
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		const char *own;
		bool is_own;
		bool is_above;
	} rows[] = {
		{"/", "/", true, true},
		{"/below", "/", true, false},
		{"/..", "/", false, true},
		{"/../..", "/", false, true},
		{"/../x", "/", false, false},
		{"/..x", "/", true, false},
		{"/../../x/..", "/", false, false},
		{"/a/b", "/a/b", true, true},
		{"/a/b/c", "/a/b", true, false},
		{"/a", "/a/b", false, true},
		{"/", "/a/b", false, true},
		{"/a/c", "/a/b", false, false},
		{"/a/bc", "/a/b", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (process_is_own(rows[i].path, rows[i].own) != rows[i].is_own ||
		    process_is_above(rows[i].path, rows[i].own) != rows[i].is_above)
			fail_msg("%s and %s", rows[i].path, rows[i].own);
}

static void test_id(void **state)
{
	static const struct {
		const char *cgroup;
		const char *want;
	} rows[] = {
		{"/../" ID, ID},
		{"/../cri-containerd-" ID ".scope", ID},
		{"/../../crio-" ID ".scope/container", ID},
		{"/../" ID "0", ID "0"},
		{"/../app", "app"},
		{"app", "app"},
		{"", ""},
	};
	char id[PROCESS_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		process_container_id(rows[i].cgroup, id);
		if (strncmp(id, rows[i].want, PROCESS_ID_MAX - 1) != 0)
			fail_msg("%s: %s", rows[i].cgroup, id);
	}
}

static void test_ourselves(void **state)
{
	char comm[32];
	char path[PATH_MAX];
	char again[PATH_MAX];
	uint64_t started;
	struct process p;

	(void)state;
	assert_int_equal(process_open(&p, getpid()), 0);
	assert_int_equal(process_comm(&p, comm, sizeof(comm)), 0);
	assert_string_equal(comm, "test_process");
	assert_int_equal(process_started(&p, &started), 0);
	assert_true(started > 0);
	assert_int_equal(process_cgroup(&p, path, sizeof(path)), 0);
	assert_int_equal(cgroup_path_of(0, again, sizeof(again)), 0);
	assert_string_equal(path, again);
	process_close(&p);
	assert_int_equal(process_open(&p, INT_MAX), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
