/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function-scoped temporaries: released when the variable leaves its scope.
 * Not to be mixed with `goto fail` in one function.
 */
#ifndef SIDELIGHT_BASE_CLEANUP_H
#define SIDELIGHT_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written through it */
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* read only; writers close by hand and check */
}

#define scoped_free __attribute__((cleanup(cleanup_free)))
#define scoped_fd   __attribute__((cleanup(cleanup_fd)))
#define scoped_file __attribute__((cleanup(cleanup_file)))

#endif
