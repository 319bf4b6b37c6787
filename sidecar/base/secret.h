/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords and tokens in files, which may change at any time (projected volumes do). */
#ifndef SIDELIGHT_BASE_SECRET_H
#define SIDELIGHT_BASE_SECRET_H

#include <stddef.h>

#define SECRET_MAX 8192

/*
 * Reads the one line that the file holds, without its line end. Returns 0,
 * the error of open() or read(), or -EINVAL if it is empty, longer than size,
 * or has bytes that cannot stand in a header field.
 */
int secret_read(const char *path, char *buf, size_t size);

#endif
