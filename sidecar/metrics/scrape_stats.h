/* SPDX-License-Identifier: Apache-2.0 */
/* How the scrapes went, for the self metrics; export/scrape.h fills it. */
#ifndef SIDELIGHT_METRICS_SCRAPE_STATS_H
#define SIDELIGHT_METRICS_SCRAPE_STATS_H

#include <stdint.h>

/* Why a connection to /metrics was ended before its client was done with it. */
enum scrape_eviction {
	SCRAPE_EVICT_CONNECTIONS, /* a new connection needed its place */
	SCRAPE_EVICT_STALLED, /* the client read nothing for some seconds */
	SCRAPE_EVICT_SLOW, /* the client read, but too slowly in total */
	SCRAPE_EVICT_PAGES, /* a new page needed the memory of the oldest one */
	SCRAPE_EVICT_UNREAD, /* closed while much was unread: the kernel discarded it */
	SCRAPE_EVICT_MAX,
};

struct scrape_stats {
	uint64_t evicted[SCRAPE_EVICT_MAX];
	uint64_t pages; /* made since the start */
	uint64_t page_bytes; /* memory of all pages that are held now */
};

/* "connections", "stalled", ... */
static inline const char *scrape_eviction_name(enum scrape_eviction reason)
{
	static const char *const names[SCRAPE_EVICT_MAX] = {"connections", "stalled", "slow",
							    "pages", "unread"};

	return names[reason];
}

#endif
