/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A downward API volume: the Pod's annotations and labels as files, one pair
 * per line, in the quotes of Go's %q:
 *
 *     sidelight.dev/routes="/users/{id},/health"
 *
 * The kubelet changes all files at once, by renaming the symbolic link
 * `..data` through which they are reached.
 */
#ifndef SIDELIGHT_POD_PODINFO_H
#define SIDELIGHT_POD_PODINFO_H

#include <stddef.h>
#include <stdio.h>

/* The API server allows 256 KiB of annotations; quoting may take four bytes for one. */
#define PODINFO_FILE_MAX (2u << 20)

typedef void (*podinfo_fn)(void *ctx, const char *key, const char *value);

/* Takes the text apart in place. The strings are borrowed from it. Returns how many lines
 * were no pairs; their rest is read. */
size_t podinfo_parse(char *text, podinfo_fn fn, void *ctx);

/* Of a file of the volume: its text, owned by the caller, or NULL with errno. */
char *podinfo_read(const char *dir, const char *name);

/* A descriptor that is readable after a change, or negative errno. */
int podinfo_watch(const char *dir);
/* Makes it quiet again. */
void podinfo_seen(int fd);

#endif
