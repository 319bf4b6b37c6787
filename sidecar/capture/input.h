/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the bytes of a capture file, decompressed if it is in gzip format (RFC 1952, any number of
 * members). Memory is bounded, whatever the file decompresses to.
 *
 * Reads return the bytes that are available, so that the bytes of a pipe are processed as they
 * come.
 */
#ifndef SIDELIGHT_CAPTURE_INPUT_H
#define SIDELIGHT_CAPTURE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct input;

/* Owns the file even on failure; stdin is not closed. Returns NULL if there is no memory. */
struct input *input_new(FILE *file);
/* Accepts NULL. */
void input_free(struct input *in);

/* fn is called once when the file is a pipe that has been idle for INPUT_IDLE_MS. */
#define INPUT_IDLE_MS 200
void input_on_idle(struct input *in, void (*fn)(void *ctx), void *ctx);

/*
 * Returns a pointer to the next bytes without consuming them: at least `want` bytes, or all that
 * are left (*ret_len). want is at most INPUT_PEEK_MAX.
 */
#define INPUT_PEEK_MAX 16
const uint8_t *input_peek(struct input *in, size_t want, size_t *ret_len);

/* Reads up to len bytes, at least one. Returns 0 at the end, or with input_error(). */
size_t input_read(struct input *in, void *buf, size_t len);

/* As input_read(), but reads all len bytes unless the file ends before. */
size_t input_read_all(struct input *in, void *buf, size_t len);

/* Skips len bytes. Returns false if the file ends before. */
bool input_skip(struct input *in, uint64_t len);

/* The reason why the file can't be read any further; NULL: no error. Static text. */
const char *input_error(const struct input *in);

#endif
