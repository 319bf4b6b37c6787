/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/socket_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/socket_owner.h"
#include "capture/hooks.h"
#include "pod/cgroup_tree.h"
#include "pod/privilege.h"
#include "pod/process.h"

/* After a target was added; a container that has just started still opens its sockets. */
static const unsigned first_looks_ms[] = {50, 1000, 3000, 6000};
#define FIRST_LOOKS (sizeof(first_looks_ms) / sizeof(first_looks_ms[0]))
/* Between the steps of a look: whoever waits for the broker gets an answer meanwhile. */
#define STEP_MS 1
/* CPU time that looks take for each millisecond, at most: a thousandth of one CPU. */
#define COST_NS_PER_MS 1000
/* Cgroups that are attached to in one look. */
#define PARTS_MAX 8

static void on_timer(uv_timer_t *timer);

static void set_timer(struct socket_check *c)
{
	uint64_t ms = c->cost_ns / COST_NS_PER_MS;

	if (ms < SOCKET_CHECK_MS)
		ms = SOCKET_CHECK_MS;
	if (c->looks < FIRST_LOOKS && !c->is_broken)
		ms = first_looks_ms[c->looks];
	if (c->is_looking)
		ms = STEP_MS;
	(void)uv_timer_start(&c->timer, on_timer, ms, 0); /* has a callback */
}

/* "127.0.0.1:8080" */
static void add_address(struct text *out, const struct sock_info *s)
{
	char address[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(s->is_ipv6 ? AF_INET6 : AF_INET, s->local_addr, address, sizeof(address));
	text_addf(out, s->is_ipv6 ? "[%s]:%u" : "%s:%u", address, s->local_port);
	if (!s->is_listener)
		text_addf(out, " (with port %u of its peer)", s->remote_port);
}

static void add_process(struct text *out, pid_t pid)
{
	char comm[PROCESS_COMM_MAX];

	process_shown_comm(pid, comm);
	text_addf(out, "process %d (%s)", (int)pid, comm);
}

static void add_cgroup(struct text *out, uint64_t id)
{
	struct cgroup cg = {.fd = -1};
	int err = cgroup_tree_open(&cg, id);

	if (!err && cg.is_root)
		text_add(out, "the root cgroup");
	else if (!err)
		text_addf(out, "cgroup %s", cg.path);
	else
		text_add(out, "a cgroup that is not visible here, or was removed");
	cgroup_close(&cg);
}

static void say_other_cgroup(const struct socket_check_said *t, const struct sock_info *s,
			     uint32_t now, pid_t pid)
{
	struct text out;

	text_init(&out);
	add_process(&out, pid);
	text_addf(&out, " of %s has the %s ", t->name, s->is_listener ? "listener" : "connection");
	add_address(&out, s);
	if (now > 1)
		text_addf(&out, " and %u more sockets", now - 1);
	text_add(&out, " of ");
	add_cgroup(&out, s->cgroup_id);
	log_warn("run: %s: a socket stays in the cgroup where it was made, so this traffic is not "
		 "seen; start the process in its own cgroup instead of moving it there, and let it "
		 "open its sockets itself",
		 out.ptr);
	text_release(&out);
}

static void say_bypass(const struct socket_check_said *t, const struct sock_info *s, uint32_t now,
		       enum unseen reason)
{
	struct text out;

	text_init(&out);
	add_address(&out, s);
	if (now > 1)
		text_addf(&out, " and %u more", now - 1);
	if (reason == UNSEEN_SOCKMAP)
		log_warn("run: connection %s of %s is in a BPF sockmap, and nothing of it passes "
			 "TCP: what another program redirects there is not seen",
			 out.ptr, t->name);
	else
		log_warn("run: connection %s of %s carries data, and no segment of it is seen: its "
			 "requests are not counted",
			 out.ptr, t->name);
	text_release(&out);
}

static void say(struct socket_check_said *t, const struct socket_found *f)
{
	for (int reason = 0; reason < UNSEEN_MAX; reason++) {
		if (!f->now[reason] || t->has_said[reason])
			continue;
		t->has_said[reason] = true;
		if (reason == UNSEEN_OTHER_CGROUP)
			say_other_cgroup(t, &f->first[reason], f->now[reason], f->pid[reason]);
		else
			say_bypass(t, &f->first[reason], f->now[reason], (enum unseen)reason);
	}
}

static void send_found(struct socket_check *c, const struct socket_check_said *t,
		       const struct socket_found *f)
{
	struct channel_message m = {.kind = CHANNEL_UNSEEN, .unseen.number = t->number};

	memcpy(m.unseen.name, t->name, sizeof(m.unseen.name));
	memcpy(m.unseen.now, f->now, sizeof(m.unseen.now));
	memcpy(m.unseen.added, f->added, sizeof(m.unseen.added));
	/* A worker that is gone shows as the end of the channel. */
	if (channel_send(c->targets->channel, &m) == -EAGAIN)
		c->targets->is_deaf = true;
}

/* To the worker and the log, what has changed. */
static void report(struct socket_check *c, const struct socket_look *look)
{
	static const struct socket_found nothing;

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct targets_slot *s = &c->targets->slots[i];
		const struct socket_found *f = &look->found[i];
		struct socket_check_said *t = &c->said[i];
		bool is_there = s->target && !s->until_ms && !s->part_of;

		is_there = is_there && s->target->number == look->numbers[i];
		if (t->number && (!is_there || t->number != s->target->number)) {
			send_found(c, t, &nothing);
			*t = (struct socket_check_said){0};
		}
		if (!is_there)
			continue;
		t->number = s->target->number;
		memcpy(t->name, s->target->name, sizeof(t->name));
		say(t, f);
		if (memcmp(t->now, f->now, sizeof(t->now)) != 0 ||
		    memcmp(f->added, nothing.added, sizeof(f->added)) != 0)
			send_found(c, t, f);
		memcpy(t->now, f->now, sizeof(t->now));
	}
}

/* Attaches to a cgroup that is a part of a target. False: it is not. */
static bool add_part(struct socket_check *c, const struct socket_look *look, unsigned slot)
{
	const struct target *owner = c->targets->slots[slot].target;
	const struct socket_found *f = &look->found[slot];
	struct target *part = calloc(1, sizeof(*part));
	int err;

	if (!part)
		return false;
	part->cgroup.fd = -1;
	err = cgroup_tree_open(&part->cgroup, f->first[UNSEEN_OTHER_CGROUP].cgroup_id);
	if (!err && !socket_owner_is_sole(c->diag_fd, &look->holders, slot, &part->cgroup))
		err = -EBUSY;
	if (!err) {
		memcpy(part->name, owner->name, sizeof(part->name));
		err = targets_add_part(c->targets, part, owner->cgroup.id);
	}
	if (!err) {
		log_info("run: watching cgroup %s, too: no process is in it, and the listeners "
			 "that were made there are those of %s",
			 part->cgroup.path, part->name);
		return true;
	}
	cgroup_close(&part->cgroup);
	free(part);
	return false;
}

/* Is the target in this place the one that was there when the look began? */
static bool is_same(const struct socket_check *c, const struct socket_look *look, unsigned i)
{
	const struct target *t = c->targets->slots[i].target;

	return t && t->number == look->numbers[i];
}

/* Has anything been attached to that a look does not know of yet? */
static bool add_parts(struct socket_check *c, const struct socket_look *look)
{
	bool has_added = false;

	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct socket_found *f = &look->found[i];

		if (is_same(c, look, i) && f->now[UNSEEN_OTHER_CGROUP] &&
		    f->first[UNSEEN_OTHER_CGROUP].is_listener)
			has_added |= add_part(c, look, i);
	}
	return has_added;
}

/* Parts that have got processes, or listeners of others, are let go. */
static void drop_parts(struct socket_check *c, const struct socket_look *look)
{
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct targets_slot *s = &c->targets->slots[i];
		int owner = s->target && s->part_of && !s->until_ms
				    ? targets_find(c->targets, s->part_of)
				    : -1;

		if (owner < 0 || !is_same(c, look, (unsigned)owner) ||
		    socket_owner_is_sole(c->diag_fd, &look->holders, (unsigned)owner,
					 &s->target->cgroup))
			continue;
		log_warn("run: cgroup %s, in which listeners of %s were made, is used by others "
			 "now: connections of those listeners are not seen any more",
			 s->target->cgroup.path, s->target->name);
		targets_drop(c->targets, s->target->cgroup.id);
	}
}

/* Somebody has attached a program above that ours switch off: it goes before us. */
static void yield_hooks(struct socket_check *c)
{
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct target *t = c->targets->slots[i].target;
		struct hook_holder h;

		if (!t || !hooks_find_holder(t->cgroup.fd, true, &h))
			continue;
		log_error("run: cgroup %s is not watched any more: program %u (%s) was attached "
			  "%u level%s above it with BPF_F_ALLOW_OVERRIDE (%s), and ours have "
			  "switched it off",
			  t->cgroup.path, h.program_id, h.program, h.levels_up,
			  h.levels_up == 1 ? "" : "s", hook_name(h.hook));
		targets_drop(c->targets, t->cgroup.id);
	}
}

/* Once there are connections that it may have something to tell of. */
static void load_sockmap(struct socket_check *c)
{
	int err;

	if (c->has_tried || !c->has_silent || c->is_elsewhere)
		return;
	c->has_tried = true;
	err = sockmap_new(&c->sockmap);
	(void)malloc_trim(0); /* the types of the whole kernel were read */
	if (err)
		log_info("run: whether connections are in a BPF sockmap cannot be checked (%s)",
			 strerror(-err));
}

static void read_sockmap(struct socket_check *c)
{
	int err = 0;

	if (c->sockmap && c->has_silent)
		err = sockmap_read(c->sockmap);
	if (err == -EAGAIN && sock_diag_each(c->diag_fd, NULL, 0, NULL, NULL) != -EOPNOTSUPP)
		err = sockmap_read(c->sockmap);
	/* Not all of them were read: neither has this look come to the end. */
	c->is_sockmap_cut = err != 0;
}

static void give_up(struct socket_check *c, int err)
{
	c->is_broken = true;
	c->is_looking = false;
	socket_look_release(&c->look);
	log_info("run: whether sockets bypass the hooks cannot be checked (%s)",
		 err == -EOPNOTSUPP ? "the kernel has no tcp_diag" : strerror(-err));
}

/* CPU time of this process. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int begin(struct socket_check *c)
{
	c->is_looking = true;
	return socket_look_begin(&c->look, c->diag_fd, c->targets,
				 c->has_silent ? c->sockmap : NULL, &c->memories);
}

/* The look is complete. */
static void finish(struct socket_check *c)
{
	c->is_looking = false;
	c->looks++;
	c->looks_total++;
	c->looks_cut += c->look.is_cut || c->is_sockmap_cut;
	c->has_silent = c->look.has_silent;
	drop_parts(c, &c->look);
	free(c->memories.list);
	c->memories = c->look.after;
	c->look.after = (struct socket_memories){0};
	report(c, &c->look);
	socket_look_release(&c->look);
	c->parts = 0;
}

/* Goes on with the look. False: it is over. */
static bool go_on(struct socket_check *c)
{
	uint64_t before = cpu_ns();
	int done = socket_look_step(&c->look);

	/* What is seen from now on is looked at again, and not counted. */
	if (done == 1 && c->parts < PARTS_MAX && add_parts(c, &c->look)) {
		c->parts++;
		socket_look_release(&c->look);
		done = begin(c);
	}
	if (done == 1)
		finish(c);
	else if (done < 0)
		give_up(c, done);
	c->cost_ns += cpu_ns() - before;
	return done == 0;
}

static bool start_look(struct socket_check *c)
{
	uint64_t before;
	int err;

	load_sockmap(c);
	before = cpu_ns();
	read_sockmap(c);
	err = begin(c);
	if (err)
		give_up(c, err);
	c->cost_ns = cpu_ns() - before;
	return !err;
}

/* The whole of a look, or the rest of it. */
static void look_now(struct socket_check *c)
{
	while (go_on(c))
		;
}

/* pid: a process of the namespace that is to be looked at; 0: ours. */
static bool open_diag(struct socket_check *c, pid_t pid)
{
	if (c->diag_fd < 0 && !c->is_broken) {
		c->diag_fd = sock_diag_open(pid, &c->is_elsewhere);
		if (c->diag_fd < 0)
			give_up(c, c->diag_fd);
	}
	return !c->is_broken;
}

static void on_timer(uv_timer_t *timer)
{
	scoped_privilege int raised = privilege_raise();
	struct socket_check *c = timer->data;

	if (c->is_looking) {
		(void)go_on(c);
	} else {
		yield_hooks(c);
		if (open_diag(c, 0))
			(void)start_look(c);
	}
	set_timer(c);
}

static void on_added(void *ctx, const struct target *target)
{
	scoped_privilege int raised = privilege_raise();
	struct socket_check *c = ctx;

	c->looks = 0;
	if (c->is_prompt)
		socket_list_open(&c->list, target_first_process(target));
	if (c->is_prompt && open_diag(c, target_first_process(target))) {
		if (c->is_looking)
			look_now(c); /* without the new one */
		c->looks = 0;
		if (!c->is_broken && start_look(c))
			look_now(c);
	}
	set_timer(c);
}

void socket_check_start(struct socket_check *c, uv_loop_t *loop, struct targets *targets,
			bool is_prompt)
{
	*c = (struct socket_check){.targets = targets, .is_prompt = is_prompt, .diag_fd = -1};
	socket_list_start(&c->list, targets, is_prompt);
	(void)uv_timer_init(loop, &c->timer); /* cannot fail */
	c->timer.data = c;
	targets->on_added = on_added;
	targets->on_added_ctx = c;
}

void socket_check_stop(struct socket_check *c)
{
	if (!c->targets)
		return;
	socket_list_stop(&c->list);
	c->targets->on_added = NULL;
	c->targets = NULL;
	uv_close((uv_handle_t *)&c->timer, NULL);
	if (c->diag_fd >= 0)
		(void)close(c->diag_fd); /* nothing was written */
	sockmap_free(c->sockmap);
	socket_look_release(&c->look);
	free(c->memories.list);
	c->memories = (struct socket_memories){0};
}
