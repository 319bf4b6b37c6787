/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Opens as many as are needed: the limit alone does not say how many numbers below it are taken. */
static bool has_descriptors(unsigned needed, struct text *why)
{
	int fds[LIMITS_DESCRIPTORS_MAX];
	unsigned count = 0;
	int err = 0;

	assert(needed <= LIMITS_DESCRIPTORS_MAX);
	while (count < needed && !err) {
		fds[count] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (fds[count] < 0)
			err = errno;
		else
			count++;
	}
	for (unsigned i = 0; i < count; i++)
		(void)close(fds[i]); /* nothing was written */
	if (err)
		text_addf(why,
			  "only %u descriptors can be opened, and %u are needed (%s); ulimit -n "
			  "says how many may be open",
			  count, needed, strerror(err));
	return !err;
}

static void *wait_for_all(void *mutex)
{
	(void)pthread_mutex_lock(mutex); /* a normal mutex: these two cannot fail */
	(void)pthread_mutex_unlock(mutex);
	return NULL;
}

/* Threads that live at the same time: their stacks take address space, and they are processes. */
static bool has_threads(unsigned needed, struct text *why)
{
	pthread_mutex_t all_are_there = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[LIMITS_THREADS_MAX];
	unsigned count = 0;
	int err = 0;

	assert(needed <= LIMITS_THREADS_MAX);
	(void)pthread_mutex_lock(&all_are_there);
	while (count < needed && !err) {
		err = pthread_create(&threads[count], NULL, wait_for_all, &all_are_there);
		count += !err;
	}
	(void)pthread_mutex_unlock(&all_are_there);
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL); /* joinable: cannot fail */
	if (err)
		text_addf(why,
			  "only %u threads can be started, and %u are needed (%s); see ulimit -v, "
			  "ulimit -u and the cgroup's pids.max",
			  count, needed, strerror(err));
	return !err;
}

bool limits_suffice(const struct limits_need *need, struct text *why)
{
	struct rlimit stack;

	if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < need->stack_bytes) {
		text_addf(why,
			  "the stack may have %" PRIu64 " bytes, and %" PRIu64
			  " are needed; see ulimit -s",
			  (uint64_t)stack.rlim_cur, need->stack_bytes);
		return false;
	}
	return has_descriptors(need->descriptors, why) && has_threads(need->threads, why);
}
