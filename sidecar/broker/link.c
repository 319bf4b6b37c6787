/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* More than the broker ever takes for one message, unless it gets no CPU. */
#define WAIT_MS 5000
/* Between two calls of ops->waiting(). The ring of 2 MiB holds some 100 ms of 40,000 requests a
 * second. */
#define STEP_MS 5
#define NEVER	UINT64_MAX

void link_init(struct link *l, int channel, const struct link_ops *ops, void *ctx)
{
	*l = (struct link){.channel = channel, .ops = ops, .ctx = ctx, .wait_ms = WAIT_MS};
}

static void on_timer(uv_timer_t *timer)
{
	struct link *l = timer->data;

	l->ops->stop(l->ctx, l->is_lost);
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

/* Handed out from the loop: whoever waits for an answer is in the middle of something. */
static void note_stop(struct link *l, bool is_lost)
{
	l->is_lost |= is_lost;
	if (l->must_stop)
		return;
	l->must_stop = true;
	if (l->has_handles)
		(void)uv_timer_start(&l->timer, on_timer, 0, 0); /* has a callback */
}

static int request(struct link *l, enum channel_kind kind)
{
	struct channel_message m = {.kind = kind};

	return l->is_lost ? -EPIPE : channel_send(l->channel, &m);
}

static void on_listed(struct link *l, const struct channel_message *m)
{
	/* The next part is asked for once this one was read: the channel never fills. */
	l->is_listing = m->listed.has_more && request(l, CHANNEL_LIST) == 0;
	if (!l->is_listing)
		l->ops->listed(l->ctx, m->listed.is_new, m->listed.is_cut || m->listed.has_more);
}

/* Also an answer whose request is not waited for any more shows that the broker is not stuck. */
static void note_answer(struct link *l)
{
	if (l->is_late)
		log_info("run: the broker answers again");
	l->is_late = false;
}

static void dispatch(struct link *l, struct channel_message *m)
{
	struct usage used;

	switch (m->kind) {
	case CHANNEL_TARGET:
		l->highest = m->target.number;
		l->ops->target(l->ctx, m->target.number, m->target.name);
		break;
	case CHANNEL_COUNTERS:
		l->ops->counters(l->ctx, m->target.number, m->target.name, m->target.counters);
		break;
	case CHANNEL_REFRESHED:
		note_answer(l);
		l->refreshes_answered++;
		used = (struct usage){m->refreshed.resident_bytes, m->refreshed.cpu_ns};
		l->ops->usage(l->ctx, &used);
		l->ops->looks(l->ctx, m->refreshed.looks, m->refreshed.looks_cut);
		l->ops->lists_lost(l->ctx, m->refreshed.lists_lost);
		break;
	case CHANNEL_CLOSES:
		note_answer(l);
		l->closes = *m;
		l->has_closes = true;
		l->is_fetching = false;
		break;
	case CHANNEL_WATCHED:
		l->ops->watched(l->ctx, m->count);
		break;
	case CHANNEL_UNSEEN:
		l->ops->unseen(l->ctx, m->unseen.name, m->unseen.now, m->unseen.added);
		break;
	case CHANNEL_SECRETS:
		l->ops->secrets(l->ctx, m->secret_fds);
		for (size_t i = 0; i < SECRET_RING_MAPS; i++)
			(void)close(m->secret_fds[i]); /* of maps */
		break;
	case CHANNEL_TLS:
		l->ops->tls(l->ctx, (enum tls_reach)m->tls.reach, m->tls.probes);
		break;
	case CHANNEL_SOCKETS:
		l->ops->sockets(l->ctx, m->sockets, m->count);
		break;
	case CHANNEL_LISTED:
		on_listed(l, m);
		break;
	case CHANNEL_COUNTING:
	case CHANNEL_CALLS:
	case CHANNEL_CALL_ERRORS:
		l->ops->syscalls(l->ctx, m);
		break;
	case CHANNEL_HEADER_LIST:
		l->ops->header_list(l->ctx, m);
		explicit_bzero(m->header_list.text, sizeof(m->header_list.text));
		break;
	case CHANNEL_STOP:
		note_stop(l, false);
		break;
	case CHANNEL_NAMED:
	case CHANNEL_DETACHED:
		note_answer(l);
		break;
	default: /* somebody waits for it */
		break;
	}
}

/* What is waited for. */
struct awaited {
	enum channel_kind kind;
	uint64_t refresh; /* REFRESHED: the answer to this request, counted from 1 */
	uint64_t end_ms; /* of now_ms(); NEVER: no limit */
};

/* Until a.end_ms, as a timeout of poll(). */
static int time_left(const struct awaited *a)
{
	uint64_t now = now_ms();

	if (a->end_ms == NEVER)
		return -1;
	if (a->end_ms <= now)
		return 0;
	return a->end_ms - now < INT_MAX ? (int)(a->end_ms - now) : INT_MAX;
}

/* Waits for a message, or until ops->waiting() was called. As poll(): 0 when the time is over. */
static int wait_readable(struct link *l, const struct awaited *a)
{
	struct pollfd fd = {.fd = l->channel, .events = POLLIN};
	int left_ms = time_left(a);
	bool has_steps = l->ops->waiting && (left_ms < 0 || left_ms > STEP_MS);
	int n = poll(&fd, 1, has_steps ? STEP_MS : left_ms);

	if (n != 0 || !has_steps)
		return n;
	l->ops->waiting(l->ctx);
	return 1;
}

/*
 * A request that ops->waiting() made may have read the answer. Answers to REFRESH come in the order
 * of the requests, one for each: an older one says nothing of what has happened since.
 */
static bool has_come(const struct link *l, const struct awaited *a)
{
	return (a->kind == CHANNEL_REFRESHED && l->refreshes_answered >= a->refresh) ||
	       (a->kind == CHANNEL_LISTED && !l->is_listing);
}

/* Dispatches messages until the awaited one has come, which is in *ret_message then, unless
 * has_come() knows it. */
static int wait_for(struct link *l, const struct awaited *a, struct channel_message *ret_message)
{
	int n;
	int err;

	while (!has_come(l, a)) {
		err = channel_receive(l->channel, ret_message, SIDE_BROKER);
		if (err == 0) {
			dispatch(l, ret_message);
			if (ret_message->kind == a->kind && a->kind != CHANNEL_REFRESHED)
				return 0;
			continue;
		}
		n = err == -EAGAIN ? wait_readable(l, a) : 0;
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (err == -EAGAIN)
			return -ETIMEDOUT; /* it is busy: the values of its last report stay */
		note_stop(l, true);
		return err;
	}
	return 0;
}

static int wait_without_limit(struct link *l, enum channel_kind kind,
			      struct channel_message *ret_message)
{
	const struct awaited a = {.kind = kind, .end_ms = NEVER};

	return wait_for(l, &a, ret_message);
}

int link_wait_started(struct link *l, struct ring_layout *ret_ring)
{
	struct channel_message m;
	int err = wait_without_limit(l, CHANNEL_RING, &m);

	if (err)
		return err;
	*ret_ring = m.ring;
	err = wait_without_limit(l, CHANNEL_STARTED, &m);
	for (size_t i = 0; err && i < RING_MAPS; i++)
		(void)close(ret_ring->fds[i]); /* not handed over */
	return err;
}

void link_catch_up(struct link *l)
{
	struct channel_message m;
	int err;

	while ((err = channel_receive(l->channel, &m, SIDE_BROKER)) == 0)
		dispatch(l, &m);
	if (err != -EAGAIN)
		note_stop(l, true);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct link *l = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	link_catch_up(l);
	if (l->is_lost)
		(void)uv_poll_stop(poll); /* it is readable for ever */
}

void link_start(struct link *l, uv_loop_t *loop)
{
	(void)uv_timer_init(loop, &l->timer); /* cannot fail */
	(void)uv_poll_init(loop, &l->poll, l->channel); /* a socket: cannot fail */
	l->poll.data = l->timer.data = l;
	l->has_handles = true;
	(void)uv_poll_start(&l->poll, UV_READABLE, on_readable); /* nor this */
	if (l->must_stop)
		(void)uv_timer_start(&l->timer, on_timer, 0, 0); /* nor this */
}

void link_stop(struct link *l)
{
	if (!l->has_handles)
		return;
	uv_close((uv_handle_t *)&l->poll, NULL);
	uv_close((uv_handle_t *)&l->timer, NULL);
	l->has_handles = false;
}

void link_close(struct link *l)
{
	(void)close(l->channel); /* nothing is buffered */
}

void link_ready(struct link *l)
{
	(void)request(l, CHANNEL_READY); /* a broker that is gone shows on the channel */
}

/* Sets the limit of the time. One line when answers begin to be late; note_answer() has the other.
 */
static int wait_answer(struct link *l, struct awaited *a, struct channel_message *ret_message)
{
	/* Whoever has waited once does not keep the ring waiting again. */
	bool was_late = l->is_late;
	int err;

	a->end_ms = now_ms() + (was_late ? 0 : (uint64_t)l->wait_ms);
	err = wait_for(l, a, ret_message);
	/* A request that ops->waiting() made may have said it. */
	if (err == -ETIMEDOUT && !was_late && !l->is_late) {
		log_warn("run: the broker takes more than %.3g s to answer; until it does, the "
			 "counters of the BPF programs are old",
			 l->wait_ms / 1e3);
		l->is_late = true;
	}
	return err;
}

void link_refresh(struct link *l)
{
	struct awaited a = {.kind = CHANNEL_REFRESHED};
	struct channel_message m;

	/* Each request is answered with the counters of all targets: those that pile up while the
	 * broker is stuck would fill the channel at once. */
	if (l->is_late && l->refreshes_answered < l->refreshes_asked) {
		link_catch_up(l);
		if (l->is_late)
			return;
	}
	if (request(l, CHANNEL_REFRESH))
		return; /* the values of its last report stay */
	a.refresh = ++l->refreshes_asked;
	(void)wait_answer(l, &a, &m); /* likewise */
}

void link_look(struct link *l)
{
	(void)request(l, CHANNEL_LOOK); /* one that is dropped is asked for again */
}

void link_list(struct link *l, int wait_ms)
{
	const struct awaited a = {.kind = CHANNEL_LISTED, .end_ms = now_ms() + (uint64_t)wait_ms};
	struct channel_message m;

	if (!l->is_listing)
		l->is_listing = request(l, CHANNEL_LIST) == 0;
	while (l->is_listing && now_ms() < a.end_ms)
		if (wait_for(l, &a, &m))
			break;
}

int link_process(struct link *l, uint32_t pid, struct link_process *ret_process)
{
	struct channel_message m = {.kind = CHANNEL_PROCESS, .count = pid};
	struct awaited a = {.kind = CHANNEL_NAMED};
	int err = l->is_lost ? -EPIPE : channel_send(l->channel, &m);

	/* One that came too late is of a process that was asked for before. */
	do {
		if (!err)
			err = wait_answer(l, &a, &m);
	} while (!err && m.count != pid);
	if (err)
		return err;
	ret_process->started_ns = m.named.started_ns;
	memcpy(ret_process->name, m.named.name, sizeof(m.named.name));
	return 0;
}

int link_count_calls(struct link *l, bool is_on)
{
	struct channel_message m = {.kind = CHANNEL_COUNT, .count = is_on};

	return l->is_lost ? -EPIPE : channel_send(l->channel, &m);
}

void link_want_lists(struct link *l, const struct sl_list_ends *ends, size_t count)
{
	struct channel_message m = {.kind = CHANNEL_WANT_LISTS, .count = (uint32_t)count};

	memcpy(m.wanted, ends, count * sizeof(*ends));
	if (!l->is_lost)
		(void)channel_send(l->channel, &m); /* see above */
}

void link_mute(struct link *l, uint64_t conn_id, enum sl_mute why)
{
	struct channel_message m = {.kind = CHANNEL_MUTE, .mute = {conn_id, why}};

	if (!l->is_lost)
		(void)channel_send(l->channel, &m); /* see above */
}

void link_detach(struct link *l)
{
	struct awaited a = {.kind = CHANNEL_DETACHED};
	struct channel_message m;

	if (request(l, CHANNEL_DETACH) == 0)
		(void)wait_answer(l, &a, &m); /* else the broker's end has done it */
}

int link_answer(void *link, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct link *l = link;
	struct channel_message m = {.kind = CHANNEL_ANSWER,
				    .answer = {conn_id, (uint32_t)dir, seq}};

	return channel_send(l->channel, &m);
}

int link_fetch_closes(void *link, struct sl_close *ret_closes, int max)
{
	struct link *l = link;
	struct awaited a = {.kind = CHANNEL_CLOSES};
	struct channel_message m;
	int n = 0;
	int err = 0;

	do {
		if (!l->has_closes && !l->is_fetching) {
			err = request(l, CHANNEL_FETCH);
			l->is_fetching = !err;
		}
		if (!err && !l->has_closes)
			err = wait_answer(l, &a, &m);
		if (err)
			return n ? n : err;
		l->has_closes = false;
		memcpy(ret_closes + n, l->closes.closes, l->closes.count * sizeof(*ret_closes));
		n += (int)l->closes.count;
	} while (l->closes.count == CHANNEL_CLOSES_MAX && n + CHANNEL_CLOSES_MAX <= max);
	return n;
}

int link_open_source(struct link *l, struct source **ret_source)
{
	static const struct ring_owner_ops owner = {.fetch_closes = link_fetch_closes,
						    .answer = link_answer};
	struct ring_layout ring;
	int err = link_wait_started(l, &ring);

	if (err)
		return err;
	*ret_source = ring_open(&ring, &owner, l);
	err = *ret_source ? 0 : -errno;
	for (size_t i = 0; i < RING_MAPS; i++)
		(void)close(ring.fds[i]); /* they are mapped */
	if (err)
		log_error("run: cannot read the ring (%s)", strerror(-err));
	return err;
}
