/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file as a source of events: pcap by means of libpcap, and pcapng (pcapng.h), compressed
 * with gzip or not. Times are the file's, in nanoseconds since 1970, made monotonic (arrivals.h).
 *
 *     struct source *s = pcap_source_new("x.pcap", &options, &error);
 *     while (source_drain(s, fn, ctx) > 0)
 *             ;
 *     error = pcap_source_error(s);
 */
#ifndef SIDELIGHT_CAPTURE_PCAP_H
#define SIDELIGHT_CAPTURE_PCAP_H

#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "capture/packet.h"
#include "capture/source.h"
#include "capture/streams.h"

struct pcap_source_stats {
	uint64_t packets;
	uint64_t fate[PACKET_FATE_MAX]; /* the sum is `packets` */
	uint64_t other_link; /* of those that are not TCP: unsupported link type */
	uint64_t time_set_back; /* how often the clock was set back */
	uint64_t time_strays; /* packets whose time is far from their neighbours' */
	uint64_t first_ns; /* 0: no packet */
	uint64_t last_ns;
};

/*
 * path "-" is standard input. Returns NULL and one line about the file in *ret_error, which the
 * caller has initialised.
 */
struct source *pcap_source_new(const char *path, const struct streams_options *options,
			       struct text *ret_error);

/* As pcap_source_new(), from an open file, which the source owns even if it returns NULL. */
struct source *pcap_source_from_file(FILE *file, const struct streams_options *options,
				     struct text *ret_error);

/* The reason why reading ended early, after a drain returned 0; NULL: the end of the file. */
const char *pcap_source_error(const struct source *s);

/* Valid until the next call on s. */
const struct pcap_source_stats *pcap_source_stats(const struct source *s);
const struct streams_stats *pcap_source_streams(const struct source *s);

#endif
