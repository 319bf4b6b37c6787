/* SPDX-License-Identifier: Apache-2.0 */
#include "export/push_format.h"

#include <string.h>

#include "export/group_watch.h"

/* What is in the status of every Pushgateway, and of no other program that takes pushes. */
static const char *const marks[] = {"\"build_information\":{", "\"persistence.interval\":"};

void push_format_init(struct push_format *f, bool needs_protobuf)
{
	*f = (struct push_format){.state = needs_protobuf ? PUSH_FORMAT_PROTOBUF_ONLY
							  : PUSH_FORMAT_TEXT_UNPROVEN};
	text_init(&f->status);
}

void push_format_release(struct push_format *f)
{
	text_release(&f->status);
}

static void enter(struct push_format *f, enum push_format_state state)
{
	f->state = state;
	f->accepted = 0;
}

enum page_format push_format_page(const struct push_format *f)
{
	return f->state == PUSH_FORMAT_PROTOBUF || f->state == PUSH_FORMAT_PROTOBUF_ONLY
		       ? PAGE_PROTOBUF
		       : PAGE_TEXT;
}

static void protobuf_ended(struct push_format *f, enum push_result result, long status)
{
	/* From 1.0 on a Pushgateway answers 200; older ones, and those that do not check, 202. */
	if (result == PUSH_OK && (status == 200 || status == 202)) {
		f->accepted++;
		f->refusals = 0;
		return;
	}
	f->is_refused = result == PUSH_OK || result == PUSH_REJECTED || result == PUSH_FAILED;
	enter(f, PUSH_FORMAT_TEXT_UNPROVEN);
}

bool push_format_ended(struct push_format *f, enum push_result result, long status)
{
	if (f->state == PUSH_FORMAT_PROTOBUF)
		protobuf_ended(f, result, status);
	else if (f->state == PUSH_FORMAT_TEXT_UNPROVEN && result == PUSH_OK) {
		f->accepted++;
		f->refusals += f->is_refused;
		f->is_refused = false;
		if (f->refusals == PUSH_FORMAT_REFUSALS) {
			enter(f, PUSH_FORMAT_TEXT_ONLY);
			return true;
		}
	}
	return false;
}

bool push_format_asks(const struct push_format *f)
{
	return f->state == PUSH_FORMAT_TEXT_UNPROVEN && f->accepted > 0 &&
	       group_watch_is_due(f->accepted);
}

void push_format_begin_status(struct push_format *f)
{
	text_clear(&f->status);
}

bool push_format_read_status(void *ctx, struct span part)
{
	struct push_format *f = ctx;

	if (f->status.len + part.len > GATEWAY_STATUS_MAX)
		return false;
	text_add_span(&f->status, part);
	return true;
}

void push_format_end_status(struct push_format *f, bool is_complete)
{
	bool is_pushgateway = is_complete && !f->status.has_failed;

	for (size_t i = 0; is_pushgateway && i < sizeof(marks) / sizeof(marks[0]); i++)
		is_pushgateway =
			memmem(f->status.ptr, f->status.len, marks[i], strlen(marks[i])) != NULL;
	text_release(&f->status);
	if (is_pushgateway && f->state == PUSH_FORMAT_TEXT_UNPROVEN)
		enter(f, PUSH_FORMAT_PROTOBUF);
}
