/* SPDX-License-Identifier: Apache-2.0 */
#include "export/closing.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"
#include "base/text.h"
#include "export/table.h"
#include "export/unseen.h"

void closing_summary(struct summary *summary, uint64_t elapsed_ns, const struct engine_stats *stats,
		     const struct no_requests_world *world)
{
	struct text out;

	text_init(&out);
	if (summary_row_count(summary) > 0) {
		table_add(&out, summary, elapsed_ns, terminal_columns(STDERR_FILENO));
	} else {
		text_add_char(&out, ' ');
		unseen_add(&out, stats, world);
		text_add_char(&out, '\n');
	}
	(void)fputs(out.ptr, stderr); /* nobody to tell if standard error is closed */
	text_release(&out);
}

void closing_unseen(const struct engine_stats *stats, const struct no_requests_world *world)
{
	struct text out;

	if (stats->transactions)
		return;
	text_init(&out);
	unseen_add(&out, stats, world);
	log_info("run: %s", out.ptr);
	text_release(&out);
}
