/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A summary as a table for people, one part for each role that has requests:
 *
 *  100,000 requests served in 12.3 s: 8,130/s, 5.0 % errors
 *
 *    method  route        requests   rate/s  errors      p50      p90      p99      max  statuses
 *    GET     /users/{id}    75,000  6,097.6   0.0 %   120 us   210 us  1.21 ms  15.2 ms  200:75000
 */
#ifndef SIDELIGHT_EXPORT_TABLE_H
#define SIDELIGHT_EXPORT_TABLE_H

#include <stdint.h>

#include "base/text.h"
#include "metrics/summary.h"

/*
 * Appends the table. elapsed_ns is what rates are taken over; 0: from the first request to the last
 * response. Without any request it is one line that says so. Lines are at most max_columns long;
 * 0: as long as they need to be. Routes become shorter for that, then columns of numbers go, then
 * the statuses are cut.
 */
void table_add(struct text *out, struct summary *s, uint64_t elapsed_ns, size_t max_columns);

/* Longer routes are cut; the metrics have them in full. */
#define TABLE_NAME_SIZE 61

/* Copies a name that strangers may have chosen. No byte that a terminal would obey remains. */
void table_copy_name(char buf[TABLE_NAME_SIZE], const char *name);

/* `85 ns`, `120 us`, `1.21 ms`, `15.2 s`: three digits. */
void table_add_duration(struct text *out, uint64_t ns);

#endif
