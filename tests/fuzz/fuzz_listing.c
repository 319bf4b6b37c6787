/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Pushgateway's list of groups. It holds that
 *   - what is read does not depend on the parts that it comes in;
 *   - a reported group has a job, and labels that can be a path;
 *   - what is kept of a group stays below its caps.
 */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "webhook/listing.h"

static void on_group(void *ctx, const struct listed_group *group)
{
	const cJSON *job = cJSON_GetObjectItemCaseSensitive(group->labels, "job");
	struct text *out = ctx;
	const cJSON *one;

	fuzz_check(cJSON_IsString(job) && *job->valuestring);
	text_addf(out, "%a", group->pushed_s);
	cJSON_ArrayForEach(one, group->labels)
	{
		fuzz_check(cJSON_IsString(one) && *one->string && !strpbrk(one->string, "/@%?#"));
		text_addf(out, " %s=%s", one->string, one->valuestring);
	}
	text_add_char(out, '\n');
}

static int read_all(const uint8_t *data, size_t size, size_t part_bytes, struct text *out)
{
	struct listing l;
	int err = 0;

	listing_init(&l, on_group, out);
	for (size_t i = 0; i < size && !err; i += part_bytes)
		err = listing_feed(&l, (const char *)data + i,
				   size - i < part_bytes ? size - i : part_bytes);
	if (!err)
		err = listing_end(&l);
	for (size_t i = 0; i < MEMBER_MAX; i++)
		fuzz_check(l.kept[i].len <= LISTING_KEPT_MAX);
	text_addf(out, "%d %zu\n", err, l.unusable);
	listing_release(&l);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text whole;
	struct text parts;

	text_init(&whole);
	text_init(&parts);
	(void)read_all(data, size, size + 1, &whole);
	(void)read_all(data, size, 1 + size % 7, &parts);
	fuzz_check(strcmp(whole.ptr, parts.ptr) == 0);
	text_release(&whole);
	text_release(&parts);
	return 0;
}
