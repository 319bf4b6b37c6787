/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of one label that peers control (route, gRPC method, host), as interned strings under
 * a cap that peers cannot exhaust.
 *
 * A value is admitted to the table at the end of an exchange, depending on the response. Until then
 * it is a candidate: exchanges hold references to it, and it is in no metric. A candidate that is
 * not admitted becomes LABEL_OTHER, and is freed some time after its last exchange. Admitted values
 * are never removed.
 *
 *     response           the value is admitted while ...
 *     LABEL_SERVED       less than three quarters of the table are used; after that, at its
 *                        fourth exchange
 *     LABEL_NO_EVIDENCE  less than three quarters are used, and less than half of the table by
 *                        values that were admitted by LABEL_NO_EVIDENCE or LABEL_REFUSED
 *     LABEL_REFUSED      as LABEL_NO_EVIDENCE, and either less than a tenth of the table is used
 *                        by values that were admitted by LABEL_REFUSED, or it is the eighth
 *                        exchange of the value
 *
 * A scanner, which gets 404, can therefore use a tenth of the table, or half of it if it repeats
 * itself. The rest is for values that are served.
 */
#ifndef SIDELIGHT_TXN_LABEL_VALUES_H
#define SIDELIGHT_TXN_LABEL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "capture/event.h"

#define LABEL_OTHER "_OTHER"

/* The evidence of a response for the value of its request. */
enum label_evidence {
	LABEL_SERVED, /* the value exists: 2xx, OK */
	LABEL_NO_EVIDENCE, /* no evidence: a redirection, an error, no response */
	LABEL_REFUSED, /* the server does not know the value: 404 and the like, UNIMPLEMENTED */
};

enum label_evidence label_evidence_of_http(uint16_t status);
enum label_evidence label_evidence_of_grpc(uint16_t status);

struct label_values;

/* cap is per direction (server, client). Returns NULL if there is no memory. */
struct label_values *label_values_new(size_t cap);
/* Accepts NULL. */
void label_values_free(struct label_values *v);

/*
 * Returns the interned value, which lives as long as v; equal values are equal pointers.
 * *ret_is_candidate: it is not admitted. Then it is charged to the account, and valid until it is
 * passed to one of the next two functions with the same account. Never returns NULL: label_other if
 * there is no room or memory.
 */
const char *label_values_find(struct label_values *v, enum role role, struct span value,
			      struct memory_account *memory, bool *ret_is_candidate);
/* Decides about a candidate at the end of its exchange. Returns the final value. */
const char *label_values_decide(struct label_values *v, enum role role, const char *candidate,
				struct memory_account *memory, enum label_evidence evidence);
/* The exchange of a candidate will not be reported. */
void label_values_drop(struct label_values *v, const char *candidate,
		       struct memory_account *memory);

/*
 * Adds a value that the user configures; its string lives as long as v. *ret_is_new: it was not
 * kept before. Returns NULL if there is no memory.
 */
const char *label_values_keep(struct label_values *v, struct span value, bool *ret_is_new);
/* A pinned value is found in both directions, whether it is admitted or not. */
void label_values_pin(const char *kept, bool is_pinned);

/* True if no further value can be admitted. */
bool label_values_are_full(const struct label_values *v, enum role role);

/* LABEL_OTHER, the same pointer for all tables. */
extern const char label_other[];

/* The number of exchanges that got label_other because of the cap. */
uint64_t label_values_overflowed(const struct label_values *v);
/* Counts an exchange that got label_other without label_values_find(). */
void label_values_count_overflow(struct label_values *v);

#endif
