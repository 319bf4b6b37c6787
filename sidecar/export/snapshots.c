/* SPDX-License-Identifier: Apache-2.0 */
#include "export/snapshots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

_Static_assert(SNAPSHOTS_MAX > PAGE_FORMATS, "the oldest page is not fresh");

#define FRESH_MAX_MS 10000u
#define RENDER_SHARE 64u /* making pages of a format takes at most this part of the time */
#define TICK_MS	     1000u

struct slot {
	struct page *page; /* NULL: the slot is free */
	enum page_format format;
	unsigned readers;
	uint64_t made_ms;
	uint64_t fresh_ms; /* how long after made_ms it may still be handed out */
};

struct snapshots {
	struct snapshots_options options;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct slot slots[SNAPSHOTS_MAX];
	struct delivery *deliveries;
};

struct delivery {
	struct delivery *next;
	struct snapshots *owner;
	struct slot *slot; /* NULL: cancelled */
	struct page_reader *reader; /* NULL: cancelled */
	int fd;
	uint64_t length;
	uint64_t begun_ms;
	uint64_t progress_ms; /* when it was read last */
};

struct snapshots *snapshots_new(uv_loop_t *loop, const struct snapshots_options *options)
{
	struct snapshots *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *options;
	s->loop = loop;
	(void)uv_timer_init(loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	return s;
}

static void slot_clear(struct snapshots *s, struct slot *slot)
{
	if (!slot->page)
		return;
	s->options.stats->page_bytes -= page_memory(slot->page);
	page_free(slot->page);
	*slot = (struct slot){0};
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void snapshots_close(struct snapshots *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
		slot_clear(s, &s->slots[i]);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

/* Callbacks of the HTTP server may come long after the loop has looked at the clock. */
static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static bool is_fresh(const struct slot *slot, uint64_t now)
{
	return slot->page && now - slot->made_ms < slot->fresh_ms;
}

/* The page can be freed at once, although the connection ends only when the loop has run. */
static void cancel(struct delivery *d, enum scrape_eviction reason)
{
	page_reader_free(d->reader);
	d->reader = NULL;
	d->slot->readers--;
	d->slot = NULL;
	d->owner->options.stats->evicted[reason]++;
	d->owner->options.cancel(d->fd);
}

static void on_tick(uv_timer_t *timer)
{
	struct snapshots *s = timer->data;
	uint64_t now = now_ms();
	bool is_used = false;

	for (struct delivery *d = s->deliveries; d; d = d->next) {
		if (!d->slot)
			continue;
		if (now - d->progress_ms >= SNAPSHOTS_STALL_MS)
			cancel(d, SCRAPE_EVICT_STALLED);
		else if (now - d->begun_ms >= SNAPSHOTS_SLOW_MS)
			cancel(d, SCRAPE_EVICT_SLOW);
	}
	for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
		if (s->slots[i].readers == 0 && !is_fresh(&s->slots[i], now))
			slot_clear(s, &s->slots[i]);
		if (s->slots[i].page)
			is_used = true;
	}
	if (!is_used)
		(void)uv_timer_stop(timer); /* cannot fail */
}

/* A free slot: if there is none, that of the oldest page that is not fresh. */
static struct slot *slot_take(struct snapshots *s, uint64_t now)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->readers == 0 && !is_fresh(slot, now))
			slot_clear(s, slot);
		if (!slot->page)
			return slot;
		if (!oldest || slot->made_ms < oldest->made_ms)
			oldest = slot;
	}
	for (struct delivery *d = s->deliveries; d; d = d->next)
		if (d->slot == oldest)
			cancel(d, SCRAPE_EVICT_PAGES);
	slot_clear(s, oldest);
	return oldest;
}

static bool slot_fill(struct snapshots *s, struct slot *slot, enum page_format format)
{
	uint64_t begun_ns = uv_hrtime();
	struct page *page;

	if (s->options.before)
		s->options.before(s->options.ctx);
	page = page_new(s->options.registry, format, s->options.labels, s->options.label_count);
	if (!page)
		return false;
	*slot = (struct slot){.page = page, .format = format, .made_ms = now_ms()};
	slot->fresh_ms = RENDER_SHARE * (uv_hrtime() - begun_ns) / 1000000;
	if (slot->fresh_ms < s->options.max_age_ms)
		slot->fresh_ms = s->options.max_age_ms;
	if (slot->fresh_ms > FRESH_MAX_MS)
		slot->fresh_ms = FRESH_MAX_MS;
	s->options.stats->pages++;
	s->options.stats->page_bytes += page_memory(page);
	if (!uv_is_active((uv_handle_t *)&s->timer))
		(void)uv_timer_start(&s->timer, on_tick, TICK_MS, TICK_MS); /* has a callback */
	return true;
}

static struct slot *slot_fresh(struct snapshots *s, enum page_format format)
{
	uint64_t now = now_ms();
	struct slot *slot;

	for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
		if (s->slots[i].format == format && is_fresh(&s->slots[i], now))
			return &s->slots[i];
	slot = slot_take(s, now);
	return slot_fill(s, slot, format) ? slot : NULL;
}

struct delivery *delivery_new(struct snapshots *s, enum page_format format, enum page_coding coding,
			      int fd)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct slot *slot = d ? slot_fresh(s, format) : NULL;

	if (slot)
		d->reader = page_reader_new(slot->page, coding);
	if (!d || !d->reader) {
		free(d);
		return NULL;
	}
	d->owner = s;
	d->slot = slot;
	d->slot->readers++;
	d->fd = fd;
	d->length = page_length(slot->page, coding);
	d->begun_ms = d->progress_ms = now_ms();
	d->next = s->deliveries;
	s->deliveries = d;
	return d;
}

void delivery_free(struct delivery *d)
{
	struct delivery **at;

	if (!d)
		return;
	if (d->slot)
		d->slot->readers--;
	page_reader_free(d->reader);
	at = &d->owner->deliveries;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	free(d);
}

uint64_t delivery_length(const struct delivery *d)
{
	return d->length;
}

ssize_t delivery_read(struct delivery *d, char *buf, size_t len)
{
	if (!d->reader)
		return -ECANCELED;
	d->progress_ms = now_ms();
	return page_read(d->reader, buf, len);
}
