/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smoothed round-trip times of connections that have ended lately, by their id: as many as
 * there is room for, in a table of constant size in which a later one may take the place of
 * another.
 */
#ifndef SIDELIGHT_METRICS_ROUND_TRIPS_H
#define SIDELIGHT_METRICS_ROUND_TRIPS_H

#include <stdint.h>

#define ROUND_TRIPS 2048 /* a power of two */

/* Zeroed, it is empty. */
struct round_trips {
	uint64_t conn_id[ROUND_TRIPS];
	uint32_t us[ROUND_TRIPS];
};

static inline uint32_t round_trips_place(uint64_t conn_id)
{
	return (uint32_t)((conn_id * 0x9e3779b97f4a7c15u) >> 32) % ROUND_TRIPS;
}

static inline void round_trips_keep(struct round_trips *r, uint64_t conn_id, uint32_t us)
{
	r->conn_id[round_trips_place(conn_id)] = conn_id;
	r->us[round_trips_place(conn_id)] = us;
}

/* In microseconds; 0: not known. */
static inline uint32_t round_trips_find(const struct round_trips *r, uint64_t conn_id)
{
	uint32_t at = round_trips_place(conn_id);

	return r->conn_id[at] == conn_id ? r->us[at] : 0;
}

#endif
