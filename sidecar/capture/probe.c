/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/key_probes.h"
#include "capture/probe_cgroups.h"
#include "pod/cgroup.h"
#include "pod/landlock.h"

/* Headers of libcap and the kernel before 5.8 lack these names. */
#define BIT_PERFMON 38
#define BIT_BPF	    39

struct context {
	uint64_t ring_bytes;
	bool is_refused; /* check_bpf() has failed */
	struct cgroup cgroup; /* created to attach to; fd -1 if that was not possible */
};

static void detail(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void detail(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(p->detail, sizeof(p->detail), fmt, ap); /* truncated if longer */
	va_end(ap);
}

/* Checks return 0 for yes, else negative errno, which is the detail unless the check sets one. */

static int check_mount(struct probe *p, struct context *c)
{
	struct cgroup_mount mount;
	char own[PATH_MAX];
	int err;

	(void)c;
	err = cgroup_path_of(0, own, sizeof(own));
	if (!err)
		err = cgroup_mount_find(&mount, NULL, own);
	if (!err)
		detail(p, "%.150s", mount.path);
	else if (err == -ENODEV)
		detail(p, "not mounted; mount -t cgroup2 none DIR");
	return err;
}

static int check_create(struct probe *p, struct context *c)
{
	int err;

	if (c->cgroup.fd >= 0) /* created for the checks of attaching */
		return 0;
	err = cgroup_create(&c->cgroup);
	if (err && err != -ENODEV)
		detail(p, "%.100s: %s", c->cgroup.path, strerror(-err));
	return err;
}

static int check_capability(struct probe *p, cap_value_t bit, const char *also_name,
			    cap_value_t also)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t has = CAP_CLEAR;
	cap_flag_value_t has_also = CAP_CLEAR;

	if (!caps)
		return -errno;
	(void)cap_get_flag(caps, bit, CAP_EFFECTIVE, &has); /* an unknown bit is clear */
	(void)cap_get_flag(caps, also, CAP_EFFECTIVE, &has_also);
	(void)cap_free(caps);
	if (has == CAP_CLEAR && has_also == CAP_SET)
		detail(p, "by %s", also_name);
	if (has == CAP_SET || has_also == CAP_SET)
		return 0;
	detail(p, "not held; run as root, or add it");
	return -EPERM;
}

static int check_cap_bpf(struct probe *p, struct context *c)
{
	(void)c;
	return check_capability(p, BIT_BPF, "CAP_SYS_ADMIN", CAP_SYS_ADMIN);
}

static int check_cap_net_admin(struct probe *p, struct context *c)
{
	(void)c;
	return check_capability(p, CAP_NET_ADMIN, "CAP_SYS_ADMIN", CAP_SYS_ADMIN);
}

static int check_cap_perfmon(struct probe *p, struct context *c)
{
	(void)c;
	return check_capability(p, BIT_PERFMON, "CAP_SYS_ADMIN", CAP_SYS_ADMIN);
}

static int check_cap_ptrace(struct probe *p, struct context *c)
{
	(void)c;
	return check_capability(p, CAP_SYS_PTRACE, "", CAP_SYS_PTRACE);
}

/* The likely reason why bpf() is refused although we have the capability. */
static const char *refusal_reason(void)
{
	scoped_file FILE *map = fopen("/proc/self/uid_map", "re");
	scoped_file FILE *status = fopen("/proc/self/status", "re");
	unsigned long count = 0;
	char line[128];
	int mode;

	if (map && fscanf(map, "%*u %*u %lu", &count) == 1 && count != 4294967295)
		return "refused: in a user namespace";
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Seccomp: %d", &mode) == 1 && mode == 2)
			return "refused: capabilities or seccomp";
	return "refused: capabilities or ulimit -l";
}

static int explain(struct probe *p, int err)
{
	if (err == -EPERM)
		detail(p, "%s", refusal_reason());
	return err;
}

static int check_bpf(struct probe *p, struct context *c)
{
	scoped_fd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);

	(void)c;
	return fd < 0 ? explain(p, fd) : 0;
}

static int check_ring(struct probe *p, struct context *c)
{
	scoped_fd int fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, (__u32)c->ring_bytes, NULL);

	if (fd < 0)
		return explain(p, fd);
	detail(p, "%llu KiB", (unsigned long long)c->ring_bytes >> 10);
	return 0;
}

/* libbpf returns 1, 0 or negative errno. */
static int from_libbpf(int answer)
{
	return answer == 1 ? 0 : answer == 0 ? -EOPNOTSUPP : answer;
}

static int check_sk_storage(struct probe *p, struct context *c)
{
	int err;

	(void)p;
	(void)c;
	err = from_libbpf(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, NULL));
	if (!err)
		err = from_libbpf(libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
							  BPF_FUNC_sk_storage_get, NULL));
	if (!err)
		err = from_libbpf(libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCK_OPS,
							  BPF_FUNC_sk_storage_get, NULL));
	return err;
}

static int check_counters(struct probe *p, struct context *c)
{
	(void)p;
	(void)c;
	return from_libbpf(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, NULL));
}

static int check_tail_calls(struct probe *p, struct context *c)
{
	int err = from_libbpf(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_PROG_ARRAY, NULL));

	(void)p;
	(void)c;
	return err ? err
		   : from_libbpf(libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
							 BPF_FUNC_tail_call, NULL));
}

static int check_mmap(struct probe *p, struct context *c)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	scoped_fd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4096, 1, &opts);
	void *at;

	(void)c;
	if (fd < 0)
		return explain(p, fd);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	(void)munmap(at, size); /* mapped just now */
	return 0;
}

/* Loads the smallest program of a type, attaches it to the cgroup by a link, and detaches it. */
static int try_attach(struct probe *p, struct context *c, enum bpf_prog_type type,
		      enum bpf_attach_type where)
{
	static const struct bpf_insn one[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = where);
	scoped_fd int prog = bpf_prog_load(type, "sidelight_probe", "Dual BSD/GPL", one,
					   sizeof(one) / sizeof(one[0]), &opts);
	scoped_fd int link = -1;

	if (prog < 0)
		return explain(p, prog);
	if (c->cgroup.fd < 0) {
		detail(p, "loads; attaching not tried (no cgroup to try it on)");
		return 0;
	}
	link = bpf_link_create(prog, c->cgroup.fd, where, NULL);
	if (link == -EPERM)
		detail(p, "attaching refused: capability, or a program above");
	return link < 0 ? link : 0;
}

static int check_ingress(struct probe *p, struct context *c)
{
	return try_attach(p, c, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS);
}

static int check_egress(struct probe *p, struct context *c)
{
	return try_attach(p, c, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS);
}

static int check_sock_ops(struct probe *p, struct context *c)
{
	return try_attach(p, c, BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS);
}

static int check_thread_id(struct probe *p, struct context *c)
{
	(void)p;
	(void)c;
	return from_libbpf(libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
						   BPF_FUNC_get_current_pid_tgid, NULL));
}

/* A compare-and-exchange on the stack. */
static int check_atomics(struct probe *p, struct context *c)
{
	static const struct bpf_insn exchange[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_STX | BPF_MEM | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	scoped_fd int prog =
		bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "sidelight_probe", "Dual BSD/GPL", exchange,
			      sizeof(exchange) / sizeof(exchange[0]), NULL);

	(void)c;
	if (prog >= 0)
		return 0;
	return prog == -EINVAL ? -EOPNOTSUPP : explain(p, prog);
}

static int check_jit(struct probe *p, struct context *c)
{
	scoped_file FILE *file = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int mode = 0;

	(void)c;
	if (!file)
		return -errno;
	if (fscanf(file, "%d", &mode) == 1 && mode > 0)
		return 0;
	detail(p, "off; sysctl net.core.bpf_jit_enable=1");
	return -EOPNOTSUPP;
}

static int check_key_probes(struct probe *p, struct context *c)
{
	static const char *const ways[] = {
		[KEY_PROBES_OF_PROCESSES] = "of single processes",
		[KEY_PROBES_OF_ALL] = "of all processes that have a file",
		[KEY_PROBES_BY_EVENTS] = "by perf events",
	};
	struct key_probes *probes;
	int err = key_probes_new(&probes);

	(void)c;
	if (!err) {
		detail(p, "%s", ways[key_probes_way(probes)]);
		key_probes_free(probes);
	} else {
		detail(p, "%s", key_probes_reason(err));
	}
	return err;
}

static int check_btf(struct probe *p, struct context *c)
{
	(void)p;
	(void)c;
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

static int check_landlock(struct probe *p, struct context *c)
{
	int version = landlock_version();

	(void)c;
	if (!version)
		return -EOPNOTSUPP;
	detail(p, "version %d", version);
	return 0;
}

/* With a shared PID namespace, process 1 of the Pod is the runtime's pause program. */
static int check_process_one(struct probe *p, struct context *c)
{
	scoped_file FILE *comm = fopen("/proc/1/comm", "re");
	char name[32] = "";

	(void)c;
	if (!comm || !fgets(name, sizeof(name), comm))
		return -ESRCH;
	name[strcspn(name, "\n")] = '\0';
	detail(p, "%s", name);
	if (strcmp(name, "pause") != 0)
		return 0;
	detail(p, "is /pause; a hook with \"kill ... 1\" does not reach the application");
	return -EBUSY;
}

/* Checks what other programs have done to possible targets. */
static int check_others(struct probe *p, int (*look)(struct text *out))
{
	struct text found;
	int n;

	text_init(&found);
	n = look(&found);
	if (n > 0)
		detail(p, "%s", found.ptr);
	text_release(&found);
	return n > 0 ? -EBUSY : n;
}

static int check_hooks(struct probe *p, struct context *c)
{
	(void)c;
	return check_others(p, probe_held_hooks);
}

static int check_listeners(struct probe *p, struct context *c)
{
	(void)c;
	return check_others(p, probe_moved_listeners);
}

#define NOTHING_WORKS "watching"

/* In the order of causes: a failed check may explain the ones after it. */
static const struct {
	const char *name;
	const char *disables;
	bool is_needed;
	bool asks_bpf; /* its result is meaningless while bpf() is refused */
	int (*check)(struct probe *p, struct context *c);
} checks[] = {
	{"cgroup2 mount", NOTHING_WORKS, true, false, check_mount},
	{"CAP_BPF", NOTHING_WORKS, true, false, check_cap_bpf},
	{"CAP_NET_ADMIN", NOTHING_WORKS, true, false, check_cap_net_admin},
	{"CAP_PERFMON", NOTHING_WORKS, true, false, check_cap_perfmon},
	{"bpf()", NOTHING_WORKS, true, false, check_bpf},
	{"ring buffer", NOTHING_WORKS, true, true, check_ring},
	{"mmap of maps", NOTHING_WORKS, true, true, check_mmap},
	{"socket storage", NOTHING_WORKS, true, true, check_sk_storage},
	{"per-CPU cgroup storage", NOTHING_WORKS, true, true, check_counters},
	{"tail calls", NOTHING_WORKS, true, true, check_tail_calls},
	{"cgroup_skb ingress link", NOTHING_WORKS, true, true, check_ingress},
	{"cgroup_skb egress link", NOTHING_WORKS, true, true, check_egress},
	{"sock_ops link", NOTHING_WORKS, true, true, check_sock_ops},
	{"new cgroups", "run -- CMD (--pid and --cgroup work)", false, false, check_create},
	{"thread in cgroup_skb", "the thread that served a request", false, true, check_thread_id},
	{"atomic operations of BPF", "speed: records go through the kernel's ring", false, true,
	 check_atomics},
	{"BPF JIT compiler", "speed: programs are interpreted", false, false, check_jit},
	{"CAP_SYS_PTRACE", "containers of a Pod, --pid of a process in another container", false,
	 false, check_cap_ptrace},
	{"Landlock", "closed file system around the process that reads traffic", false, false,
	 check_landlock},
	{"process 1", "signals to process 1, an init that must be it", false, false,
	 check_process_one},
	{"TLS probes", "decryption of TLS (--tls keys)", false, false, check_key_probes},
	{"kernel BTF", "notice of connections that a BPF sockmap takes past the hooks, syscalls",
	 false, false, check_btf},
	{"hooks are shared",
	 "watching there: a program holds the hook for itself alone (systemd: "
	 "Delegate=yes in the unit shares it)",
	 false, false, check_hooks},
	{"listeners where made",
	 "requests of a listener that was made in another cgroup: start "
	 "the process in its own",
	 false, false, check_listeners},
};

#define CHECK_COUNT (sizeof(checks) / sizeof(checks[0]))
_Static_assert(CHECK_COUNT <= PROBE_MAX, "room for all");

static void probe_one(struct probe *p, size_t i, struct context *c)
{
	int err = 0;

	*p = (struct probe){.name = checks[i].name,
			    .disables = checks[i].disables,
			    .is_needed = checks[i].is_needed};
	if (checks[i].asks_bpf && c->is_refused) {
		p->state = PROBE_UNKNOWN;
		detail(p, "bpf() is refused");
		return;
	}
	err = checks[i].check(p, c);
	p->state = err ? PROBE_NO : PROBE_YES;
	if (err && checks[i].check == check_bpf)
		c->is_refused = true;
	if (err && !p->detail[0])
		detail(p, "%s", err == -EOPNOTSUPP ? "not in this kernel" : strerror(-err));
}

size_t probe_all(struct probe ret_probes[PROBE_MAX], uint64_t ring_bytes)
{
	struct context c = {.ring_bytes = ring_bytes};
	/* libbpf must not report the expected failures */
	libbpf_print_fn_t before = libbpf_set_print(NULL);

	(void)cgroup_create(&c.cgroup); /* check_create() reports the failure */
	for (size_t i = 0; i < CHECK_COUNT; i++)
		probe_one(&ret_probes[i], i, &c);
	cgroup_close(&c.cgroup);
	(void)libbpf_set_print(before);
	return CHECK_COUNT;
}

int probe_require(uint64_t ring_bytes)
{
	struct context c = {.ring_bytes = ring_bytes, .cgroup.fd = -1};
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	struct probe p = {.state = PROBE_YES};

	for (size_t i = 0; i < CHECK_COUNT && p.state == PROBE_YES; i++)
		if (checks[i].is_needed)
			probe_one(&p, i, &c);
	(void)libbpf_set_print(before);
	if (p.state == PROBE_YES)
		return 0;
	log_error("run: %s is needed and missing (%s); \"sidelight doctor\" shows all that is",
		  p.name, p.detail);
	return -ENOTSUP;
}

bool probe_has_thread_id(void)
{
	return check_thread_id(NULL, NULL) == 0;
}

bool probe_has_atomics(void)
{
	return check_atomics(&(struct probe){0}, NULL) == 0;
}
