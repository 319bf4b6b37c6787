/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redacted targets. It holds that
 *   - what was redacted is redacted to itself: nothing that is left is a secret;
 *   - a target that is changed is one that redact_may_change() finds;
 *   - in less room there is the beginning of the same.
 */
#include <string.h>

#include "base/redact.h"
#include "fuzz.h"

/* Twice: a secret of no character becomes three of them. */
#define OUT_MAX (4 * REDACT_TARGET_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char padded[REDACT_TARGET_MAX + REDACT_PADDING];
	static char once[OUT_MAX];
	static char again[OUT_MAX];
	bool is_cut;
	size_t len;
	size_t n;

	size = size < REDACT_TARGET_MAX / 4 ? size : REDACT_TARGET_MAX / 4;
	memset(padded, 0, sizeof(padded));
	if (size)
		memcpy(padded, data, size);
	len = redact_target((struct span){padded, size}, once, sizeof(once), &is_cut);
	fuzz_check(!is_cut);
	fuzz_check(redact_may_change(padded, size) ||
		   (len == size && memcmp(once, padded, len) == 0));
	n = redact_target((struct span){padded, size}, again, len / 2, &is_cut);
	fuzz_check(n == len / 2 && is_cut == (n < len) && memcmp(once, again, n) == 0);
	if (len > REDACT_TARGET_MAX)
		return 0;
	n = redact_target((struct span){once, len}, again, sizeof(again), &is_cut);
	fuzz_check(n == len && memcmp(once, again, n) == 0);
	return 0;
}
