/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a line of the cache takes from one CPU to another, in nanoseconds: two threads hand a
 * number to and fro. Where what sidelight does for a request and its response is done on two CPUs,
 * this decides how long it takes.
 *
 *     lines CPU CPU
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 500000

static _Alignas(128) atomic_int ball;

static void pin(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("lines");
		exit(EXIT_FAILURE);
	}
}

/* Waits for each second number, from `first` on, and answers with the next. */
static void play(int first)
{
	for (int i = first; i < 2 * ROUNDS; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			;
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
}

static void *other(void *cpu)
{
	pin(cpu);
	play(1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec begin;
	struct timespec end;
	pthread_t thread;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: lines CPU CPU\n");
		return 2;
	}
	pin(argv[1]);
	if (pthread_create(&thread, NULL, other, argv[2])) {
		(void)fprintf(stderr, "lines: no thread\n");
		return EXIT_FAILURE;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &begin); /* cannot fail */
	play(0);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	if (pthread_join(thread, NULL))
		return EXIT_FAILURE;
	(void)printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
				(double)(end.tv_nsec - begin.tv_nsec)) /
				       (2 * ROUNDS));
	return EXIT_SUCCESS;
}
