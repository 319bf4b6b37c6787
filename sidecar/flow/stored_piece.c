/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/stored_piece.h"

#include <string.h>

struct stored_piece *stored_piece_add(struct stored_piece **list, struct memory_account *memory,
				      const struct segment_view *from, uint64_t time_ns)
{
	struct stored_piece *p = memory_alloc(memory, stored_piece_size(from->data.len));

	if (!p)
		return NULL;
	*p = (struct stored_piece){
		.time_ns = time_ns,
		.seq = from->seq,
		.len = (uint32_t)from->data.len,
		.from_seq = from->from_seq,
		.to_seq = from->to_seq,
		.tid = from->tid,
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

void stored_piece_view(const struct stored_piece *p, enum dir dir, struct segment_view *ret)
{
	*ret = (struct segment_view){
		.dir = dir,
		.data = {p->data, p->len},
		.seq = p->seq,
		.from_seq = p->from_seq,
		.to_seq = p->to_seq,
		.tid = p->tid,
		.is_fin = p->is_fin,
		.is_frame = p->is_frame,
	};
}
