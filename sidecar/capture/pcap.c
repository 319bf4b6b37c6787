/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pcap.h"

#include <errno.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

struct pcap_source {
	struct source source; /* first */
	pcap_t *pcap;
	int link;
	struct streams *streams;
	struct pcap_source_stats stats;
	bool has_ended;
	bool is_broken;
	char error[PCAP_ERRBUF_SIZE];
	/* of the drain at hand */
	event_fn fn;
	void *ctx;
	int events;
};

static struct pcap_source *pcap_source(const struct source *s)
{
	return (struct pcap_source *)s;
}

static void count_event(void *ctx, const struct event *ev)
{
	struct pcap_source *s = ctx;

	s->events++;
	s->fn(s->ctx, ev);
}

static uint64_t packet_time(struct pcap_source *s, const struct pcap_pkthdr *h)
{
	/* With nanosecond precision libpcap keeps nanoseconds in tv_usec. Neither
	 * field is checked by it: both may be anything. */
	uint64_t sec = h->ts.tv_sec < 0 ? 0 : (uint64_t)h->ts.tv_sec & UINT32_MAX;
	uint64_t nsec = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec & UINT32_MAX;
	uint64_t time_ns = sec * 1000000000u + nsec;

	if (time_ns < s->stats.last_ns) {
		s->stats.time_went_back++;
		return s->stats.last_ns;
	}
	if (!s->stats.first_ns)
		s->stats.first_ns = time_ns;
	s->stats.last_ns = time_ns;
	return time_ns;
}

static void pcap_source_packet(struct pcap_source *s, const struct pcap_pkthdr *h,
			       const unsigned char *bytes)
{
	struct span captured = {(const char *)bytes, h->caplen};
	struct packet p;
	enum packet_fate fate = packet_parse(s->link, captured, h->len, &p);
	uint64_t time_ns = packet_time(s, h);

	s->stats.packets++;
	s->stats.fate[fate]++;
	if (fate == PACKET_TCP)
		streams_packet(s->streams, &p, time_ns, count_event, s);
}

/* One packet's events at a time, so that a caller can stop between two. */
static int pcap_source_drain(struct source *source, event_fn fn, void *ctx)
{
	struct pcap_source *s = pcap_source(source);
	const unsigned char *bytes;
	struct pcap_pkthdr *h;

	s->fn = fn;
	s->ctx = ctx;
	s->events = 0;
	while (!s->has_ended && s->events == 0) {
		int rc = pcap_next_ex(s->pcap, &h, &bytes);

		if (rc > 0) {
			pcap_source_packet(s, h, bytes);
			continue;
		}
		s->has_ended = true;
		if (rc == PCAP_ERROR) {
			s->is_broken = true;
			(void)snprintf(s->error, sizeof(s->error), "%s", pcap_geterr(s->pcap));
		}
		streams_end(s->streams, s->stats.last_ns, count_event, s);
	}
	return s->events;
}

static bool pcap_source_sleep(struct source *source)
{
	return pcap_source(source)->has_ended;
}

static int pcap_source_fd(const struct source *source)
{
	(void)source; /* every file is always readable */
	return -1;
}

static void pcap_source_free(struct source *source)
{
	struct pcap_source *s = pcap_source(source);

	if (s->pcap)
		pcap_close(s->pcap);
	streams_free(s->streams);
	free(s);
}

static const struct source_ops pcap_source_ops = {
	.drain = pcap_source_drain,
	.sleep = pcap_source_sleep,
	.fd = pcap_source_fd,
	.free = pcap_source_free,
};

/* libpcap writes these without a word about what to do. */
static void explain(struct text *error, const char *message)
{
	if (strstr(message, "different from the"))
		text_addf(error,
			  "%s (give each interface a file of its own: "
			  "tshark -r FILE -Y frame.interface_id==0 -w ONE)",
			  message);
	else
		text_add(error, message);
}

struct source *pcap_source_from_file(FILE *file, const struct streams_options *options,
				     struct text *ret_error)
{
	struct pcap_source *s = calloc(1, sizeof(*s));
	char error[PCAP_ERRBUF_SIZE] = "";
	const char *name;

	if (!s)
		goto no_memory;
	s->source.ops = &pcap_source_ops;
	s->streams = streams_new(options);
	if (!s->streams)
		goto no_memory;
	s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
	if (!s->pcap) {
		explain(ret_error, error);
		goto fail;
	}
	file = NULL; /* pcap_close() closes it */
	s->link = pcap_datalink(s->pcap);
	if (!packet_link_is_known(s->link)) {
		name = pcap_datalink_val_to_name(s->link);
		text_addf(ret_error,
			  "link type %s is not supported (Ethernet, Linux cooked, raw IP and "
			  "loopback are)",
			  name ? name : "of an unknown number");
		goto fail;
	}
	return &s->source;

no_memory:
	text_add(ret_error, "no memory");
fail:
	if (file && file != stdin)
		(void)fclose(file); /* read only */
	if (s)
		pcap_source_free(&s->source);
	return NULL;
}

struct source *pcap_source_new(const char *path, const struct streams_options *options,
			       struct text *ret_error)
{
	FILE *file = stdin;

	if (strcmp(path, "-") != 0)
		file = fopen(path, "rbe");
	if (!file) {
		text_add(ret_error, strerror(errno));
		return NULL;
	}
	return pcap_source_from_file(file, options, ret_error);
}

const char *pcap_source_error(const struct source *s)
{
	return pcap_source(s)->is_broken ? pcap_source(s)->error : NULL;
}

const struct pcap_source_stats *pcap_source_stats(const struct source *s)
{
	return &pcap_source(s)->stats;
}

const struct streams_stats *pcap_source_streams(const struct source *s)
{
	return streams_stats(pcap_source(s)->streams);
}
