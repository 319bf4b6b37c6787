/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random network, and a model of the BPF programs: its records are reassembled, each position
 * comes out once, and no byte is in a wrong place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "flow/bytes.h"

#define STREAM	3000u
#define SEGMENT 40u
#define WINDOW	16 /* segments that may overtake each other */
#define ROUNDS	400

static uint32_t random_state;

static uint32_t below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static char byte_at(uint32_t pos)
{
	return (char)(pos * 2654435761u >> 24);
}

/*
 * The rules of bpf/socket.bpf.c for one ingress direction, without budgets: trim_retransmitted(),
 * advance_over_gap(), check_ack(). Positions are relative to `isn`.
 */
struct kernel {
	uint32_t isn;
	uint32_t next_seq;
	uint32_t reported_seq;
	uint32_t gap_lo;
	uint32_t gap_hi;
	bool has_given_up; /* a record was lost on purpose */
};

struct model {
	struct kernel k;
	struct bytes b;
	uint32_t out; /* positions that went out */
	uint32_t lost;
	uint64_t time_ns;
	bool is_finished;
};

static void model_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct model *m = ctx;

	(void)dir;
	assert_true(time_ns <= m->time_ns);
	assert_false(m->is_finished);
	for (size_t i = 0; i < view->data.len; i++)
		assert_int_equal(view->data.ptr[i], byte_at(m->out + (uint32_t)i));
	m->out += (uint32_t)view->data.len;
}

static void model_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		       uint64_t time_ns)
{
	(void)ctx;
	(void)dir;
	(void)time_ns;
	(void)view;
	fail_msg("%u bytes skipped, and all were copied", len);
}

static void model_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		       uint64_t time_ns)
{
	struct model *m = ctx;

	(void)dir;
	(void)view;
	assert_true(time_ns <= m->time_ns);
	m->out += len;
	m->lost += len;
}

static void model_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct model *m = ctx;

	(void)dir;
	(void)time_ns;
	(void)view;
	assert_false(m->is_finished);
	m->is_finished = true;
}

static const struct bytes_sink model_sink = {model_data, model_skip, model_lost, model_fin};

static bool kernel_has_gap(const struct kernel *k)
{
	return (int32_t)(k->gap_hi - k->gap_lo) > 0;
}

static void send_record(struct model *m, uint32_t from, uint32_t seq, uint32_t to, bool is_fin)
{
	char data[2 * SEGMENT];
	struct segment_view segment = {
		.data = {data, to - seq},
		.from_seq = from,
		.seq = seq,
		.to_seq = to,
		.is_fin = is_fin,
		.has_gap = kernel_has_gap(&m->k),
	};

	for (uint32_t i = 0; i < to - seq; i++)
		data[i] = byte_at(seq - m->k.isn + i);
	bytes_push(&m->b, &segment, m->time_ns, &model_sink, m);
}

static void kernel_sees(struct model *m, uint32_t pos, uint32_t len, uint32_t loss)
{
	struct kernel *k = &m->k;
	uint32_t seq = k->isn + pos;
	int32_t ahead = (int32_t)(seq - k->next_seq);

	m->time_ns++;
	if (ahead < 0) {
		if (kernel_has_gap(k) && (int32_t)(seq - k->gap_hi) < 0 &&
		    (int32_t)(seq + len - k->gap_lo) > 0) {
			if (loss && below(loss) == 0) {
				k->has_given_up = true;
				return;
			}
			if ((int32_t)(seq - k->gap_lo) <= 0)
				k->gap_lo = seq + len;
			send_record(m, seq, seq, seq + len, false);
			return;
		}
		if (-ahead >= (int32_t)len)
			return;
		seq += (uint32_t)-ahead;
		len -= (uint32_t)-ahead;
	} else if (ahead > 0) {
		if (!kernel_has_gap(k))
			k->gap_lo = k->next_seq;
		k->gap_hi = seq;
		k->reported_seq = seq;
	}
	k->next_seq = seq + len;
	if (loss && below(loss) == 0)
		k->has_given_up = true;
	else
		send_record(m, k->reported_seq, seq, seq + len, false);
	k->reported_seq = k->next_seq;
}

static void kernel_learns_ack(struct kernel *k, uint32_t pos)
{
	uint32_t ack = k->isn + pos;

	if (kernel_has_gap(k) && (int32_t)(ack - k->gap_hi) >= 0)
		k->gap_lo = k->gap_hi;
	if ((int32_t)(ack - k->next_seq) > 0)
		k->next_seq = k->reported_seq = ack;
}

struct segment {
	uint32_t pos;
	uint32_t len;
};

/* A stream in segments: some sent twice, some as one with their neighbour, out of order. */
static unsigned make_segments(struct segment *s)
{
	unsigned n = 0;

	for (uint32_t pos = 0; pos < STREAM;) {
		uint32_t len = 1 + below(SEGMENT);

		if (len > STREAM - pos)
			len = STREAM - pos;
		s[n++] = (struct segment){pos, len};
		if (below(4) == 0) {
			uint32_t back = below(SEGMENT);

			back = back > pos ? pos : back;
			s[n++] = (struct segment){pos - back, back + len};
		}
		pos += len;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned j = i + below(WINDOW);

		if (j < n && below(3) == 0) {
			struct segment first = s[i];

			s[i] = s[j];
			s[j] = first;
		}
	}
	return n;
}

/* The in-order offset of the socket after s[0..n). */
static uint32_t acked(const struct segment *s, unsigned n, uint32_t pos)
{
	for (unsigned i = 0; i < n; i++) {
		if (s[i].pos <= pos && s[i].pos + s[i].len > pos) {
			pos = s[i].pos + s[i].len;
			i = (unsigned)-1;
		}
	}
	return pos;
}

static void run_network(uint32_t round, uint32_t loss)
{
	struct segment s[2 * STREAM];
	unsigned n = make_segments(s);
	uint32_t isn = below(2) ? 0u - below(STREAM) : below(UINT32_MAX >> 8) << 8;
	struct model m = {.k = {isn, isn, isn, isn, isn, false},
			  .b = {.is_started = true, .next = isn}};
	uint32_t ack = 0;

	for (unsigned i = 0; i < n; i++) {
		kernel_sees(&m, s[i].pos, s[i].len, loss);
		if (below(3) == 0) {
			ack = acked(s, i + 1, ack);
			kernel_learns_ack(&m.k, ack);
		}
	}
	kernel_learns_ack(&m.k, STREAM);
	send_record(&m, m.k.reported_seq, m.k.reported_seq, isn + STREAM, true);
	if (m.out != STREAM || !m.is_finished)
		fail_msg("round %u: %u of %u positions went out, %u of them lost", round, m.out,
			 STREAM, m.lost);
	if (!m.k.has_given_up && m.lost)
		fail_msg("round %u: %u bytes lost, and all were handed in", round, m.lost);
	bytes_flush(&m.b, DIR_INGRESS, &model_sink, &m);
	assert_int_equal(m.out, STREAM);
}

static void test_network(void **state)
{
	(void)state;
	random_state = 1;
	for (uint32_t round = 0; round < ROUNDS; round++)
		run_network(round, 0);
}

/* Records are lost too: still every position once, in order, and no byte in a wrong place. */
static void test_lossy_network(void **state)
{
	(void)state;
	random_state = 2;
	for (uint32_t round = 0; round < ROUNDS; round++)
		run_network(round, 2 + round % 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_lossy_network),
	};

	return cmocka_run_group_tests_name("bytes network", tests, NULL, NULL);
}
