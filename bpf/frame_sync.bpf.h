/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Synchronisation of a frame parser with the frames of its direction: a record asks user space
 * where frames begin (SL_F_ASK), and the answer arrives in the map `verdicts`. The states are
 * described in frame_parser.bpf.h.
 */
#ifndef SIDELIGHT_FRAME_SYNC_BPF_H
#define SIDELIGHT_FRAME_SYNC_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frame_parser.bpf.h"
#include "state.bpf.h"

/*
 * Rate limit of the questions of one direction. The interval between two questions starts at
 * ASK_LEAST_NS and doubles with each question, at most ASK_BACKOFF_MAX times. It starts again
 * after ASK_CALM_NS without a question.
 */
#define ASK_LEAST_NS	(1000ull * 1000)
#define ASK_BACKOFF_MAX 4
#define ASK_CALM_NS	(1000ull * 1000 * 1000)
/* A question without an answer is repeated after this time. */
#define ASK_AGAIN_NS (250ull * 1000 * 1000)
/* The answer may name a frame that begins after one of the largest size. */
#define ANSWER_AHEAD (1u << 25)

/* May directions that were never synchronised still send records before the reader drains? */
static __always_inline bool has_unsynced_budget(void)
{
	return unsynced_bytes < unsynced_max;
}

/* Sets the parser by an answer of user space: a frame begins at the sequence number `answer`. */
static __always_inline bool use_answer(struct direction *d, struct frame_parser *p, __u32 seq,
				       __u32 answer)
{
	if (p->sync == FRAMES_TENTATIVE && answer == p->ask_seq) {
		p->sync = FRAMES_SYNCED;
		d->is_unsynced = false;
		return true;
	}
	if (answer - seq < ANSWER_AHEAD) {
		reset_parser(p, seq, FRAMES_SYNCED);
		p->copy_left = answer - seq;
		d->is_unsynced = false;
		return true;
	}
	return false;
}

/* Marks the record at seq as a question, and assumes that a frame begins there. */
static __always_inline void ask_for_frames(struct direction *d, struct frame_parser *p, __u32 seq,
					   __u64 now_ns, __u64 waited_ns)
{
	if (waited_ns > ASK_CALM_NS)
		d->ask_backoff = 0;
	else if (d->ask_backoff < ASK_BACKOFF_MAX)
		d->ask_backoff++;
	count_exact(SL_C_ASKED);
	reset_parser(p, seq, FRAMES_TENTATIVE);
	p->has_asked = true;
	p->ask_seq = seq;
	d->ask_ns = now_ns;
	p->flags = SL_F_ASK;
}

/*
 * For a parser that is not synchronised: uses an answer, or asks a question, which sets p->flags.
 * Returns false if nothing of this segment may be sent.
 */
static __always_inline bool find_frames(struct sock_state *st, struct frame_parser *p, __u8 dir,
					__u32 seq)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);
	__u64 now_ns = bpf_ktime_get_ns();
	struct direction *d = &st->direction[dir];
	__u64 waited_ns = now_ns - d->ask_ns;

	if (v && v->is_http2)
		st->is_confirmed = true;
	if (v && p->has_asked && v->time_ns[dir] > d->ask_ns) {
		if (use_answer(d, p, seq, v->seq[dir]))
			return true;
	} else if (p->has_asked && p->sync == FRAMES_TENTATIVE && waited_ns < ASK_AGAIN_NS) {
		p->is_withheld = d->is_unsynced && !has_unsynced_budget();
		return true;
	}
	if (d->is_unsynced && !has_unsynced_budget())
		return false;
	if (d->ask_ns && waited_ns < ASK_LEAST_NS << (d->ask_backoff & 7))
		return true;
	ask_for_frames(d, p, seq, now_ns, waited_ns);
	return true;
}

#endif
