/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/budget.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <stdlib.h>

const char *const budget_shares[BUDGET_SHARE_MAX] = {"json", "requests", "pages"};

static size_t limits[BUDGET_SHARE_MAX] = {BUDGET_JSON_BYTES, BUDGET_REQUESTS_BYTES,
					  BUDGET_PAGES_BYTES};
static size_t used[BUDGET_SHARE_MAX];
static uint64_t refused[BUDGET_SHARE_MAX];

static bool take(enum budget_share share, size_t n)
{
	if (used[share] >= limits[share] || n > limits[share] - used[share]) {
		refused[share]++;
		return false;
	}
	used[share] += n;
	return true;
}

static void *json_malloc(size_t n)
{
	void *ptr;

	if (!take(BUDGET_JSON, n))
		return NULL;
	used[BUDGET_JSON] -= n;
	ptr = malloc(n);
	if (ptr)
		used[BUDGET_JSON] += malloc_usable_size(ptr);
	return ptr;
}

static void json_free(void *ptr)
{
	if (ptr)
		used[BUDGET_JSON] -= malloc_usable_size(ptr);
	free(ptr);
}

void budget_install(size_t json_bytes)
{
	cJSON_Hooks hooks = {json_malloc, json_free};

	limits[BUDGET_JSON] = json_bytes;
	cJSON_InitHooks(&hooks);
}

bool budget_hold(enum budget_share share, size_t *held, size_t want)
{
	if (want > *held) {
		if (!take(share, want - *held))
			return false;
	} else {
		used[share] -= *held - want;
	}
	*held = want;
	return true;
}

size_t budget_used(enum budget_share share)
{
	return used[share];
}

uint64_t budget_refused(enum budget_share share)
{
	return refused[share];
}
