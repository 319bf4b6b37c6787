/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/toy/ping.h"

#include <string.h>

#include "txn/session.h"

#define WORD_SIZE  5 /* "PING " */
#define DIGITS_MAX 9
#define LINE_MAX   (WORD_SIZE + DIGITS_MAX)

/* The incomplete line of one direction. */
struct line {
	uint64_t start_ns; /* time of its first byte */
	size_t len;
	bool is_ignored; /* the line is too long, or a part of it is missing */
	char bytes[LINE_MAX];
};

struct ping {
	uint64_t start_ns;
	uint32_t number;
	bool may_be_answered; /* its PONG may be among lost bytes */
};

/* session.state. Invariant: open[0 .. open_count) are in the order of arrival. */
struct ping_session {
	struct line line[2]; /* by enum dir */
	size_t open_count;
	struct ping open[PING_OPEN_MAX];
};

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

static enum detection on_detect(const struct conn *c, enum dir dir, struct span first)
{
	size_t n = first.len < WORD_SIZE ? first.len : WORD_SIZE;

	if (dir != request_dir(c->role) || memcmp(first.ptr, "PING ", n) != 0)
		return DETECTION_NO;
	return n < WORD_SIZE ? DETECTION_MORE : DETECTION_YES;
}

static void close_ping(struct conn *c, struct ping_session *p, struct ping *ping)
{
	p->open_count--;
	memmove(ping, ping + 1, (size_t)(&p->open[p->open_count] - ping) * sizeof(*ping));
	env_of(c)->stats.requests_open--;
}

static void report(struct conn *c, struct ping_session *p, struct ping *ping, enum txn_error error,
		   uint64_t first_byte_ns, uint64_t end_ns)
{
	struct session_env *env = env_of(c);
	const struct ping_part part = {.number = ping->number};
	struct transaction t = {
		.protocol = TXN_ADDED,
		.role = c->role,
		.conn_id = c->id,
		.container = c->container,
		.local = &c->local,
		.remote = &c->remote,
		.known_method = "PING",
		.route = "ping",
		.server_address = "",
		.error = error,
		.is_tls = session_is_tls(c),
		.start_ns = ping->start_ns,
		.first_byte_ns = first_byte_ns,
		.end_ns = end_ns > ping->start_ns ? end_ns : ping->start_ns,
		.added = {.protocol = &ping_protocol, .part = &part},
	};

	env->stats.transactions++;
	close_ping(c, p, ping);
	sinks_done(&env->sinks, &t);
}

static void on_ping(struct conn *c, struct ping_session *p, uint32_t number, uint64_t start_ns)
{
	if (p->open_count == PING_OPEN_MAX) {
		env_of(c)->stats.lost[ENGINE_LOST_PIPELINE]++;
		return;
	}
	p->open[p->open_count++] = (struct ping){.start_ns = start_ns, .number = number};
	env_of(c)->stats.requests_open++;
}

static void on_pong(struct conn *c, struct ping_session *p, uint32_t number, uint64_t start_ns,
		    uint64_t time_ns)
{
	for (size_t i = 0; i < p->open_count; i++) {
		if (p->open[i].number == number) {
			report(c, p, &p->open[i], TXN_OK, start_ns, time_ns);
			return;
		}
	}
	env_of(c)->stats.responses_unpaired++;
}

static bool read_number(const char *digits, size_t len, uint32_t *ret_number)
{
	uint32_t number = 0;

	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(digits[i] - '0');
	}
	*ret_number = number;
	return len > 0;
}

static void on_line(struct conn *c, struct ping_session *p, enum dir dir, uint64_t time_ns)
{
	const struct line *l = &p->line[dir];
	bool is_ping = dir == request_dir(c->role);
	uint32_t number;

	if (l->is_ignored || l->len < WORD_SIZE ||
	    memcmp(l->bytes, is_ping ? "PING " : "PONG ", WORD_SIZE) != 0 ||
	    !read_number(&l->bytes[WORD_SIZE], l->len - WORD_SIZE, &number))
		env_of(c)->stats.parse_failed[PARSE_FAIL_START_LINE]++;
	else if (is_ping)
		on_ping(c, p, number, l->start_ns);
	else
		on_pong(c, p, number, l->start_ns, time_ns);
}

static void on_byte(struct conn *c, struct ping_session *p, enum dir dir, char byte,
		    uint64_t time_ns)
{
	struct line *l = &p->line[dir];

	if (byte == '\n') {
		on_line(c, p, dir, time_ns);
		l->len = 0;
		l->is_ignored = false;
		return;
	}
	if (!l->len)
		l->start_ns = time_ns;
	if (l->len == LINE_MAX)
		l->is_ignored = true;
	else
		l->bytes[l->len++] = byte;
}

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	if (!s->state)
		s->state = memory_calloc(&c->memory, 1, sizeof(struct ping_session));
	if (!s->state) {
		env_of(c)->stats.lost[ENGINE_LOST_MEMORY]++;
		return;
	}
	for (size_t i = 0; i < view->data.len; i++)
		on_byte(c, s->state, dir, view->data.ptr[i], time_ns);
}

/* Bytes of the direction are missing, and with them the end of the current line. */
static void miss(struct conn *c, struct session *s, enum dir dir)
{
	struct ping_session *p = s->state;

	if (!p)
		return;
	p->line[dir].is_ignored = true;
	for (size_t i = 0; dir != request_dir(c->role) && i < p->open_count; i++)
		p->open[i].may_be_answered = true;
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	(void)view;
	(void)len;
	(void)time_ns;
	miss(c, s, dir);
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	(void)view;
	(void)time_ns;
	env_of(c)->stats.bytes_lost_framing += len;
	miss(c, s, dir);
}

/* An open exchange whose connection has ended, or is not followed any more. */
static void end_ping(struct conn *c, struct ping_session *p, struct ping *ping, enum conn_end how,
		     uint64_t time_ns)
{
	struct engine_stats *stats = &env_of(c)->stats;

	if (!ping->may_be_answered && (how == CONN_CLOSED || how == CONN_RESET)) {
		report(c, p, ping, how == CONN_RESET ? TXN_RESET : TXN_CLOSED, 0, time_ns);
		return;
	}
	if (how == CONN_EVICTED)
		stats->lost[ENGINE_LOST_EVICTED]++;
	else if (how == CONN_EVICTED_MEMORY)
		stats->lost[ENGINE_LOST_MEMORY]++;
	else if (how == CONN_CUT && !ping->may_be_answered)
		stats->requests_unanswered++;
	else
		stats->lost[ENGINE_LOST_RESPONSE]++;
	close_ping(c, p, ping);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	struct ping_session *p = s->state;

	while (p && p->open_count)
		end_ping(c, p, &p->open[0], how, time_ns);
	memory_free(&c->memory, p);
	s->state = NULL;
}

const struct protocol_ops ping_protocol = {
	.name = "PING",
	.detect = on_detect,
	.data = on_data,
	.skip = on_skip,
	.lost = on_lost,
	.end = on_end,
};
