/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* More than the broker ever takes for one message, unless it gets no CPU. */
#define WAIT_MS 5000
/* Between two calls of ops->waiting(). The ring of 2 MiB holds some 100 ms of 40,000 requests a
 * second. */
#define STEP_MS 5

void link_init(struct link *l, int channel, const struct link_ops *ops, void *ctx)
{
	*l = (struct link){.channel = channel, .ops = ops, .ctx = ctx, .wait_ms = WAIT_MS};
}

static void on_timer(uv_timer_t *timer)
{
	struct link *l = timer->data;

	l->ops->stop(l->ctx, l->is_lost);
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
		l->is_refreshing = false;
		used = (struct usage){m->refreshed.resident_bytes, m->refreshed.cpu_ns};
		l->ops->usage(l->ctx, &used);
		l->ops->looks(l->ctx, m->refreshed.looks, m->refreshed.looks_cut);
		break;
	case CHANNEL_CLOSES:
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
		l->ops->secrets(l->ctx, m->secrets, m->count);
		explicit_bzero(m->secrets, sizeof(m->secrets));
		break;
	case CHANNEL_TLS:
		l->ops->tls(l->ctx, (enum tls_reach)m->tls.reach, m->tls.probes, m->tls.lost);
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
	default: /* somebody waits for it */
		break;
	}
}

/* Waits for a message, or until ops->waiting() was called. As poll(): 0 when the time is over. */
static int wait_readable(struct link *l, int *timeout_ms)
{
	struct pollfd fd = {.fd = l->channel, .events = POLLIN};
	bool has_steps = l->ops->waiting && (*timeout_ms < 0 || *timeout_ms > STEP_MS);
	int n = poll(&fd, 1, has_steps ? STEP_MS : *timeout_ms);

	if (n != 0 || !has_steps)
		return n;
	if (*timeout_ms > 0)
		*timeout_ms -= STEP_MS;
	l->ops->waiting(l->ctx);
	return 1;
}

/* Was this answer handed out to another request, which ops->waiting() made? */
static bool has_come(const struct link *l, enum channel_kind kind)
{
	return (kind == CHANNEL_REFRESHED && !l->is_refreshing) ||
	       (kind == CHANNEL_LISTED && !l->is_listing);
}

/* Dispatches messages until one of this kind has come, which is in *ret_message then. */
static int wait_for(struct link *l, enum channel_kind kind, int timeout_ms,
		    struct channel_message *ret_message)
{
	int n;
	int err;

	while (!has_come(l, kind)) {
		err = channel_receive(l->channel, ret_message, SIDE_BROKER);
		if (err == 0) {
			dispatch(l, ret_message);
			if (ret_message->kind == kind)
				return 0;
			continue;
		}
		n = err == -EAGAIN ? wait_readable(l, &timeout_ms) : 0;
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (err == -EAGAIN)
			return -ETIMEDOUT; /* it is busy: the values of its last report stay */
		note_stop(l, true);
		return err;
	}
	return 0;
}

int link_wait_started(struct link *l, struct ring_layout *ret_ring)
{
	struct channel_message m;
	int err = wait_for(l, CHANNEL_RING, -1, &m);

	if (err)
		return err;
	*ret_ring = m.ring;
	err = wait_for(l, CHANNEL_STARTED, -1, &m);
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

/* One line when answers begin to be late, and one when they do not any more. */
static int wait_message(struct link *l, enum channel_kind kind, struct channel_message *ret_message)
{
	/* Whoever has waited once does not keep the ring waiting again. */
	int err = wait_for(l, kind, l->is_late ? 0 : l->wait_ms, ret_message);

	if (err == -ETIMEDOUT && !l->is_late)
		log_warn("run: the broker takes more than %.3g s to answer; until it does, the "
			 "counters of the BPF programs are old",
			 l->wait_ms / 1e3);
	else if (!err && l->is_late)
		log_info("run: the broker answers again");
	l->is_late = err == -ETIMEDOUT;
	return err;
}

static int wait_answer(struct link *l, enum channel_kind kind)
{
	struct channel_message m;

	return wait_message(l, kind, &m);
}

void link_refresh(struct link *l)
{
	l->is_refreshing = request(l, CHANNEL_REFRESH) == 0;
	if (l->is_refreshing)
		(void)wait_answer(l,
				  CHANNEL_REFRESHED); /* else the values of its last report stay */
}

void link_look(struct link *l)
{
	(void)request(l, CHANNEL_LOOK); /* one that is dropped is asked for again */
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

void link_list(struct link *l, int wait_ms)
{
	uint64_t end_ms = now_ms() + (uint64_t)wait_ms;
	struct channel_message m;

	if (!l->is_listing)
		l->is_listing = request(l, CHANNEL_LIST) == 0;
	for (uint64_t now; l->is_listing && (now = now_ms()) < end_ms;)
		if (wait_for(l, CHANNEL_LISTED, (int)(end_ms - now), &m))
			break;
}

int link_process(struct link *l, uint32_t pid, struct link_process *ret_process)
{
	struct channel_message m = {.kind = CHANNEL_PROCESS, .count = pid};
	int err = l->is_lost ? -EPIPE : channel_send(l->channel, &m);

	/* One that came too late is of a process that was asked for before. */
	do {
		if (!err)
			err = wait_message(l, CHANNEL_NAMED, &m);
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
	if (request(l, CHANNEL_DETACH) == 0)
		(void)wait_answer(l, CHANNEL_DETACHED); /* else the broker's end has done it */
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
	int n = 0;
	int err = 0;

	do {
		if (!l->has_closes && !l->is_fetching) {
			err = request(l, CHANNEL_FETCH);
			l->is_fetching = !err;
		}
		if (!err && !l->has_closes)
			err = wait_answer(l, CHANNEL_CLOSES);
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
