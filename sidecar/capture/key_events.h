/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uprobes by perf events, for kernels without uprobe_multi: a program
 * (bpf/secret_event.bpf.c) for each cookie, which is loaded when it is first
 * needed, and an event for each file and process. Takes CAP_SYS_ADMIN: kernels
 * since July 2025 want it for such events (perf_uprobe_event_init()).
 *
 * Functions return 0 or negative errno and never log.
 */
#ifndef SIDELIGHT_CAPTURE_KEY_EVENTS_H
#define SIDELIGHT_CAPTURE_KEY_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ways in which registers hold the arguments of a key-log function: programs that are kept. */
#define KEY_EVENTS_PROGRAMS 16

/* Maps of secrets.bpf.c that the programs use: borrowed. */
struct key_event_maps {
	int secrets;
	int filled;
	int watched;
	int bss;
	int lost; /* .data.lost */
};

struct key_events {
	struct key_event_maps maps;
	uint32_t type; /* of the kernel's source of events */
	int turns_fd; /* map of the first program; -1: none was loaded */
	struct key_event_program {
		uint64_t cookie;
		int fd;
	} programs[KEY_EVENTS_PROGRAMS];
	size_t loaded; /* so far; the last ones are there */
};

/* -ENODEV: the kernel has no such events. */
int key_events_init(struct key_events *e, const struct key_event_maps *maps);
/* Accepts one that failed to be initialised. Events are closed by who has them. */
void key_events_release(struct key_events *e);

/*
 * At this offset of the file, in process pid with all its threads: also where
 * it is mapped later. pid 0: in all processes. Returns the event's descriptor.
 */
int key_events_attach(struct key_events *e, const char *path, pid_t pid, uint64_t offset,
		      uint64_t cookie);
#endif
