/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/budget.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <stdlib.h>

static size_t limit;
static size_t used;

static void *budget_malloc(size_t n)
{
	void *ptr = used < limit && n <= limit - used ? malloc(n) : NULL;

	if (ptr)
		used += malloc_usable_size(ptr);
	return ptr;
}

static void budget_free(void *ptr)
{
	if (ptr)
		used -= malloc_usable_size(ptr);
	free(ptr);
}

void budget_install(size_t bytes)
{
	cJSON_Hooks hooks = {budget_malloc, budget_free};

	limit = bytes;
	cJSON_InitHooks(&hooks);
}

size_t budget_used(void)
{
	return used;
}
