/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields as they are stored: the input is a trailer section of HTTP/1, whose first byte says
 * how it is cut. It holds that
 *   - cutting it otherwise gives the same fields, as long as nothing is left out;
 *   - what is stored stays below its bound, and holds whole fields;
 *   - a value that was kept as it came is kept again: nothing that is left is a secret. (One of
 *     which a part is REDACTED may be no URL any more, and then all of it is.)
 *   - a copy of what is wanted has the same fields, and all memory is given back.
 */
#include <string.h>

#include "base/redact.h"
#include "fuzz.h"
#include "txn/headers.h"

static struct header_wish wish = {.names = "*"};
static const struct header_wishes wishes = {.first = &wish};

static struct headers *take(struct memory_account *a, const char *ptr, size_t size, size_t step)
{
	struct headers *h = NULL;

	for (size_t at = 0; at < size; at += step) {
		struct span piece = {ptr + at, step < size - at ? step : size - at};

		headers_add_trailers(&h, a, HEADERS_RESPONSE_TRAILERS, piece, &wishes);
		fuzz_check(!h ||
			   (h->len <= HEADERS_BYTES_MAX && h->len + h->partial_len <= h->alloc));
	}
	return h;
}

static void check_field(const struct header_field *f, bool is_cut)
{
	char again[REDACT_TARGET_MAX * 4];
	bool is_shorter;
	size_t n;

	fuzz_check(f->section == HEADERS_RESPONSE_TRAILERS && f->name.len > 0 &&
		   f->name.len <= HEADERS_NAME_MAX && f->value.len <= REDACT_TARGET_MAX);
	if (is_cut)
		return;
	n = redact_header(f->name, f->value, again, sizeof(again), &is_shorter);
	fuzz_check(span_eq((struct span){again, n}, f->value) ||
		   memmem(f->value.ptr, f->value.len, REDACTED, strlen(REDACTED)));
}

static void compare(const struct headers *a, const struct headers *b)
{
	struct header_field x;
	struct header_field y;
	size_t at_a = 0;
	size_t at_b = 0;

	while (headers_next(a, &at_a, &x)) {
		fuzz_check(headers_next(b, &at_b, &y));
		fuzz_check(span_eq(x.name, y.name) && span_eq(x.value, y.value));
		check_field(&x, a->is_cut);
	}
	fuzz_check(!headers_next(b, &at_b, &y) && at_a == a->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_budget budget;
	struct memory_account account = {.budget = &budget};
	struct headers *whole;
	struct headers *cut;
	struct headers *copy;

	memory_budget_init(&budget, MEMORY_SHARES << 20);
	if (size < 2)
		return 0;
	whole = take(&account, (const char *)data + 1, size - 1, size);
	cut = take(&account, (const char *)data + 1, size - 1, (size_t)data[0] + 1);
	fuzz_check(whole && cut);
	if (!whole->is_cut && !cut->is_cut)
		compare(whole, cut);
	copy = headers_copy(cut, &account, &wishes);
	fuzz_check(copy && copy->len == cut->len && memcmp(copy->data, cut->data, cut->len) == 0);
	headers_retain(copy, &(struct header_wishes){0});
	fuzz_check(copy->len == 0);
	memory_free(&account, whole);
	memory_free(&account, cut);
	memory_free(&account, copy);
	fuzz_check(account.used == 0);
	return 0;
}
