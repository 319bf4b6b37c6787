/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/arrivals.h"

#include <stdlib.h>
#include <string.h>

static bool is_ahead(const struct arrivals *a, uint64_t time_ns)
{
	return time_ns > a->last_ns && time_ns - a->last_ns > ARRIVALS_JUMP_NS;
}

static bool is_behind(const struct arrivals *a, uint64_t time_ns)
{
	return time_ns < a->last_ns && a->last_ns - time_ns > ARRIVALS_STEP_NS;
}

static void deliver(struct arrivals *a, const struct raw_packet *p, uint64_t time_ns, arrival_fn fn,
		    void *ctx)
{
	if (!a->first_ns)
		a->first_ns = time_ns;
	if (time_ns > a->last_ns)
		a->last_ns = time_ns;
	fn(ctx, p, a->last_ns);
}

/* Stores a copy. Returns false if there is no memory. */
static bool keep(struct arrivals *a, const struct raw_packet *p, uint64_t time_ns)
{
	if (p->captured.len > a->copy_size || !a->copy) {
		size_t size = p->captured.len < 2048 ? 2048 : p->captured.len;
		char *copy = realloc(a->copy, size);

		if (!copy)
			return false;
		a->copy = copy;
		a->copy_size = size;
	}
	if (p->captured.len)
		memcpy(a->copy, p->captured.ptr, p->captured.len);
	a->waiting = *p;
	a->waiting.captured.ptr = a->copy;
	a->waiting_ns = time_ns;
	a->is_waiting = true;
	return true;
}

/* True if the time of the next packet shows that the stored one is a stray. */
static bool is_stray(const struct arrivals *a, uint64_t next_ns)
{
	if (a->waiting_ns < a->last_ns)
		return !is_behind(a, next_ns);
	if (next_ns >= a->waiting_ns)
		return false;
	/* The first packet can be compared with the next one only. */
	if (!a->first_ns)
		return a->waiting_ns - next_ns > ARRIVALS_JUMP_NS;
	return next_ns < a->last_ns || next_ns - a->last_ns < a->waiting_ns - next_ns;
}

/* Calls fn for the stored packet with the capture's own time. */
static void accept_time(struct arrivals *a, arrival_fn fn, void *ctx)
{
	a->is_waiting = false;
	if (is_behind(a, a->waiting_ns)) {
		a->set_back++;
		a->shift_ns += a->last_ns - a->waiting_ns;
	}
	deliver(a, &a->waiting, a->waiting_ns, fn, ctx);
}

void arrivals_packet(struct arrivals *a, const struct raw_packet *p, uint64_t time_ns,
		     arrival_fn fn, void *ctx)
{
	uint64_t shifted = time_ns + a->shift_ns;

	if (a->is_waiting && is_stray(a, shifted)) {
		a->is_waiting = false;
		a->strays++;
		deliver(a, &a->waiting, shifted, fn, ctx);
	} else if (a->is_waiting) {
		accept_time(a, fn, ctx);
		shifted = time_ns + a->shift_ns;
	}
	if ((is_ahead(a, shifted) || is_behind(a, shifted)) && keep(a, p, shifted))
		return;
	deliver(a, p, shifted, fn, ctx);
}

void arrivals_flush(struct arrivals *a, arrival_fn fn, void *ctx)
{
	if (a->is_waiting)
		accept_time(a, fn, ctx);
}

void arrivals_release(struct arrivals *a)
{
	free(a->copy);
	a->copy = NULL;
	a->is_waiting = false;
}
