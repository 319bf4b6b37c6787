/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether TLS of the processes that run now can be decrypted: which file of each has a key-log
 * function. Attaches nothing. Files are searched in a child process (library_search.h).
 */
#ifndef SIDELIGHT_BROKER_TLS_SURVEY_H
#define SIDELIGHT_BROKER_TLS_SURVEY_H

#include <stddef.h>
#include <sys/types.h>

#include "pod/cgroup.h"
#include "pod/process.h"

struct tls_survey_row {
	pid_t pid;
	char comm[PROCESS_COMM_MAX];
	/*
	 * 0: `file` can be probed. -EOPNOTSUPP: `file` has a key-log function that cannot.
	 * -ENOENT: no file has one. Another: the files of the process cannot be read.
	 */
	int err;
	char file[64]; /* the end of its path, or "" */
};

struct tls_survey;

/* NULL: no memory. */
struct tls_survey *tls_survey_new(void);
/* Accepts NULL. */
void tls_survey_free(struct tls_survey *s);

/* Adds the processes of a cgroup. */
void tls_survey_add(struct tls_survey *s, const struct cgroup *cgroup);
/*
 * Searches the files of all. Returns the rows, which are the survey's, and in *ret_left_out the
 * number of processes for which there was no room.
 */
const struct tls_survey_row *tls_survey_run(struct tls_survey *s, size_t *ret_count,
					    size_t *ret_left_out);

#endif
