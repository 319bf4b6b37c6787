/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tls_probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/link_closer.h"
#include "broker/mapped_files.h"
#include "broker/tls_forks.h"
#include "broker/tls_watch.h"
#include "pod/privilege.h"
#include "pod/process.h"

/*
 * When a process is looked at, counted from when it was found. The dynamic linker needs a
 * millisecond or two; programs that load a library later do so while they start.
 */
static const uint16_t look_after_ms[] = {0, 3, 10, 30, 100, 300, 1000, 3000};

#define LOOKS	     (sizeof(look_after_ms) / sizeof(look_after_ms[0]))
#define ASK_LEAST_MS 1000
/* The channel is full, or memory is short: a try again. */
#define RETRY_MS 20
/* Programs that fork without end do not keep us busy. */
#define WALK_LEAST_MS 5
/* Links that are being closed: two seconds' work of the threads that do it. */
#define EARLY_CLOSING_MAX 200

static void on_timer(uv_timer_t *timer);

static void report(struct tls_probes *t)
{
	struct channel_message m = {.kind = CHANNEL_TLS, .tls.reach = t->reach};

	for (size_t i = 0; i < t->process_count; i++)
		m.tls.probes += t->processes[i].probe_count;
	for (size_t i = 0; i < t->file_count; i++)
		m.tls.probes += t->files[i].shared_fd >= 0;
	if (m.tls.reach == t->reported_reach && m.tls.probes == t->reported_probes)
		return;
	/* It is reported again with the next change. */
	if (channel_send(t->targets->channel, &m) == 0) {
		t->reported_reach = t->reach;
		t->reported_probes = m.tls.probes;
	}
}

static void warn_full(struct tls_probes *t, const char *what)
{
	if (!t->is_full)
		log_warn("tls: there are too many %s: TLS of some of them is not decrypted", what);
	t->is_full = true;
}

static bool has_probe(const struct tls_process *p, size_t file)
{
	for (size_t i = 0; i < p->probe_count; i++)
		if (p->probe[i].file == file)
			return true;
	return false;
}

static void set_probed(struct tls_probes *t)
{
	if (t->reach == TLS_REACH_PROBED)
		return;
	t->reach = TLS_REACH_PROBED;
	programs_read_tls(t->targets->programs);
}

static void attach(struct tls_probes *t, struct tls_process *p, uint16_t file)
{
	const struct tls_file *f = &t->files[file];
	char comm[PROCESS_COMM_MAX];
	int fd;

	if (f->shared_fd >= 0 || has_probe(p, file))
		return;
	if (key_probes_way(t->probes) == KEY_PROBES_OF_ALL) {
		tls_forks_share(t, file, "this kernel cannot keep it to one");
		if (f->shared_fd >= 0)
			set_probed(t);
		return;
	}
	if (p->probe_count == TLS_PROBES_MAX) {
		warn_full(t, "libraries in one process");
		return;
	}
	fd = key_probes_attach(t->probes, f->fd, p->pid, &f->site);
	process_shown_comm(p->pid, comm);
	if (fd < 0) {
		if (fd != -ESRCH && !t->has_failed)
			log_warn("tls: %s of process %d (%s) cannot be probed (%s); further "
				 "failures are not logged",
				 f->name, (int)p->pid, comm, strerror(-fd));
		t->has_failed |= fd != -ESRCH;
		return;
	}
	p->probe[p->probe_count].fd = fd;
	p->probe[p->probe_count++].file = file;
	log_debug("tls: probing %s of process %d (%s)", f->name, (int)p->pid, comm);
	set_probed(t);
}

/* Of one look at a process. */
struct look {
	struct tls_probes *t;
	struct tls_process *process;
};

static void add_file(struct tls_probes *t, pid_t pid, const struct mapped_file *f)
{
	if (t->file_count == TLS_FILES_MAX)
		warn_full(t, "mapped files");
	else
		tls_file_open(&t->files[t->file_count++], pid, f);
}

static void on_mapped(void *ctx, const struct mapped_file *f)
{
	struct look *look = ctx;
	int i = tls_file_find(look->t->files, look->t->file_count, f);

	if (i < 0)
		add_file(look->t, look->process->pid, f);
	else if (look->t->files[i].state == TLS_FILE_FOUND)
		attach(look->t, look->process, (uint16_t)i);
}

static void search(struct tls_probes *t)
{
	int fds[LIBRARY_SEARCH_FILES];
	size_t count = 0;

	if (t->search.is_running)
		return;
	for (size_t i = 0; i < t->file_count && count < LIBRARY_SEARCH_FILES; i++)
		if (t->files[i].state == TLS_FILE_NEW) {
			t->files[i].state = TLS_FILE_SEARCHED;
			t->searched[count] = (uint16_t)i;
			fds[count++] = t->files[i].fd;
		}
	if (count && library_search_start(&t->search, fds, count))
		for (size_t i = 0; i < count; i++)
			t->files[t->searched[i]].state = TLS_FILE_NEW; /* at the next look */
}

/* Closes what is attached to a process, which is gone. */
static void detach(struct tls_probes *t, struct tls_process *p)
{
	int fds[TLS_PROBES_MAX];

	for (size_t i = 0; i < p->probe_count; i++)
		fds[i] = p->probe[i].fd;
	link_closer_close(t->loop, fds, p->probe_count);
	p->probe_count = 0;
}

/* Probes of another process, which had the same number before, are closed. */
static void identify(struct tls_probes *t, struct tls_process *p)
{
	struct process process;
	uint64_t started = 0;

	if (process_open(&process, p->pid) == 0) {
		(void)process_started(&process, &started); /* it has ended, if this fails */
		process_close(&process);
	}
	if (p->started != started)
		detach(t, p);
	p->started = started;
}

static void look_at(struct tls_probes *t, struct tls_process *p)
{
	struct look look = {t, p};

	identify(t, p);
	/* It has ended, if this fails; the next walk says so. */
	(void)mapped_files_each(p->pid, on_mapped, &look);
}

/* The worker gets the secrets from the kernel itself. */
static void share_secrets(struct tls_probes *t)
{
	struct channel_message m = {.kind = CHANNEL_SECRETS};
	int err;

	if (t->is_shared)
		return;
	key_probes_secret_maps(t->probes, m.secret_fds);
	err = channel_send(t->targets->channel, &m);
	/* If not, then later: the kernel keeps them meanwhile. A worker that is gone shows by
	 * itself. */
	t->is_shared = !err || err == -EPIPE || err == -ECONNRESET;
	if (t->is_shared || err == -EAGAIN || t->has_warned)
		return;
	log_warn("tls: TLS is not decrypted until the worker is told where its secrets are (%s)",
		 strerror(-err));
	t->has_warned = true;
}

static void set_handles(struct tls_probes *t)
{
	uint64_t now = uv_now(t->loop);
	uint64_t due = t->is_changed ? t->walked_ms + WALK_LEAST_MS : UINT64_MAX;

	for (size_t i = 0; i < t->process_count; i++)
		if (t->processes[i].due_ms < due)
			due = t->processes[i].due_ms;
	if (!t->is_shared && now + RETRY_MS < due)
		due = now + RETRY_MS;
	if (due == UINT64_MAX)
		(void)uv_timer_stop(&t->timer);
	else
		(void)uv_timer_start(&t->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_found(void *ctx, size_t i, int err, const union library_found *found)
{
	struct tls_probes *t = ctx;
	struct tls_file *f = &t->files[t->searched[i]];

	f->site = found->key_log;
	f->state = err ? TLS_FILE_NONE : TLS_FILE_FOUND;
	if (err == -EOPNOTSUPP)
		log_warn("tls: %s has a key-log function that cannot be probed; TLS of its "
			 "processes is not decrypted",
			 f->name);
	else if (!err)
		log_info("tls: %s: the secrets of its handshakes are read", f->name);
	if (!err) /* whoever has mapped it gets its probe */
		for (size_t p = 0; p < t->process_count; p++)
			t->processes[p].due_ms = uv_now(t->loop);
}

/* A file without result made the search end: it is not tried again. */
static void on_done(void *ctx)
{
	struct tls_probes *t = ctx;

	for (size_t i = 0; i < t->search.count; i++)
		if (t->files[t->searched[i]].state == TLS_FILE_SEARCHED)
			t->files[t->searched[i]].state = TLS_FILE_NONE;
	for (size_t i = 0; i < t->file_count; i++)
		if (t->files[i].state == TLS_FILE_NONE && t->files[i].fd >= 0) {
			(void)close(t->files[i].fd); /* read only */
			t->files[i].fd = -1;
		}
	search(t);
	set_handles(t);
}

static struct tls_process *find_process(struct tls_probes *t, pid_t pid)
{
	for (size_t i = 0; i < t->process_count; i++)
		if (t->processes[i].pid == pid)
			return &t->processes[i];
	return NULL;
}

static void look_from_now(struct tls_probes *t, struct tls_process *p)
{
	p->born_ms = p->due_ms = uv_now(t->loop);
	p->looks = 0;
}

static int on_process(void *ctx, pid_t pid)
{
	struct tls_probes *t = ctx;
	struct tls_process *p = find_process(t, pid);

	if (!p && t->process_count == TLS_PROCESSES_MAX) {
		warn_full(t, "processes");
		return 0;
	}
	if (!p) {
		p = &t->processes[t->process_count++];
		*p = (struct tls_process){.pid = pid};
		look_from_now(t, p);
	}
	p->is_there = true;
	return 0;
}

static void drop_process(struct tls_probes *t, struct tls_process *p)
{
	struct tls_process ended = *p;

	detach(t, p);
	*p = t->processes[--t->process_count];
	tls_forks_ended(t, &ended);
}

/* Which processes the targets have now. */
static void walk(struct tls_probes *t)
{
	tls_watch(t->probes, t->targets, t->watched);
	for (size_t i = 0; i < t->process_count; i++)
		t->processes[i].is_there = false;
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (t->targets->slots[i].target)
			(void)cgroup_each(&t->targets->slots[i].target->cgroup, on_process, t);
	for (size_t i = t->process_count; i > 0; i--)
		if (!t->processes[i - 1].is_there)
			drop_process(t, &t->processes[i - 1]);
}

/*
 * A probe that is attached before the dynamic linker maps the library catches the first handshake
 * of a program that has just been executed; it costs 50 us. A process that was forked gets those of
 * its parent. Not while many of them are being closed: programs that live for a moment get none
 * then.
 */
static void attach_early(struct tls_probes *t, struct tls_process *p,
			 const struct tls_process *parent)
{
	scoped_privilege int raised = privilege_raise();

	identify(t, p); /* otherwise the first look would take these probes for another's */
	for (size_t i = 0; i < t->file_count; i++)
		if (t->files[i].state == TLS_FILE_FOUND && (!parent || has_probe(parent, i)) &&
		    link_closer_count() < EARLY_CLOSING_MAX)
			attach(t, p, (uint16_t)i);
}

static void on_event(void *ctx, pid_t pid, pid_t parent)
{
	struct tls_probes *t = ctx;
	struct tls_process *p;

	t->is_changed = true;
	if (!pid || (parent && !find_process(t, parent)))
		return;
	(void)on_process(t, pid);
	p = find_process(t, pid);
	if (p) {
		p->parent = parent;
		look_from_now(t, p);
		attach_early(t, p, parent ? find_process(t, parent) : NULL);
	}
}

static void on_timer(uv_timer_t *timer)
{
	scoped_privilege int raised = privilege_raise();
	struct tls_probes *t = timer->data;
	uint64_t now = uv_now(t->loop);

	share_secrets(t);
	if (t->is_changed && now >= t->walked_ms + WALK_LEAST_MS) {
		t->is_changed = false;
		t->walked_ms = now;
		walk(t);
	}
	for (struct tls_process *p = t->processes; p < t->processes + t->process_count; p++) {
		if (p->due_ms > now)
			continue;
		look_at(t, p);
		while (p->looks < LOOKS && p->born_ms + look_after_ms[p->looks] <= now)
			p->looks++;
		p->due_ms = p->looks < LOOKS ? p->born_ms + look_after_ms[p->looks] : UINT64_MAX;
	}
	search(t);
	report(t);
	set_handles(t);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct tls_probes *t = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	uv_update_time(t->loop);
	key_probes_processes(t->probes, on_event, t);
	set_handles(t);
}

/* A target is watched from now on: before its program is let go. */
static void on_added(void *ctx, const struct target *target)
{
	struct tls_probes *t = ctx;

	if (t->on_added)
		t->on_added(t->on_added_ctx, target);
	t->is_changed = true;
	t->walked_ms = 0;
	on_timer(&t->timer);
}

static void on_dropped(void *ctx)
{
	struct tls_probes *t = ctx;

	t->is_changed = true;
	set_handles(t);
}

static void start(struct tls_probes *t)
{
	library_search_init(&t->search, t->loop, LIBRARY_KEY_LOG, on_found, on_done, t);
	(void)uv_timer_init(t->loop, &t->timer); /* cannot fail */
	(void)uv_poll_init(t->loop, &t->poll, key_probes_fd(t->probes)); /* epoll: nor this, nor: */
	(void)uv_poll_start(&t->poll, UV_READABLE, on_readable);
	t->timer.data = t->poll.data = t;
	t->on_added = t->targets->on_added;
	t->on_added_ctx = t->targets->on_added_ctx;
	t->targets->on_added = on_added;
	t->targets->on_added_ctx = t;
	t->targets->on_dropped = on_dropped;
	t->targets->on_dropped_ctx = t;
	t->is_changed = true;
	on_timer(&t->timer); /* targets that there are: before a CMD is let go */
}

/* If the channel has no room now, at the start, the worker counts the connections as no_library. */
static void report_refusal(struct targets *targets)
{
	const struct channel_message m = {.kind = CHANNEL_TLS, .tls.reach = TLS_REACH_KERNEL};

	(void)channel_send(targets->channel, &m); /* see above */
}

struct tls_probes *tls_probes_new(uv_loop_t *loop, struct targets *targets)
{
	struct tls_probes *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		log_warn("tls: out of memory; TLS is not decrypted");
		report_refusal(targets);
		return NULL;
	}
	t->targets = targets;
	t->loop = loop;
	t->reach = TLS_REACH_NO_LIBRARY;
	err = key_probes_new(&t->probes);
	if (!err) {
		start(t);
		return t;
	}
	log_warn("tls: TLS is not decrypted: %s", key_probes_reason(err));
	report_refusal(targets);
	free(t);
	return NULL;
}

void tls_probes_look(struct tls_probes *t)
{
	uint64_t now = t ? uv_now(t->loop) : 0;

	if (!t || t->is_stopped || now - t->asked_ms < ASK_LEAST_MS)
		return;
	t->asked_ms = now;
	t->is_changed = true;
	for (size_t i = 0; i < t->process_count; i++)
		t->processes[i].due_ms = now;
	set_handles(t);
}

void tls_probes_stop(struct tls_probes *t)
{
	if (!t || t->is_stopped)
		return;
	t->is_stopped = true;
	t->targets->on_added = t->on_added;
	t->targets->on_added_ctx = t->on_added_ctx;
	t->targets->on_dropped = NULL;
	library_search_stop(&t->search);
	uv_close((uv_handle_t *)&t->timer, NULL);
	uv_close((uv_handle_t *)&t->poll, NULL);
}

void tls_probes_free(struct tls_probes *t)
{
	if (!t)
		return;
	/* Links go with this process: to close each takes its time. */
	for (size_t i = 0; i < t->file_count; i++)
		if (t->files[i].fd >= 0)
			(void)close(t->files[i].fd); /* read only */
	key_probes_free(t->probes);
	free(t);
}
