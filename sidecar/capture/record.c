/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/record.h"

#include <errno.h>
#include <string.h>

#include "bpf/event.h"

_Static_assert((int)DIR_INGRESS == SL_INGRESS && (int)DIR_EGRESS == SL_EGRESS, "same numbers");
_Static_assert((int)ROLE_SERVER == SL_ROLE_SERVER && (int)ROLE_CLIENT == SL_ROLE_CLIENT,
	       "same numbers");

static int read_open(const struct sl_open *rec, size_t size, struct event *ev)
{
	if (size < sizeof(*rec) || (rec->family != 4 && rec->family != 6) ||
	    rec->role > SL_ROLE_CLIENT)
		return -EBADMSG;
	ev->kind = EVENT_OPEN;
	ev->open = (struct event_open){
		.role = (enum role)rec->role,
		.container = rec->container,
		.is_early = rec->h.flags & SL_F_EARLY,
		.local = {.family = rec->family, .port = rec->local_port},
		.remote = {.family = rec->family, .port = rec->remote_port},
		.first_seq = {rec->first_seq[SL_INGRESS], rec->first_seq[SL_EGRESS]},
		.has_first = {!(rec->h.flags & SL_F_EARLY), true},
	};
	memcpy(ev->open.local.addr, rec->local_addr, sizeof(rec->local_addr));
	memcpy(ev->open.remote.addr, rec->remote_addr, sizeof(rec->remote_addr));
	return 0;
}

#define SEQ_BYTES (offsetof(struct sl_data, data) - offsetof(struct sl_data, seq))
#define SAME_PLACE(member)                                                                         \
	_Static_assert(offsetof(struct segment_view, member) -                                     \
				       offsetof(struct segment_view, seq) ==                       \
			       offsetof(struct sl_data, member) - offsetof(struct sl_data, seq),   \
		       "copied as one")
SAME_PLACE(from_seq);
SAME_PLACE(to_seq);
SAME_PLACE(peer_seq);
SAME_PLACE(tid);
SAME_PLACE(tgid);

static int read_data(const struct sl_data *rec, size_t size, struct event *ev)
{
	uint32_t before;
	uint32_t whole;

	if (size < sizeof(*rec) || rec->h.dir > SL_EGRESS || rec->h.len > size - sizeof(*rec))
		return -EBADMSG;
	before = rec->seq - rec->from_seq;
	whole = rec->to_seq - rec->from_seq;
	if (whole >> 31 || before > whole || rec->h.len > whole - before)
		return -EBADMSG;
	/*
	 * All members are assigned one by one: a compound literal would clear the struct first,
	 * which costs as much again.
	 */
	ev->kind = EVENT_DATA;
	ev->data.dir = (enum dir)rec->h.dir;
	ev->data.data = (struct span){(const char *)rec->data, rec->h.len};
	memcpy(&ev->data.seq, &rec->seq, SEQ_BYTES);
	ev->data.has_peer = rec->peer_seq != 0;
	ev->data.is_fin = ev->data.has_gap = ev->data.is_ahead = false;
	ev->data.wants_frame_start = ev->data.is_derived = false;
	ev->data.is_frame = rec->h.flags & SL_F_FRAME;
	if (rec->h.flags & ~SL_F_FRAME) {
		ev->data.is_fin = rec->h.flags & SL_F_FIN;
		ev->data.is_ahead = rec->h.flags & SL_F_OUT_OF_ORDER;
		ev->data.wants_frame_start = rec->h.flags & SL_F_ASK;
	}
	return 0;
}

static int read_close(const struct sl_close *rec, size_t size, struct event *ev)
{
	if (size < sizeof(*rec))
		return -EBADMSG;
	ev->kind = EVENT_CLOSE;
	ev->close = (struct event_close){
		.is_reset = rec->h.flags & SL_F_RESET,
		.bytes = {rec->bytes[SL_INGRESS], rec->bytes[SL_EGRESS]},
		.to_seq = {rec->to_seq[SL_INGRESS], rec->to_seq[SL_EGRESS]},
		.reported_seq = {rec->reported_seq[SL_INGRESS], rec->reported_seq[SL_EGRESS]},
		.has_end = true,
		.srtt_us = rec->srtt_us,
		.retransmits = rec->retransmits,
	};
	return 0;
}

int record_read(const void *record, size_t size, struct event *ret_event)
{
	const struct sl_header *h = record;

	if (size < sizeof(*h))
		return -EBADMSG;
	ret_event->time_ns = h->time_ns;
	ret_event->id = h->id;
	/* Nearly all records are data. */
	if (h->kind == SL_DATA)
		return read_data(record, size, ret_event);
	switch (h->kind) {
	case SL_OPEN:
		return read_open(record, size, ret_event);
	case SL_CLOSE:
		return read_close(record, size, ret_event);
	case SL_MUTE:
		ret_event->kind = EVENT_MUTE;
		ret_event->mute = h->why;
		return 0;
	case SL_READ:
		if (size < sizeof(struct sl_read))
			return -EBADMSG;
		ret_event->kind = EVENT_READ;
		ret_event->read.from_seq = ((const struct sl_read *)record)->from_seq;
		ret_event->read.to_seq = ((const struct sl_read *)record)->to_seq;
		return 0;
	default:
		return -EBADMSG;
	}
}
