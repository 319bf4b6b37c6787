/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the TLS libraries of the targets' processes, probes them, and tells the worker where
 * their secrets are.
 *
 *   a process is new, has executed a program, or forked (capture/key_probes.h)
 *     -> its mapped files are looked at, several times within three seconds, since a library may be
 *        loaded late; and again when connections turn out to have no secrets
 *     -> a file that is not known is searched for a key-log function (library_search.h)
 *     -> a probe is attached for each process and file, or for a file alone (tls_forks.h)
 *
 * Files, processes and probes are bounded: beyond a bound, one line says so, and TLS of that
 * process is not decrypted.
 */
#ifndef SIDELIGHT_BROKER_TLS_PROBES_H
#define SIDELIGHT_BROKER_TLS_PROBES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "broker/channel.h"
#include "broker/library_search.h"
#include "broker/targets.h"
#include "broker/tls_file.h"
#include "capture/key_probes.h"

#define TLS_FILES_MAX	  256
#define TLS_PROCESSES_MAX 512
#define TLS_PROBES_MAX	  8 /* of one process */

struct tls_process {
	pid_t pid;
	pid_t parent; /* that forked it, if it has executed nothing since; else 0 */
	unsigned short_children; /* see tls_forks.h */
	uint64_t started; /* 0: not looked at yet */
	uint64_t born_ms; /* when it was found, or executed a program */
	uint64_t due_ms; /* next look; UINT64_MAX: none */
	unsigned looks;
	bool is_there; /* of the walk under way */
	uint8_t probe_count;
	struct {
		int fd;
		uint16_t file;
	} probe[TLS_PROBES_MAX];
};

struct tls_probes {
	struct targets *targets; /* borrowed */
	bool is_stopped;
	uv_loop_t *loop;
	struct key_probes *probes; /* NULL: off, or the kernel refuses */
	enum tls_reach reach;
	struct library_search search;
	uint16_t searched[LIBRARY_SEARCH_FILES]; /* the files of the search */
	struct tls_file files[TLS_FILES_MAX];
	size_t file_count;
	struct tls_process processes[TLS_PROCESSES_MAX];
	size_t process_count;
	bool is_full; /* one line said so */
	bool has_failed; /* to attach a probe; likewise */
	bool is_changed; /* processes may have come or gone */
	uint64_t walked_ms; /* when they were last looked for */
	void (*on_added)(void *ctx, const struct target *target); /* of targets, before us */
	void *on_added_ctx;
	uint64_t watched[PROGRAMS_CGROUPS_MAX]; /* by position in the set of targets: cgroup id */
	uint64_t asked_ms; /* when the last look was asked for */
	bool is_shared; /* the worker was told how to read the secrets */
	bool has_warned; /* that it could not be told */
	uint32_t reported_probes;
	enum tls_reach reported_reach;
	uv_poll_t poll;
	uv_timer_t timer;
};

/*
 * The targets that there are, and those that are added, are followed from now on. NULL, after one
 * log line: no memory, or the kernel does not allow probes, which is reported to the worker.
 */
struct tls_probes *tls_probes_new(uv_loop_t *loop, struct targets *targets);
/* The worker asks for another look; more than one a second are ignored. */
void tls_probes_look(struct tls_probes *t);
/* Nothing is attached any more; the loop must run once more. Again, or NULL: no-op.
 */
void tls_probes_stop(struct tls_probes *t);
/* After that. Accepts NULL. */
void tls_probes_free(struct tls_probes *t);

#endif
