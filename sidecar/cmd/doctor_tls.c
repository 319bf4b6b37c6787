/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor_tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "broker/tls_survey.h"
#include "pod/containers.h"
#include "pod/place.h"
#include "pod/target.h"

static void add_probe(struct doctor_tls *d, enum probe_state state)
{
	struct probe *p = &d->probes[d->count];

	*p = (struct probe){.name = d->names[d->count],
			    .disables = "decryption of its TLS (--tls keys)",
			    .state = state};
	d->count++;
}

static void add_row(struct doctor_tls *d, const struct tls_survey_row *row)
{
	char *detail = d->probes[d->count].detail;
	size_t size = sizeof(d->probes[d->count].detail);

	(void)snprintf(d->names[d->count], sizeof(d->names[0]), "TLS of %d (%s)", (int)row->pid,
		       row->comm); /* shorter */
	add_probe(d, row->err ? PROBE_NO : PROBE_YES);
	if (!row->err)
		(void)snprintf(detail, size, "%s", row->file);
	else if (row->err == -EOPNOTSUPP)
		(void)snprintf(detail, size,
			       "no instruction of the key-log function in %s can be "
			       "probed",
			       row->file);
	else if (row->err == -ENOENT)
		(void)snprintf(detail, size, "no file of it has a key-log function that is known");
	else
		(void)snprintf(detail, size, "%s%scannot be read (%s)", row->file,
			       *row->file ? " " : "its files ", strerror(-row->err));
}

static int on_found(void *ctx, const struct container *c, struct cgroup *cgroup)
{
	(void)c;
	tls_survey_add(ctx, cgroup);
	cgroup_close(cgroup);
	return 0;
}

static void on_gone(void *ctx, const struct container *c)
{
	(void)ctx;
	(void)c;
}

/* A container that is in the making has no processes yet. */
static void later(void *ctx, pid_t pid)
{
	(void)ctx;
	(void)pid;
}

/* Those of the Pod's containers; none outside of a Pod. */
static void add_siblings(struct tls_survey *s, const char *only)
{
	static const struct containers_ops ops = {.found = on_found, .gone = on_gone};
	struct containers *containers;
	struct place_facts facts;

	place_read(&facts);
	if (place_of(&facts) != PLACE_POD)
		return;
	containers = containers_new(only, &ops, s);
	if (containers)
		containers_scan(containers, LOOK_LAST, later, s);
	containers_free(containers);
}

/* Returns 0 or negative errno. */
static int add_processes(struct tls_survey *s, const struct options *o)
{
	struct target target;
	int err;

	if (!o->pid && !o->cgroup) {
		add_siblings(s, o->containers);
		return 0;
	}
	err = o->pid ? target_open_pid(&target, (pid_t)o->pid)
		     : target_open_dir(&target, o->cgroup);
	if (err)
		return err;
	tls_survey_add(s, &target.cgroup);
	target_close(&target);
	return 0;
}

int doctor_tls_fill(struct doctor_tls *d, const struct options *o)
{
	struct tls_survey *s = tls_survey_new();
	const struct tls_survey_row *rows;
	size_t left_out;
	size_t count;
	int err = s ? add_processes(s, o) : -ENOMEM;

	d->count = 0;
	if (!s)
		log_error("doctor: out of memory");
	if (!err) {
		rows = tls_survey_run(s, &count, &left_out);
		for (size_t i = 0; i < count && i + 1 < DOCTOR_TLS_MAX; i++)
			add_row(d, &rows[i]);
		if (left_out) {
			(void)snprintf(d->names[d->count], sizeof(d->names[0]), "TLS of %zu others",
				       left_out); /* shorter */
			add_probe(d, PROBE_UNKNOWN);
			(void)snprintf(d->probes[d->count - 1].detail, sizeof(d->probes[0].detail),
				       "too many processes");
		}
	}
	tls_survey_free(s);
	return err;
}
