/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What strangers can make this process hold, in shares that together stay below
 * the memory limit of its manifest (64Mi):
 *
 *     the program and its libraries, resident when it starts     12 MiB
 *     parsed JSON, of one review at a time                       24 MiB
 *     requests and answers in flight, of all connections         10 MiB
 *     the same of the pages (metrics, health), which a flood
 *     of reviews must not silence                                 1 MiB
 *     TLS sessions (http.h caps connections)                      8 MiB
 *     what the kernel charges for the sockets                     8 MiB
 *
 * "0," is two bytes on the wire and 64 in a tree: JSON needs a limit of its own
 * beside that of the bodies. A share that is used up refuses, and counts it.
 */
#ifndef SIDELIGHT_WEBHOOK_BUDGET_H
#define SIDELIGHT_WEBHOOK_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_JSON_BYTES     (24u << 20)
#define BUDGET_REQUESTS_BYTES (10u << 20)
#define BUDGET_PAGES_BYTES    (1u << 20)

enum budget_share {
	BUDGET_JSON,
	BUDGET_REQUESTS,
	BUDGET_PAGES,
	BUDGET_SHARE_MAX,
};

/* Names for the metrics. */
extern const char *const budget_shares[BUDGET_SHARE_MAX];

/*
 * From now on, cJSON gets no more than so many bytes at a time and fails
 * beyond. To be called before cJSON is used: what it has allocated earlier is not known.
 */
void budget_install(size_t json_bytes);

/*
 * Changes what one holder has of a share from *held to want bytes, and
 * *held with it. Returns false, and changes nothing, if that is too much; less always succeeds.
 */
bool budget_hold(enum budget_share share, size_t *held, size_t want);

/* What is in use now. */
size_t budget_used(enum budget_share share);
/* How often there was not enough. */
uint64_t budget_refused(enum budget_share share);

#endif
