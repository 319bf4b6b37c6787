/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a pcapng file: any number of sections in either byte order, each
 * with any number of interfaces, whose link types, snapshot lengths and clocks
 * may differ. Blocks that hold no packet are skipped.
 *
 * A file is hostile input: nothing but one packet and a few words of each
 * interface is kept, whatever lengths it claims.
 */
#ifndef SIDELIGHT_CAPTURE_PCAPNG_H
#define SIDELIGHT_CAPTURE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/input.h"

/* Interfaces of one section. */
#define PCAPNG_INTERFACES_MAX 4096

/* More of a packet is cut off: the snapshot length that tools use by default. */
#define PCAPNG_PACKET_MAX (256u << 10)

struct pcapng;

struct pcapng_packet {
	int link; /* LINKTYPE_ of the interface, which libpcap calls DLT_ for what we know */
	struct span captured; /* valid until the next call */
	uint32_t wire_len;
	bool has_time;
	uint64_t time_ns; /* since 1970 */
};

/* Is it one? True for the first bytes of a file, at least four. */
bool pcapng_is_file(const uint8_t *head);

/* in is borrowed. NULL: no memory. */
struct pcapng *pcapng_new(struct input *in);
/* Accepts NULL. */
void pcapng_free(struct pcapng *r);

/* False: the file has ended, or pcapng_error(). */
bool pcapng_next(struct pcapng *r, struct pcapng_packet *ret);

/* Why the file cannot be read on; NULL: nothing is wrong. Static text. */
const char *pcapng_error(const struct pcapng *r);

/* Ticks of a clock as nanoseconds; resolution is the value of if_tsresol. */
uint64_t pcapng_time_ns(uint64_t ticks, uint8_t resolution, int64_t offset_sec);

#endif
