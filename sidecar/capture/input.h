/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a capture file, unpacked if it is compressed with gzip (RFC 1952, any number of
 * members). Memory does not grow with the file, whatever it unpacks to.
 *
 * It reads what is there, so that a pipe's bytes are handed on as they come.
 */
#ifndef SIDELIGHT_CAPTURE_INPUT_H
#define SIDELIGHT_CAPTURE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct input;

/* Owns the file from now on, also when it fails; stdin is not closed. NULL: no memory. */
struct input *input_new(FILE *file);
/* Accepts NULL. */
void input_free(struct input *in);

/* fn is called when the file is a pipe in which nothing came for INPUT_IDLE_MS, once
 * before more comes. */
#define INPUT_IDLE_MS 200
void input_on_idle(struct input *in, void (*fn)(void *ctx), void *ctx);

/* The next bytes, without taking them: a pointer to at least `want` bytes, or to all that are left
 * (*ret_len). want is at most INPUT_PEEK_MAX. */
#define INPUT_PEEK_MAX 16
const uint8_t *input_peek(struct input *in, size_t want, size_t *ret_len);

/* Up to len bytes, at least one; 0: the end, or input_error(). */
size_t input_read(struct input *in, void *buf, size_t len);

/* As input_read(), but all len bytes unless the file ends before. */
size_t input_read_all(struct input *in, void *buf, size_t len);

/* Drops len bytes. False: the file ends before. */
bool input_skip(struct input *in, uint64_t len);

/* Why the file cannot be read on; NULL: nothing is wrong. Static text. */
const char *input_error(const struct input *in);

#endif
