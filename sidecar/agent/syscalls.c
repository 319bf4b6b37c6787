/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/syscalls.h"

#include <string.h>

#include "base/log.h"
#include "capture/syscall_list.h"
#include "export/json.h"

void syscalls_agent_init(struct syscalls_agent *a, struct registry *r, struct red *red,
			 struct link *link)
{
	*a = (struct syscalls_agent){.registry = r, .red = red, .link = link};
}

void syscalls_agent_release(struct syscalls_agent *a)
{
	syscall_metrics_free(a->metrics);
	a->metrics = NULL;
}

static const char *container(void *ctx, uint64_t number)
{
	return red_container_name(ctx, number);
}

void syscalls_agent_set(struct syscalls_agent *a, bool is_on)
{
	int err;

	if (is_on == a->is_on)
		return;
	/* Its families are there once somebody has wanted them. */
	if (!a->metrics)
		a->metrics = syscall_metrics_new(a->registry, container, a->red);
	if (!a->metrics) {
		log_error("run: out of memory; system calls are not counted");
		return;
	}
	err = link_count_calls(a->link, is_on);
	if (err)
		log_error("run: the broker cannot be told to count system calls, or to stop (%s)",
			  strerror(-err));
	else
		a->is_on = is_on;
}

static void add_call(void *ctx, const char *name, const struct channel_call *call)
{
	struct text *out = ctx;

	text_addf(out, "%s{\"call\":\"%s\"", out->ptr[out->len - 1] == '}' ? "," : "",
		  syscall_name((uint32_t)call->call));
	json_word(out, "container", name);
	json_number(out, "calls", call->count, true);
	json_number(out, "errors", call->errors, true);
	json_number(out, "bytes", call->bytes, syscall_has_bytes((uint32_t)call->call));
	json_number(out, "time_ns", call->time_ns, true);
	json_number(out, "blocked_ns", call->blocked_ns, true);
	text_add_char(out, '}');
}

void syscalls_agent_write(struct syscalls_agent *a, struct text *out)
{
	bool is_counting;

	if (a->is_on)
		link_refresh(a->link);
	is_counting = a->is_on && syscall_metrics_is_counting(a->metrics);
	text_addf(out, "{\"counted\":%s,\"calls\":[", is_counting ? "true" : "false");
	if (is_counting)
		syscall_metrics_each(a->metrics, add_call, out);
	text_add(out, "]}\n");
}

void syscalls_agent_message(struct syscalls_agent *a, const struct channel_message *m)
{
	if (!a->metrics)
		return;
	if (m->kind == CHANNEL_CALLS)
		syscall_metrics_calls(a->metrics, m->calls, m->count);
	else if (m->kind == CHANNEL_CALL_ERRORS)
		syscall_metrics_errors(a->metrics, m->call_errors, m->count);
	else
		syscall_metrics_counting(a->metrics, m);
}
