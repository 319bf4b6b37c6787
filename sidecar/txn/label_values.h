/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of one label that peers choose (route, gRPC method, host), as interned strings under a
 * cap that a stranger cannot use up.
 *
 * A value takes a place in the table when it has earned one, which is decided at the end of an
 * exchange, when the answer is known. Until then it is a candidate: the exchange holds it, and no
 * metric has it. A candidate that does not earn a place is LABEL_OTHER, and is forgotten some time
 * after its last exchange, so nothing has to be taken back from the registry.
 *
 *     answer          earns a place while ...
 *     LABEL_SERVED    less than three quarters of the table are taken; from there on, at its
 *                     fourth time
 *     LABEL_ANSWERED  likewise, and less than half of the table is taken by values that earned
 *                     their place by LABEL_ANSWERED or LABEL_REFUSED
 *     LABEL_REFUSED   likewise, and less than a tenth by LABEL_REFUSED; from there on, at its
 *                     eighth time
 *
 * So a scanner, whose requests are answered with 404, takes a tenth of the table, or half of it if
 * it repeats itself; and the rest is for what is really served.
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

/* What an answer tells of the value that was asked for. */
enum label_answer {
	LABEL_SERVED, /* it exists: 2xx, OK */
	LABEL_ANSWERED, /* nothing: a redirection, an error, no answer at all */
	LABEL_REFUSED, /* the server does not know it: 404 and the like, UNIMPLEMENTED */
};

enum label_answer label_answer_of_http(uint16_t status);
enum label_answer label_answer_of_grpc(uint16_t status);

struct label_values;

/* cap is per direction (server, client). NULL: no memory. */
struct label_values *label_values_new(size_t cap);
/* Accepts NULL. */
void label_values_free(struct label_values *v);

/*
 * The interned value: lives as long as v, equal values are equal pointers. *ret_is_candidate: it
 * has not earned a place. Then it is charged to the account and valid until it is handed to one of
 * the next two functions, with the same account. Never NULL: label_other if there is no place or
 * memory for it.
 */
const char *label_values_find(struct label_values *v, enum role role, struct span value,
			      struct memory_account *memory, bool *ret_is_candidate);
/* The exchange of a candidate has ended: its final value. */
const char *label_values_settle(struct label_values *v, enum role role, const char *candidate,
				struct memory_account *memory, enum label_answer answer);
/* The exchange of a candidate will not be reported. */
void label_values_drop(struct label_values *v, const char *candidate,
		       struct memory_account *memory);

/* A value that the user names: its string lives as long as v. *ret_is_new: it was not kept before.
 * NULL: no memory. */
const char *label_values_keep(struct label_values *v, struct span value, bool *ret_is_new);
/* One that is pinned is found in both directions, whether it has earned a place or not. */
void label_values_pin(const char *kept, bool is_pinned);

/* No value can earn a place any more. */
bool label_values_are_full(const struct label_values *v, enum role role);

/* LABEL_OTHER, as all tables answer it. */
extern const char label_other[];

/* Exchanges that got label_other because of the cap. */
uint64_t label_values_overflowed(const struct label_values *v);
/* For an exchange that got label_other without asking here. */
void label_values_count_overflow(struct label_values *v);

#endif
