/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from outside with OTLP: the first byte says whether the rest is an answer of a
 * receiver or a list of pairs of the environment. It holds that
 *   - what is logged of an answer is one line of visible ASCII characters;
 *   - a value of a list can stand in a header field, and its key in a line of the log.
 */
#include <string.h>

#include "base/pairs.h"
#include "export/otlp_answer.h"
#include "fuzz.h"

static void read_answer(struct span body)
{
	struct otlp_answer a;

	if (!otlp_answer_read(body, &a))
		return;
	fuzz_check(strnlen(a.message, sizeof(a.message)) < sizeof(a.message));
	for (const char *c = a.message; *c; c++)
		fuzz_check(*c >= ' ' && *c <= '~');
	fuzz_check(a.rejected_points <= INT64_MAX);
}

static void read_pairs(struct span text)
{
	char *list = malloc(text.len + 1);
	struct pairs p;

	fuzz_check(list);
	memcpy(list, text.ptr, text.len);
	list[text.len] = '\0';
	if (pairs_parse(&p, list))
		fuzz_check(p.count == 0);
	fuzz_check(p.count <= PAIRS_MAX);
	for (size_t i = 0; i < p.count; i++) {
		fuzz_check(*p.list[i].key);
		for (const char *c = p.list[i].key; *c; c++)
			fuzz_check(*c > ' ' && *c <= '~');
		for (const char *c = p.list[i].value; *c; c++)
			fuzz_check((unsigned char)*c >= ' ' && *c != 0x7f);
		fuzz_check(pairs_find(&p, p.list[i].key) == p.list[i].value);
	}
	pairs_release(&p);
	free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		read_pairs((struct span){(const char *)data + 1, size - 1});
	else
		read_answer((struct span){(const char *)data + 1, size - 1});
	return 0;
}
