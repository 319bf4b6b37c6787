/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pod/privilege.h"

#define LINGER_MS 10000u

static void on_timer(uv_timer_t *timer);

void targets_init(struct targets *t, uv_loop_t *loop, struct programs *programs, int channel)
{
	*t = (struct targets){.programs = programs, .channel = channel};
	(void)uv_timer_init(loop, &t->timer); /* cannot fail */
	t->timer.data = t;
}

static void tell(struct targets *t, enum channel_kind kind, const struct target *target,
		 const uint64_t *counters)
{
	struct channel_message m = {.kind = kind, .target.number = target->number};

	memcpy(m.target.name, target->name, sizeof(m.target.name));
	if (counters)
		memcpy(m.target.counters, counters, sizeof(m.target.counters));
	/* A worker that is gone shows as the end of the channel. */
	if (channel_send(t->channel, &m) == -EAGAIN)
		t->is_deaf = true;
}

/* How many are WATCHED. */
static void tell_count(struct targets *t)
{
	struct channel_message m = {.kind = CHANNEL_WATCHED};

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		m.count += t->slots[i].target && !t->slots[i].until_ms && !t->slots[i].part_of;
	if (channel_send(t->channel, &m) == -EAGAIN)
		t->is_deaf = true;
	if (t->on_changed)
		t->on_changed(t->on_changed_ctx);
}

static void refresh(struct targets *t, const struct target *target)
{
	scoped_privilege int raised = privilege_raise();
	uint64_t counters[SL_C_MAX];

	/* Those of a removed cgroup may be gone: the last values stay. */
	if (programs_counters(t->programs, target->cgroup.id, counters) == 0)
		tell(t, CHANNEL_COUNTERS, target, counters);
}

void targets_refresh(struct targets *t)
{
	scoped_privilege int raised = privilege_raise();

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (t->slots[i].target)
			refresh(t, t->slots[i].target);
}

static void drop(struct targets *t, struct targets_slot *s)
{
	scoped_privilege int raised = privilege_raise();

	refresh(t, s->target);
	programs_detach(t->programs, s->target->cgroup.id);
	target_close(s->target);
	free(s->target);
	*s = (struct targets_slot){0};
	if (t->on_dropped)
		t->on_dropped(t->on_dropped_ctx);
}

/* The next of those that ENDED, or NULL. */
static struct targets_slot *next_out(struct targets *t)
{
	struct targets_slot *next = NULL;

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		struct targets_slot *s = &t->slots[i];

		if (s->target && s->until_ms && (!next || s->until_ms < next->until_ms))
			next = s;
	}
	return next;
}

static void set_timer(struct targets *t)
{
	const struct targets_slot *next = next_out(t);
	uint64_t now = uv_now(t->timer.loop);

	if (!next)
		(void)uv_timer_stop(&t->timer); /* cannot fail */
	else
		(void)uv_timer_start(&t->timer, on_timer,
				     next->until_ms > now ? next->until_ms - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct targets *t = timer->data;
	struct targets_slot *next = next_out(t);

	if (next && next->until_ms <= uv_now(timer->loop))
		drop(t, next);
	set_timer(t);
}

static struct targets_slot *slot_free(struct targets *t)
{
	struct targets_slot *s;

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (!t->slots[i].target)
			return &t->slots[i];
	s = next_out(t);
	if (s)
		drop(t, s);
	return s;
}

/* A target whose cgroup is there already goes on. */
static bool revive(struct targets *t, struct target *target)
{
	int i = targets_find(t, target->cgroup.id);

	if (i < 0)
		return false;
	t->slots[i].until_ms = 0;
	t->slots[i].part_of = 0;
	set_timer(t);
	target_close(target);
	free(target);
	return true;
}

int targets_add_part(struct targets *t, struct target *target, uint64_t part_of)
{
	scoped_privilege int raised = privilege_raise();
	struct targets_slot *s = slot_free(t);
	int err;

	if (!s)
		return -ENOSPC;
	target->number = ++t->numbers;
	tell(t, CHANNEL_TARGET, target, NULL);
	err = programs_attach(t->programs, target->cgroup.fd, target->cgroup.id, target->number);
	if (err)
		return err;
	*s = (struct targets_slot){.target = target, .part_of = part_of};
	return 0;
}

int targets_add(struct targets *t, struct target *target)
{
	uint64_t id = target->cgroup.id;
	int err = revive(t, target) ? 0 : targets_add_part(t, target, 0);

	if (err)
		return err;
	tell_count(t);
	if (t->on_added)
		t->on_added(t->on_added_ctx, t->slots[targets_find(t, id)].target);
	return 0;
}

int targets_find(const struct targets *t, uint64_t cgroup_id)
{
	for (int i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (t->slots[i].target && t->slots[i].target->cgroup.id == cgroup_id)
			return i;
	return -1;
}

void targets_drop(struct targets *t, uint64_t cgroup_id)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		struct targets_slot *s = &t->slots[i];

		if (s->target && (s->target->cgroup.id == cgroup_id || s->part_of == cgroup_id))
			drop(t, s);
	}
	set_timer(t);
	tell_count(t);
}

void targets_end(struct targets *t, uint64_t cgroup_id)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		struct targets_slot *s = &t->slots[i];

		if (!s->target || (s->target->cgroup.id != cgroup_id && s->part_of != cgroup_id))
			continue;
		refresh(t, s->target);
		s->until_ms = uv_now(t->timer.loop) + LINGER_MS;
	}
	set_timer(t);
	tell_count(t);
}

void targets_send_closes(struct targets *t)
{
	scoped_privilege int raised = privilege_raise();
	struct channel_message m = {.kind = CHANNEL_CLOSES};
	int n = programs_take_closes(t->programs, m.closes, CHANNEL_CLOSES_MAX);

	if (n < 0)
		log_error("capture: cannot read ends of connections (%s)", strerror(-n));
	m.count = n > 0 ? (uint32_t)n : 0;
	if (channel_send(t->channel, &m) == -EAGAIN)
		t->is_deaf = true;
}

void targets_detach(struct targets *t)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (t->slots[i].target)
			programs_detach(t->programs, t->slots[i].target->cgroup.id);
}

void targets_close(struct targets *t)
{
	uv_close((uv_handle_t *)&t->timer, NULL);
}

void targets_release(struct targets *t)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		if (!t->slots[i].target)
			continue;
		target_close(t->slots[i].target);
		free(t->slots[i].target);
		t->slots[i].target = NULL;
	}
}
