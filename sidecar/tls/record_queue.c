/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/record_queue.h"

#include <string.h>

static size_t size_of(const struct tls_record *record, bool is_fin)
{
	return sizeof(struct tls_queued_record) + (is_fin ? 0 : record->len);
}

bool tls_record_queue_add(struct tls_record_queue *list, enum dir dir,
			  const struct tls_record *record, bool is_fin,
			  struct memory_account *memory)
{
	size_t size = size_of(record, is_fin);
	struct tls_queued_record **at = &list->first;
	struct tls_queued_record *h = NULL;

	if (size <= TLS_RECORD_QUEUE_MAX - list->bytes)
		h = memory_alloc(memory, size);
	if (!h)
		return false;
	*h = (struct tls_queued_record){.dir = dir, .is_fin = is_fin, .record = *record};
	if (!is_fin) {
		memcpy(h->body, record->body, record->len);
		h->record.body = h->body;
	}
	while (*at)
		at = &(*at)->next;
	*at = h;
	list->bytes += size;
	return true;
}

void tls_record_queue_remove(struct tls_record_queue *list, struct tls_queued_record *h,
			     struct memory_account *memory)
{
	struct tls_queued_record **at = &list->first;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	list->bytes -= size_of(&h->record, h->is_fin);
	memory_free(memory, h);
}

void tls_record_queue_release(struct tls_record_queue *list, struct memory_account *memory)
{
	while (list->first)
		tls_record_queue_remove(list, list->first, memory);
}

bool tls_record_queue_has(const struct tls_record_queue *list, enum dir dir)
{
	for (const struct tls_queued_record *h = list->first; h; h = h->next)
		if (h->dir == dir)
			return true;
	return false;
}
