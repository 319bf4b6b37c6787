/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/header_capture.h"

static void on_begin(void *ctx)
{
	struct header_capture *h = ctx;

	if (!h->block)
		return;
	h->block->len = 0;
	h->block->is_cut = false;
}

static void on_field(void *ctx, struct span name, struct span value)
{
	struct header_capture *h = ctx;

	/* An unknown field: of an older connection, or after a lost block. */
	if (!name.len)
		headers_cut(&h->block, NULL);
	else if (header_wishes_have(&h->wishes, name))
		headers_add(&h->block, NULL, HEADERS_REQUEST, name, value);
}

void header_capture_init(struct header_capture *h)
{
	*h = (struct header_capture){.observer = {.begin = on_begin, .field = on_field, .ctx = h}};
}

void header_capture_release(struct header_capture *h)
{
	memory_free(NULL, h->block);
	h->block = NULL;
}

void header_capture_add(struct header_capture *h, struct header_wish *wish)
{
	wish->next = h->wishes.first;
	h->wishes.first = wish;
	h->observer.is_on = true;
}

void header_capture_remove(struct header_capture *h, struct header_wish *wish)
{
	struct header_wish **at = &h->wishes.first;

	while (*at && *at != wish)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = wish->next;
	if (h->wishes.first)
		return;
	h->observer.is_on = false;
	header_capture_release(h);
}

void header_capture_take(struct header_capture *h, const struct http2_head *head,
			 struct headers **to, struct memory_account *memory,
			 enum header_section section)
{
	if (!head->is_observed)
		headers_cut(to, memory);
	else if (h->block)
		headers_add_all(to, memory, section, h->block);
	else
		headers_see(to, memory, section);
}
