/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the packets of a pcapng file: any number of sections in either byte order, each with any
 * number of interfaces with different link types, snapshot lengths and clocks. Blocks without
 * packets are skipped.
 *
 * A file is untrusted input: memory holds one packet and a few words per interface, whatever
 * lengths the file claims.
 */
#ifndef SIDELIGHT_CAPTURE_PCAPNG_H
#define SIDELIGHT_CAPTURE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/input.h"

/* The maximum number of interfaces of one section. */
#define PCAPNG_INTERFACES_MAX 4096

/* Longer packets are truncated; this is the default snapshot length of tools. */
#define PCAPNG_PACKET_MAX (256u << 10)

struct pcapng;

struct pcapng_packet {
	int link; /* LINKTYPE_ of the interface; equal to libpcap's DLT_ for the supported types */
	struct span captured; /* valid until the next call */
	uint32_t wire_len;
	bool has_time;
	uint64_t time_ns; /* since 1970 */
};

/* True if the first bytes of a file, at least four, are pcapng's. */
bool pcapng_is_file(const uint8_t *head);

/* in is borrowed. Returns NULL if there is no memory. */
struct pcapng *pcapng_new(struct input *in);
/* Accepts NULL. */
void pcapng_free(struct pcapng *r);

/* Reads the next packet. Returns false at the end, or with pcapng_error(). */
bool pcapng_next(struct pcapng *r, struct pcapng_packet *ret);

/* The reason why the file can't be read any further; NULL: no error. Static text. */
const char *pcapng_error(const struct pcapng *r);

/* Converts ticks of a clock to nanoseconds; resolution is the value of if_tsresol. */
uint64_t pcapng_time_ns(uint64_t ticks, uint8_t resolution, int64_t offset_sec);

#endif
