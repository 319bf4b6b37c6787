/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/queued_segment.h"

#include <string.h>

struct queued_segment *queued_segment_add(struct queued_segment **list,
					  struct memory_account *memory,
					  const struct segment_view *from, uint64_t time_ns)
{
	struct queued_segment *p = memory_alloc(memory, queued_segment_size(from->data.len));

	if (!p)
		return NULL;
	*p = (struct queued_segment){
		.time_ns = time_ns,
		.seq = from->seq,
		.len = (uint32_t)from->data.len,
		.from_seq = from->from_seq,
		.to_seq = from->to_seq,
		.tid = from->tid,
		.tgid = from->tgid,
		.is_fin = from->is_fin,
		.is_frame = from->is_frame,
	};
	if (from->data.len)
		memcpy(p->data, from->data.ptr, from->data.len);
	while (*list && seq_diff((*list)->from_seq, p->from_seq) <= 0)
		list = &(*list)->next;
	p->next = *list;
	*list = p;
	return p;
}

void queued_segment_view(const struct queued_segment *p, enum dir dir, struct segment_view *ret)
{
	*ret = (struct segment_view){
		.dir = dir,
		.data = {p->data, p->len},
		.seq = p->seq,
		.from_seq = p->from_seq,
		.to_seq = p->to_seq,
		.tid = p->tid,
		.tgid = p->tgid,
		.is_fin = p->is_fin,
		.is_frame = p->is_frame,
	};
}
