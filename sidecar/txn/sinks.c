/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/sinks.h"

#include <errno.h>
#include <string.h>

int sinks_add(struct sinks *s, const struct txn_sink *sink, void *ctx)
{
	if (s->count == SINKS_MAX)
		return -ENOSPC;
	s->entry[s->count].sink = sink;
	s->entry[s->count++].ctx = ctx;
	s->needs |= sink->needs;
	return 0;
}

void sinks_remove(struct sinks *s, const struct txn_sink *sink, void *ctx)
{
	size_t i = 0;

	while (i < s->count && (s->entry[i].sink != sink || s->entry[i].ctx != ctx))
		i++;
	if (i == s->count)
		return;
	s->count--;
	memmove(&s->entry[i], &s->entry[i + 1], (s->count - i) * sizeof(s->entry[0]));
	/* Inside sinks_done(): the entries after it have moved. */
	s->next -= i < s->next;
	s->end -= i < s->end;
	s->needs = 0;
	for (i = 0; i < s->count; i++)
		s->needs |= s->entry[i].sink->needs;
}
