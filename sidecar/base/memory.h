/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One budget for the memory that strangers can make us take.
 *
 * Each connection has an account, and whatever is allocated for it is charged there. Charges happen
 * when memory is allocated and when it is freed, never per request. When the budget is exhausted,
 * its owner evicts other accounts until the allocation fits; when one account has reached its own
 * bound, or nothing is left to evict, the allocation fails as it does when malloc() fails.
 *
 * Invariants, true between any two calls:
 *   - budget->used is the sum of `used` of all accounts;
 *   - budget->used <= budget->cap, and account->used <= budget->account_cap, but for the few bytes
 *     by which malloc() rounds up a single allocation.
 *
 * All functions accept a NULL account: then nothing is counted.
 */
#ifndef SIDELIGHT_BASE_MEMORY_H
#define SIDELIGHT_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The share of the budget that a single account may have: 1 / so many. */
#define MEMORY_SHARES 16u

struct memory_account;

struct memory_budget {
	size_t used; /* bytes, with what malloc() adds to each allocation */
	size_t cap;
	size_t account_cap;
	uint64_t refused; /* allocations that failed because of either bound */
	/* Frees the memory of one account other than `keep`. False: there is none. May be NULL. */
	bool (*evict)(void *ctx, const struct memory_account *keep);
	void *ctx;
	bool is_evicting; /* evict() is under way: what it allocates has to fit */
	size_t evicted_bytes; /* since the heap was last trimmed */
	size_t peak; /* of used, likewise */
};

struct memory_account {
	struct memory_budget *budget; /* NULL: nothing is counted */
	size_t used;
};

/* The budget must not move as long as an account refers to it. */
void memory_budget_init(struct memory_budget *budget, size_t cap);

/* Like their namesakes of the C library. memory_realloc() leaves ptr as it is when it fails. */
void *memory_alloc(struct memory_account *a, size_t size);
void *memory_calloc(struct memory_account *a, size_t count, size_t size);
void *memory_realloc(struct memory_account *a, void *ptr, size_t size);
void memory_free(struct memory_account *a, void *ptr);

/* For memory that is allocated elsewhere. False: it does not fit, and nothing was charged. */
bool memory_charge(struct memory_account *a, size_t bytes);
void memory_credit(struct memory_account *a, size_t bytes);

#endif
