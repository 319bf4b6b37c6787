/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tls_forks.h"

#include <string.h>

#include "base/log.h"
#include "broker/link_closer.h"

/* Children of one process that have ended, each at most so long after it was forked. */
#define CHILDREN_MIN 4
#define LIFE_MAX_MS  10000

/* Closes the probes of single processes in this file. */
static void replace(struct tls_probes *t, uint16_t file)
{
	for (size_t i = 0; i < t->process_count; i++) {
		struct tls_process *p = &t->processes[i];

		for (size_t k = p->probe_count; k > 0; k--) {
			if (p->probe[k - 1].file != file)
				continue;
			link_closer_close(t->loop, &p->probe[k - 1].fd, 1);
			p->probe[k - 1] = p->probe[--p->probe_count];
		}
	}
}

void tls_forks_share(struct tls_probes *t, uint16_t file, const char *why)
{
	struct tls_file *f = &t->files[file];
	int fd;

	if (f->shared_fd >= 0)
		return;
	fd = key_probes_attach(t->probes, f->fd, 0, &f->site);
	if (fd < 0) {
		if (!t->has_failed)
			log_warn("tls: %s cannot be probed for all processes (%s); further "
				 "failures are not logged",
				 f->name, strerror(-fd));
		t->has_failed = true;
		return;
	}
	log_info("tls: %s: its probe is not kept to single processes, and only those in watched "
		 "cgroups are read (%s)",
		 f->name, why);
	f->shared_fd = fd;
	replace(t, file);
}

void tls_forks_ended(struct tls_probes *t, const struct tls_process *child)
{
	struct tls_process *parent = NULL;

	if (!child->parent || uv_now(t->loop) - child->born_ms > LIFE_MAX_MS)
		return;
	for (size_t i = 0; i < t->process_count && !parent; i++)
		if (t->processes[i].pid == child->parent)
			parent = &t->processes[i];
	if (!parent || ++parent->short_children < CHILDREN_MIN)
		return;
	/* Sharing removes the probe, so what follows takes its place. */
	for (size_t i = parent->probe_count; i > 0; i--)
		if (i <= parent->probe_count)
			tls_forks_share(t, parent->probe[i - 1].file,
					"a process is forked for each connection");
}
