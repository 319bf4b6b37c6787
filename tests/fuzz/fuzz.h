/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target is one file fuzz_NAME.c that defines this function, seeds in corpus/NAME/,
 * and, if it helps, words in NAME.dict.
 * The Makefile builds it twice: with libFuzzer (make fuzz), and with replay_main.c, which hands
 * it the files of the corpus one by one (make fuzz-replay, and make test, with sanitizers).
 *
 * A target checks what must always hold with fuzz_check(), and keeps nothing between two calls.
 */
#ifndef SIDELIGHT_TESTS_FUZZ_FUZZ_H
#define SIDELIGHT_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a sanitizer cannot know. */
#define fuzz_check(claim)                                                                          \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
