/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/request_metrics.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

/* A single one may be sent in the place of any process, when an acknowledgement comes. */
#define NAMELESS_MAX 100

int request_metrics_init(struct request_metrics *m, struct registry *r,
			 const struct request_metrics_options *options)
{
	struct red_options red = options->red;

	m->link = options->link;
	if (options->has_exemplars) {
		red.exemplars = m->exemplars = exemplars_new(r);
		if (!m->exemplars)
			return -ENOMEM;
		exemplars_set_clock(m->exemplars, clock_offset_ns());
	}
	if (options->has_processes) {
		red.processes = m->processes = process_labels_new(r);
		if (!m->processes)
			return -ENOMEM;
	}
	m->red = red_new(r, &red);
	return m->red ? 0 : -ENOMEM;
}

void request_metrics_release(struct request_metrics *m)
{
	red_free(m->red);
	exemplars_free(m->exemplars);
	process_labels_free(m->processes);
}

void request_metrics_add_sink(struct request_metrics *m, struct engine *engine)
{
	/* There is room for it. */
	(void)engine_add_sink(engine, m->exemplars ? &red_exemplars_sink : &red_sink, m->red);
}

/* One line where the kernel does not tell processes at all: otherwise they are just missing. */
static void note_process(struct request_metrics *m, const struct segment_view *data)
{
	if (m->nameless > NAMELESS_MAX || data->dir != DIR_EGRESS || !data->data.len)
		return;
	m->nameless = data->tgid ? NAMELESS_MAX + 1 : m->nameless + 1;
	if (m->nameless == NAMELESS_MAX)
		log_warn("run: --by process: this kernel does not tell who sends; requests have no "
			 "labels of processes (Linux 6.10 has)");
}

/*
 * The broker is asked here and not when the request ends: the engine must not be in the middle of
 * something while messages of the broker are handed out.
 */
void request_metrics_event(struct request_metrics *m, const struct event *ev)
{
	struct link_process process;

	if (!m->processes || ev->kind != EVENT_DATA)
		return;
	note_process(m, &ev->data);
	if (!process_labels_asks(m->processes, ev->data.tgid, ev->time_ns))
		return;
	if (link_process(m->link, ev->data.tgid, &process) == 0)
		process_labels_tell(m->processes, ev->data.tgid, process.name, process.started_ns,
				    ev->time_ns);
}

void request_metrics_refresh(struct request_metrics *m, const struct engine *engine)
{
	if (m->exemplars)
		exemplars_set_clock(m->exemplars, clock_offset_ns());
	red_active(m->red, engine_actives(engine), ACTIVE_CELLS + 1);
}
