/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/held.h"

#include <string.h>

static size_t size_of(const struct tls_record *record, bool is_fin)
{
	return sizeof(struct tls_held) + (is_fin ? 0 : record->len);
}

bool tls_held_add(struct tls_held_list *list, enum dir dir, const struct tls_record *record,
		  bool is_fin, struct memory_account *memory)
{
	size_t size = size_of(record, is_fin);
	struct tls_held **at = &list->first;
	struct tls_held *h = NULL;

	if (size <= TLS_HELD_MAX - list->bytes)
		h = memory_alloc(memory, size);
	if (!h)
		return false;
	*h = (struct tls_held){.dir = dir, .is_fin = is_fin, .record = *record};
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

void tls_held_drop(struct tls_held_list *list, struct tls_held *h, struct memory_account *memory)
{
	struct tls_held **at = &list->first;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	list->bytes -= size_of(&h->record, h->is_fin);
	memory_free(memory, h);
}

void tls_held_release(struct tls_held_list *list, struct memory_account *memory)
{
	while (list->first)
		tls_held_drop(list, list->first, memory);
}

bool tls_held_has(const struct tls_held_list *list, enum dir dir)
{
	for (const struct tls_held *h = list->first; h; h = h->next)
		if (h->dir == dir)
			return true;
	return false;
}
