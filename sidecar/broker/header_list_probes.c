/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/header_list_probes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/library_search.h"
#include "broker/link_closer.h"
#include "broker/transports.h"
#include "capture/header_lists.h"
#include "pod/privilege.h"

#define PROCESSES_MAX 64
#define FILES_MAX     LIBRARY_SEARCH_FILES
/* The worker reads its channel later: a try again. */
#define RETRY_MS 2
/* New processes are looked for so often, while lists are wanted. */
#define WALK_MS 2000

/* A writer that is known is looked up again so long after its last list; one that is not, sooner.
 */
#define WRITER_KEPT_NS	 UINT64_C(10000000000)
#define WRITER_IGNORE_NS UINT64_C(200000000)
/* Lists in one turn of the loop. */
#define LISTS_PER_TURN 64

enum file_state { FILE_FREE, FILE_NEW, FILE_SEARCHED, FILE_FOUND, FILE_NONE };

/* A program that processes of the targets run. */
struct file {
	enum file_state state;
	dev_t device;
	ino_t inode;
	int fd;
	struct go_grpc_sites sites;
};

/* A process of the targets. */
struct probed {
	pid_t pid;
	uint8_t file;
	bool is_there; /* of the walk under way */
	bool has_failed; /* to be probed: not tried again */
	int link; /* -1: it is not probed */
};

/* A connection. */
struct wanted {
	uint64_t until_ms; /* 0: the place is free */
	struct sl_list_ends ends;
};

struct header_list_probes {
	struct targets *targets; /* borrowed */
	uv_loop_t *loop;
	struct header_lists *lists; /* owned; NULL: OFF */
	bool is_refused;
	bool is_stopped;
	bool is_full; /* one line said so */
	uint64_t wanted_ms;
	unsigned taken; /* lists of this turn */
	uint64_t lost; /* lists of earlier times ON, and those that could not be sent */
	struct library_search search;
	uint8_t searched[FILES_MAX];
	struct file files[FILES_MAX];
	struct wanted wanted[SL_LIST_WANTED_MAX];
	struct probed processes[PROCESSES_MAX];
	size_t process_count;
	struct transports *transports; /* owned; while ON */
	struct channel_message pending; /* if has_pending: the channel had no room for it */
	bool has_pending;
	uv_timer_t timer;
	uv_timer_t retry;
	uv_poll_t poll;
};

static void on_timer(uv_timer_t *timer);
static void on_retry(uv_timer_t *timer);
static void on_readable(uv_poll_t *poll, int status, int events);

/* --- lists ------------------------------------------------------------------------ */

/* False: the channel has no room; the message is sent later. */
static bool send_pending(struct header_list_probes *p)
{
	int err = channel_send_bulk(p->targets->channel, &p->pending, CHANNEL_BULK_LISTS);

	p->has_pending = err == -EAGAIN;
	p->lost += err && err != -EAGAIN;
	if (!p->has_pending) /* header fields may be credentials */
		explicit_bzero(p->pending.header_list.text, sizeof(p->pending.header_list.text));
	return !p->has_pending;
}

/* Tells the program in the kernel whether the lists of this writer are to be copied. */
static void set_writer(struct header_list_probes *p, const struct sl_header_list *list,
		       bool is_wanted)
{
	const struct sl_list_writer writer = {.object = list->object, .tgid = list->tgid};
	const struct sl_list_writer_state state = {
		.until_ns = uv_hrtime() + (is_wanted ? WRITER_KEPT_NS : WRITER_IGNORE_NS),
		.is_wanted = is_wanted};

	(void)header_lists_set_writer(p->lists, &writer, &state); /* else it is asked about again */
}

static bool send_list(struct header_list_probes *p, const struct sl_header_list *list,
		      const struct transport *t)
{
	struct channel_message *m = &p->pending;

	m->kind = CHANNEL_HEADER_LIST;
	m->header_list.ends = t->ends;
	m->header_list.stream = list->stream;
	m->header_list.is_server = t->is_server;
	m->header_list.is_written = list->function == SL_LIST_WRITES;
	m->header_list.is_end = list->is_end;
	m->header_list.bytes = list->bytes;
	memcpy(m->header_list.text, list->text, list->bytes);
	return send_pending(p);
}

static bool on_list(void *ctx, const struct sl_header_list *list)
{
	struct header_list_probes *p = ctx;
	const struct transport *t = transports_find(p->transports, list, uv_now(p->loop));
	bool has_room = true;

	if (list->function == SL_LIST_WRITES)
		set_writer(p, list, t);
	if (t && list->fields)
		has_room = send_list(p, list, t);
	return has_room && ++p->taken < LISTS_PER_TURN;
}

/* What the worker does not take now is sent later; the kernel keeps the rest meanwhile. */
static void hand_over(struct header_list_probes *p)
{
	p->taken = 0;
	if (!p->has_pending || send_pending(p))
		header_lists_take(p->lists, on_list, p);
	if (p->has_pending) {
		(void)uv_poll_stop(&p->poll); /* cannot fail, nor what follows */
		(void)uv_timer_start(&p->retry, on_retry, RETRY_MS, 0);
	} else {
		(void)uv_poll_start(&p->poll, UV_READABLE, on_readable);
	}
}

static void on_retry(uv_timer_t *timer)
{
	hand_over(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status; /* an error shows as readable */
	(void)events;
	hand_over(poll->data);
}

/* --- processes -------------------------------------------------------------------- */

static void attach(struct header_list_probes *p, struct probed *process)
{
	const struct file *f = &p->files[process->file];

	if (process->link >= 0 || process->has_failed || f->state != FILE_FOUND)
		return;
	process->link = header_lists_attach(p->lists, f->fd, process->pid, &f->sites);
	process->has_failed = process->link < 0;
	if (process->link >= 0)
		log_debug("grpc: reading header lists of process %d", (int)process->pid);
	else if (process->link != -ESRCH)
		log_warn("grpc: process %d cannot be probed (%s): header fields of its connections "
			 "that are older than sidelight stay unknown",
			 (int)process->pid, strerror(-process->link));
}

static void detach(struct header_list_probes *p, struct probed *process)
{
	if (process->link >= 0)
		link_closer_close(p->loop, &process->link, 1);
	process->link = -1;
}

static void on_found(void *ctx, size_t i, int err, const union library_found *found)
{
	struct header_list_probes *p = ctx;
	struct file *f = &p->files[p->searched[i]];

	f->state = err ? FILE_NONE : FILE_FOUND;
	f->sites = found->go_grpc;
	for (size_t n = 0; p->lists && n < p->process_count; n++)
		attach(p, &p->processes[n]);
}

/* The child has ended: files without result made it end. */
static void on_searched(void *ctx)
{
	struct header_list_probes *p = ctx;

	for (size_t i = 0; i < FILES_MAX; i++)
		if (p->files[i].state == FILE_SEARCHED)
			p->files[i].state = FILE_NONE;
}

static void search(struct header_list_probes *p)
{
	int fds[FILES_MAX];
	size_t count = 0;

	if (p->search.is_running)
		return;
	for (size_t i = 0; i < FILES_MAX; i++)
		if (p->files[i].state == FILE_NEW) {
			p->files[i].state = FILE_SEARCHED;
			p->searched[count] = (uint8_t)i;
			fds[count++] = p->files[i].fd;
		}
	if (count && library_search_start(&p->search, fds, count))
		for (size_t i = 0; i < count; i++)
			p->files[p->searched[i]].state = FILE_NEW; /* at the next walk */
}

static void warn_full(struct header_list_probes *p, const char *what)
{
	if (!p->is_full)
		log_warn("grpc: there are too many %s: header fields of some connections that are "
			 "older than sidelight stay unknown",
			 what);
	p->is_full = true;
}

/* The position of the file; -1: there are too many. Takes fd. */
static int find_file(struct header_list_probes *p, int fd, const struct stat *st)
{
	int place = -1;

	for (int i = FILES_MAX - 1; i >= 0; i--) {
		const struct file *f = &p->files[i];

		if (f->state == FILE_FREE)
			place = i;
		else if (f->device == st->st_dev && f->inode == st->st_ino) {
			(void)close(fd); /* read only */
			return i;
		}
	}
	if (place >= 0) {
		p->files[place] = (struct file){FILE_NEW, st->st_dev, st->st_ino, fd, {{0}}};
		return place;
	}
	(void)close(fd); /* likewise */
	warn_full(p, "programs");
	return -1;
}

static void drop_file(struct file *f)
{
	if (f->state != FILE_FREE)
		(void)close(f->fd); /* read only */
	f->state = FILE_FREE;
}

/* Those that no process runs any more. */
static void drop_unused_files(struct header_list_probes *p)
{
	bool is_used[FILES_MAX] = {false};

	for (size_t i = 0; i < p->process_count; i++)
		is_used[p->processes[i].file] = true;
	for (size_t i = 0; i < FILES_MAX; i++)
		if (!is_used[i] && p->files[i].state != FILE_SEARCHED)
			drop_file(&p->files[i]);
}

/* The program that a process runs now. Negative: it has ended, or cannot be read. */
static int find_program(struct header_list_probes *p, pid_t pid)
{
	char path[32];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid); /* shorter */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return find_file(p, fd, &st);
	if (fd >= 0)
		(void)close(fd); /* read only */
	return -1;
}

static int on_process(void *ctx, pid_t pid)
{
	struct header_list_probes *p = ctx;
	struct probed *process = NULL;
	int file = find_program(p, pid);

	for (size_t i = 0; !process && i < p->process_count; i++)
		if (p->processes[i].pid == pid)
			process = &p->processes[i];
	if (file < 0)
		return 0;
	if (!process && p->process_count == PROCESSES_MAX) {
		warn_full(p, "processes");
		return 0;
	}
	if (!process) {
		process = &p->processes[p->process_count++];
		*process = (struct probed){.pid = pid, .file = (uint8_t)file, .link = -1};
	}
	if (process->file != file) {
		detach(p, process);
		process->has_failed = false;
	}
	process->file = (uint8_t)file;
	process->is_there = true;
	attach(p, process);
	return 0;
}

static void walk(struct header_list_probes *p)
{
	scoped_privilege int raised = privilege_raise();

	for (size_t i = 0; i < p->process_count; i++)
		p->processes[i].is_there = false;
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (p->targets->slots[i].target && !p->targets->slots[i].part_of)
			(void)cgroup_each(&p->targets->slots[i].target->cgroup, on_process, p);
	for (size_t i = p->process_count; i > 0; i--) {
		if (p->processes[i - 1].is_there)
			continue;
		detach(p, &p->processes[i - 1]);
		p->processes[i - 1] = p->processes[--p->process_count];
	}
	drop_unused_files(p);
	search(p);
}

/* --- ON and OFF ------------------------------------------------------------------- */

static void turn_on(struct header_list_probes *p)
{
	int err;

	p->transports = calloc(1, sizeof(*p->transports));
	err = p->transports ? header_lists_new(&p->lists) : -ENOMEM;
	if (err) {
		p->is_refused = true;
		free(p->transports);
		p->transports = NULL;
		log_info("grpc: header fields of connections that are older than sidelight stay "
			 "unknown until they are sent in full (%s)",
			 err == -EOPNOTSUPP ? "probes of programs need Linux 6.10"
					    : strerror(-err));
		return;
	}
	link_closer_start(p->loop);
	for (size_t i = 0; i < SL_LIST_WANTED_MAX; i++)
		if (p->wanted[i].until_ms)
			(void)header_lists_want(p->lists, &p->wanted[i].ends); /* there is room */
	(void)uv_poll_init(p->loop, &p->poll, header_lists_fd(p->lists)); /* an epoll instance: */
	p->poll.data = p; /* cannot fail, nor the next */
	(void)uv_poll_start(&p->poll, UV_READABLE, on_readable);
}

static void turn_off(struct header_list_probes *p)
{
	if (!p->lists)
		return;
	library_search_stop(&p->search); /* after which it calls nobody */
	uv_close((uv_handle_t *)&p->poll, NULL);
	(void)uv_timer_stop(&p->retry); /* cannot fail */
	p->lost += p->has_pending;
	p->has_pending = false;
	while (p->process_count)
		detach(p, &p->processes[--p->process_count]);
	for (size_t i = 0; i < FILES_MAX; i++)
		drop_file(&p->files[i]);
	memset(p->wanted, 0, sizeof(p->wanted));
	p->lost += header_lists_lost(p->lists);
	header_lists_free(p->lists);
	p->lists = NULL;
	free(p->transports);
	p->transports = NULL;
}

/* --- connections ------------------------------------------------------------------ */

static struct wanted *find_wanted(struct header_list_probes *p, const struct sl_list_ends *ends)
{
	struct wanted *place = NULL;

	for (size_t i = 0; i < SL_LIST_WANTED_MAX; i++) {
		struct wanted *w = &p->wanted[i];

		if (w->until_ms && memcmp(&w->ends, ends, sizeof(*ends)) == 0)
			return w;
		if (!w->until_ms)
			place = w;
	}
	return place;
}

/* Without room the connection is not wanted: the worker has no more of them at once. */
static void want(struct header_list_probes *p, const struct sl_list_ends *ends)
{
	struct wanted *w = find_wanted(p, ends);

	if (!w || (p->lists && !w->until_ms && header_lists_want(p->lists, ends)))
		return;
	w->ends = *ends;
	w->until_ms = p->wanted_ms + HEADER_LISTS_KEPT_MS;
}

static void unwant(struct header_list_probes *p, uint64_t now_ms)
{
	for (size_t i = 0; i < SL_LIST_WANTED_MAX; i++) {
		struct wanted *w = &p->wanted[i];

		if (!w->until_ms || w->until_ms > now_ms)
			continue;
		header_lists_unwant(p->lists, &w->ends);
		w->until_ms = 0;
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct header_list_probes *p = timer->data;
	uint64_t now = uv_now(p->loop);

	if (now - p->wanted_ms >= HEADER_LISTS_KEPT_MS) {
		turn_off(p);
		return;
	}
	if (!p->lists)
		turn_on(p);
	if (!p->lists)
		return;
	unwant(p, now);
	walk(p);
	(void)uv_timer_start(&p->timer, on_timer, WALK_MS, 0); /* cannot fail */
}

void header_list_probes_want(struct header_list_probes *p, const struct sl_list_ends *ends,
			     size_t count)
{
	if (!p || p->is_stopped || p->is_refused)
		return;
	p->wanted_ms = uv_now(p->loop);
	for (size_t i = 0; i < count; i++)
		want(p, &ends[i]);
	/* From the loop, where no capability is in force: threads are started there. */
	if (!uv_is_active((uv_handle_t *)&p->timer))
		(void)uv_timer_start(&p->timer, on_timer, 0, 0); /* cannot fail */
}

struct header_list_probes *header_list_probes_new(uv_loop_t *loop, struct targets *targets)
{
	struct header_list_probes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->targets = targets;
	p->loop = loop;
	library_search_init(&p->search, loop, LIBRARY_GO_GRPC, on_found, on_searched, p);
	(void)uv_timer_init(loop, &p->timer); /* cannot fail */
	(void)uv_timer_init(loop, &p->retry); /* nor this */
	p->timer.data = p->retry.data = p;
	return p;
}

uint64_t header_list_probes_lost(const struct header_list_probes *p)
{
	return p ? p->lost + (p->lists ? header_lists_lost(p->lists) : 0) : 0;
}

void header_list_probes_stop(struct header_list_probes *p)
{
	if (!p || p->is_stopped)
		return;
	p->is_stopped = true;
	turn_off(p);
	uv_close((uv_handle_t *)&p->timer, NULL);
	uv_close((uv_handle_t *)&p->retry, NULL);
}

void header_list_probes_free(struct header_list_probes *p)
{
	free(p);
}
