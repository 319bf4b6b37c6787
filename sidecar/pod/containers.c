/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/containers.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/value.h"
#include "pod/identity.h"
#include "pod/privilege.h"

/* Of an identifier, when there is no name: as container runtimes print them. */
#define SHORT_ID 12

/* Programs that a container executes before it is given up: runtimes have executed one or two. */
#define RETRIES_MAX 8

/*
 * The kernel delays a notification of cgroup.events that follows another within
 * 10 ms, and drops it if the cgroup is removed meanwhile (cgroup_file_notify()
 * and cgroup_rm_file(), kernel/cgroup/cgroup.c). A look at this time after a
 * notification sees what a dropped one would have reported.
 */
#define RECHECK_MS 50

/* Sidecars that stand between the application and its peers: each request would count twice. */
static const char *const proxies[] = {
	"istio-proxy",	"linkerd-proxy",    "envoy",	 "envoy-proxy", "envoy-sidecar",
	"kuma-sidecar", "consul-dataplane", "sidelight",
};

struct slot {
	char *path; /* of its cgroup; NULL: free */
	int events_fd; /* -1: not reachable, so that its end is not seen */
	bool is_watched;
	bool is_failed; /* cannot be watched, as it seems: another look may show more */
	unsigned retries; /* of such looks */
	struct container container;
};

struct containers {
	const char *only;
	const struct containers_ops *ops;
	void *ctx;
	int fd; /* epoll: events_fd of each slot by its index, timer_fd as CONTAINERS_MAX */
	int timer_fd; /* expires RECHECK_MS after the last notification */
	bool is_full; /* the line was written */
	char own[PATH_MAX];
	char pod_uid[PROCESS_NAME_MAX];
	char pods_dir[PATH_MAX];
	struct slot slots[CONTAINERS_MAX];
};

static void read_own(struct containers *c)
{
	scoped_file FILE *file = fopen("/proc/self/mountinfo", "re");
	scoped_free struct process_home *home = malloc(sizeof(*home));

	if (cgroup_path_of(0, c->own, sizeof(c->own)))
		memcpy(c->own, "/", 2); /* pod/place.h has refused it before */
	if (!file || !home || process_home_read(file, c->own, c->own, NULL, home))
		return;
	memcpy(c->pod_uid, home->pod_uid, sizeof(c->pod_uid));
	memcpy(c->pods_dir, home->pods_dir, sizeof(c->pods_dir));
}

struct containers *containers_new(const char *only, const struct containers_ops *ops, void *ctx)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = CONTAINERS_MAX};
	struct containers *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->only = only;
	c->ops = ops;
	c->ctx = ctx;
	c->fd = epoll_create1(EPOLL_CLOEXEC);
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->fd < 0 || c->timer_fd < 0 || epoll_ctl(c->fd, EPOLL_CTL_ADD, c->timer_fd, &event)) {
		containers_free(c);
		return NULL;
	}
	read_own(c);
	return c;
}

static void slot_free(struct slot *s)
{
	if (s->path && s->events_fd >= 0)
		(void)close(s->events_fd); /* leaves the epoll instance by that */
	free(s->path);
	*s = (struct slot){0};
}

void containers_free(struct containers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		slot_free(&c->slots[i]);
	if (c->timer_fd >= 0)
		(void)close(c->timer_fd);
	if (c->fd >= 0)
		(void)close(c->fd); /* nothing was written */
	free(c);
}

int containers_fd(const struct containers *c)
{
	return c->fd;
}

static void end(struct containers *c, struct slot *s)
{
	if (s->is_watched)
		c->ops->gone(c->ctx, &s->container);
	slot_free(s);
}

/* False: it has ended, and was forgotten. An end may not have been read when its successor starts.
 */
static bool check(struct containers *c, struct slot *s)
{
	if (s->events_fd < 0 || cgroup_events_read(s->events_fd) == 1)
		return true;
	end(c, s);
	return false;
}

static void recheck_later(struct containers *c)
{
	struct itimerspec when = {.it_value.tv_nsec = RECHECK_MS * 1000000L};

	(void)timerfd_settime(c->timer_fd, 0, &when, NULL); /* the arguments are valid */
}

static void recheck(struct containers *c)
{
	uint64_t expirations;

	(void)!read(c->timer_fd, &expirations, sizeof(expirations)); /* only to clear it */
	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		if (c->slots[i].path)
			(void)check(c, &c->slots[i]);
}

void containers_read(struct containers *c)
{
	struct epoll_event events[CONTAINERS_MAX + 1];
	int n = epoll_wait(c->fd, events, CONTAINERS_MAX + 1, 0);

	for (int i = 0; i < n; i++) {
		uint32_t slot = events[i].data.u32;

		if (slot == CONTAINERS_MAX) {
			recheck(c);
			continue;
		}
		if (c->slots[slot].path)
			(void)check(c, &c->slots[slot]);
		recheck_later(c);
	}
}

static struct slot *slot_of(struct containers *c, const char *path)
{
	for (size_t i = 0; i < CONTAINERS_MAX; i++) {
		struct slot *s = &c->slots[i];
		size_t len = s->path ? strlen(s->path) : 0;

		/* Containers have cgroups of their own making below theirs. */
		if (len && strncmp(path, s->path, len) == 0 && (path[len] == '/' || !path[len]))
			return check(c, s) ? s : NULL;
	}
	return NULL;
}

static struct slot *slot_new(struct containers *c)
{
	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		if (!c->slots[i].path)
			return &c->slots[i];
	/* Ignored ones whose end is not seen pile up: they may be looked at again. */
	for (size_t i = 0; i < CONTAINERS_MAX; i++) {
		if (!c->slots[i].is_watched && c->slots[i].events_fd < 0) {
			slot_free(&c->slots[i]);
			return &c->slots[i];
		}
	}
	return NULL;
}

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* What holds a Pod's namespaces; its container is the runtime's, not the kubelet's. */
static bool is_pause_process(const struct process *p)
{
	char comm[32] = "";

	(void)process_comm(p, comm, sizeof(comm)); /* ended: "" is no pause */
	return strcmp(comm, "pause") == 0 || strcmp(comm, "catatonit") == 0;
}

/* Why a container is ignored; NULL: it is to be watched. */
static const char *reason_of(const struct containers *c, const struct process_home *home,
			     const char *name)
{
	if (c->pod_uid[0] && home->pod_uid[0] && strcmp(c->pod_uid, home->pod_uid) != 0)
		return "of another Pod";
	if (c->only)
		return value_is_listed(c->only, name) ? NULL : "not in --containers";
	if (is_one_of(name, proxies, sizeof(proxies) / sizeof(proxies[0])))
		return "a proxy; --containers can name it";
	return NULL;
}

/* Of the processes that live in its cgroup. */
static int older(void *ctx, pid_t pid)
{
	struct container *c = ctx;
	struct process p = {.dir_fd = -1};
	uint64_t started;

	if (process_open(&p, pid))
		return 0;
	if (process_started(&p, &started) == 0 && started < c->started) {
		c->started = started;
		c->pid = pid;
	}
	process_close(&p);
	return 0;
}

static int watch(struct containers *c, struct slot *s, struct cgroup *cgroup)
{
	struct epoll_event event = {.events = EPOLLPRI | EPOLLET,
				    .data.u32 = (uint32_t)(s - c->slots)};
	struct container *who = &s->container;
	int err;

	who->cgroup_id = cgroup->id;
	s->events_fd = cgroup_events_open(cgroup);
	if (s->events_fd < 0 || epoll_ctl(c->fd, EPOLL_CTL_ADD, s->events_fd, &event)) {
		err = -errno;
		cgroup_close(cgroup);
		return err;
	}
	who->started = UINT64_MAX;
	(void)cgroup_each(cgroup, older, who); /* if it fails, pid is whom we found it by */
	err = c->ops->found(c->ctx, who, cgroup);
	s->is_watched = !err;
	/* It may have ended before its file was opened, and then nothing tells. */
	if (!err && check(c, s))
		recheck_later(c);
	return err;
}

static void set_names(struct container *who, const struct process_home *home, const char *path)
{
	char name[IDENTITY_VALUE_MAX];

	process_container_id(path, who->id);
	if (home->container[0])
		(void)snprintf(name, sizeof(name), "%s", home->container);
	else
		(void)snprintf(name, sizeof(name), "%.*s", SHORT_ID, who->id);
	identity_clean(who->name, name);
}

static const char *trouble(int err)
{
	if (err == -EXDEV || err == -EMEDIUMTYPE || err == -ENOENT)
		return "its own cgroup is mounted nowhere in it; is it privileged?";
	if (err == -EACCES || err == -EPERM)
		return "not allowed; CAP_SYS_PTRACE is what it takes";
	if (err == -EBUSY)
		return "a program of somebody else holds its hooks";
	return strerror(-err);
}

/* A container that is seen for the first time; path is its process's cgroup. */
static int add_container(struct containers *c, const struct process *p, const char *path,
			 const struct process_home *home)
{
	struct slot *s = slot_new(c);
	struct cgroup cgroup = {.fd = -1};
	const char *reason;
	bool is_pause;
	int err;

	if (!s) {
		if (!c->is_full)
			log_warn("pod: more than %d containers: some are not watched",
				 CONTAINERS_MAX);
		c->is_full = true;
		return 0;
	}
	s->events_fd = -1;
	s->container.pid = p->pid;
	set_names(&s->container, home, home->mount_id ? home->cgroup : path);
	is_pause = !home->container[0] && is_pause_process(p);
	reason = is_pause ? "holds the namespaces" : reason_of(c, home, s->container.name);
	err = reason ? 0 : process_open_cgroup(p, home, &cgroup);
	s->path = strdup(home->mount_id ? home->cgroup : path);
	if (!s->path) {
		cgroup_close(&cgroup);
		return -EAGAIN;
	}
	if (reason) {
		log_debug("pod: container %s is left out: %s", s->container.name, reason);
		return 0;
	}
	if (!err)
		err = watch(c, s, &cgroup);
	if (err == -ESRCH || err == -ENODEV) {
		slot_free(s); /* it has ended meanwhile */
		return 0;
	}
	s->is_failed = err != 0;
	if (err)
		log_warn("pod: container %s is not watched (%s)", s->container.name, trouble(err));
	return 0;
}

/* Before its first program is executed a container's mounts are in the making. */
static bool is_complete(const struct containers *c, const struct process *p,
			const struct process_home *home)
{
	if (!home->container[0] && is_pause_process(p))
		return true;
	return home->mount_id && (home->container[0] || !c->pod_uid[0]);
}

static int look(struct containers *c, const struct process *p, enum containers_look how)
{
	scoped_free struct process_home *home = malloc(sizeof(*home));
	char path[PATH_MAX];
	struct slot *s;

	if (!home)
		return -EAGAIN;
	if (process_cgroup(p, path, sizeof(path)) || process_is_own(path, c->own))
		return 0;
	s = slot_of(c, path);
	if (s && !(s->is_failed && how == LOOK_EXEC && s->retries < RETRIES_MAX))
		return 0;
	/* Not of this Pod: the runtime, before it puts the process into its container. */
	if (process_is_far(path) || process_is_above(path, c->own))
		return how == LOOK_EARLY ? -EAGAIN : 0;
	if (process_home(p, path, c->own, c->pods_dir, home))
		return 0; /* it has ended */
	if (how != LOOK_LAST && !is_complete(c, p, home)) {
		if (s)
			s->retries++;
		return -EAGAIN;
	}
	if (s)
		slot_free(s);
	return add_container(c, p, path, home);
}

int containers_look(struct containers *c, pid_t pid, enum containers_look how)
{
	scoped_privilege int raised = privilege_raise();
	struct process p = {.dir_fd = -1};
	int err;

	if (process_open(&p, pid))
		return 0;
	err = look(c, &p, how);
	process_close(&p);
	return err;
}

void containers_scan(struct containers *c, enum containers_look how,
		     void (*later)(void *ctx, pid_t pid), void *ctx)
{
	scoped_privilege int raised = privilege_raise();
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)atoi(entry->d_name); /* 0: not a process */

		if (pid > 0 && containers_look(c, pid, how) == -EAGAIN)
			later(ctx, pid);
	}
	if (dir)
		(void)closedir(dir);
}

size_t containers_watched(const struct containers *c)
{
	size_t n = 0;

	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		n += c->slots[i].is_watched;
	return n;
}
