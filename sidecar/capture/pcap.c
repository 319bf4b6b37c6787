/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pcap.h"

#include <errno.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "capture/arrivals.h"
#include "capture/input.h"
#include "capture/pcapng.h"

struct pcap_source {
	struct source source; /* first member */
	struct input *input;
	struct pcapng *pcapng; /* either this or pcap */
	pcap_t *pcap;
	int link; /* link type of pcap */
	struct arrivals arrivals;
	struct streams *streams;
	struct pcap_source_stats stats;
	bool has_ended;
	bool is_broken;
	char error[PCAP_ERRBUF_SIZE];
	/* arguments of the current drain */
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

static void take_packet(void *ctx, const struct raw_packet *raw, uint64_t time_ns)
{
	struct pcap_source *s = ctx;
	struct packet p;
	enum packet_fate fate = packet_parse(raw->link, raw->captured, raw->wire_len, &p);

	s->stats.packets++;
	s->stats.fate[fate]++;
	s->stats.other_link += !packet_link_is_known(raw->link);
	if (fate == PACKET_TCP)
		streams_packet(s->streams, &p, time_ns, count_event, s);
}

/* The pipe is idle: stored and queued packets are processed. */
static void on_idle(void *ctx)
{
	struct pcap_source *s = ctx;

	if (!s->fn)
		return; /* still at the file's header */
	arrivals_flush(&s->arrivals, take_packet, s);
	streams_flush(s->streams, count_event, s);
}

/* Reads one packet. Returns 1, 0 at the end, or negative with s->error. */
static int read_pcap(struct pcap_source *s, struct raw_packet *ret, uint64_t *ret_time_ns)
{
	const unsigned char *bytes;
	const char *why;
	struct pcap_pkthdr *h;
	int rc = pcap_next_ex(s->pcap, &h, &bytes);

	if (rc > 0) {
		/*
		 * With nanosecond precision libpcap stores nanoseconds in tv_usec. It checks
		 * neither field.
		 */
		uint64_t sec = h->ts.tv_sec < 0 ? 0 : (uint64_t)h->ts.tv_sec & UINT32_MAX;
		uint64_t nsec = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec & UINT32_MAX;

		*ret_time_ns = sec * 1000000000u + nsec;
		*ret = (struct raw_packet){s->link, {(const char *)bytes, h->caplen}, h->len};
		return 1;
	}
	why = input_error(s->input);
	if (rc != PCAP_ERROR && !why)
		return 0;
	(void)snprintf(s->error, sizeof(s->error), "%s", why ? why : pcap_geterr(s->pcap));
	return -1;
}

static int read_pcapng(struct pcap_source *s, struct raw_packet *ret, uint64_t *ret_time_ns)
{
	struct pcapng_packet p;

	if (!pcapng_next(s->pcapng, &p)) {
		if (!pcapng_error(s->pcapng))
			return 0;
		(void)snprintf(s->error, sizeof(s->error), "%s", pcapng_error(s->pcapng));
		return -1;
	}
	*ret = (struct raw_packet){p.link, p.captured, p.wire_len};
	/* A Simple Packet Block has no time: it gets that of the packet before it. */
	*ret_time_ns = p.has_time ? p.time_ns : s->arrivals.last_ns - s->arrivals.shift_ns;
	return 1;
}

/* Drains the events of one packet per call, so that the caller can stop in between. */
static int pcap_source_drain(struct source *source, event_fn fn, void *ctx)
{
	struct pcap_source *s = pcap_source(source);
	struct raw_packet raw;
	uint64_t time_ns;
	int rc;

	s->fn = fn;
	s->ctx = ctx;
	s->events = 0;
	while (!s->has_ended && s->events == 0) {
		rc = s->pcapng ? read_pcapng(s, &raw, &time_ns) : read_pcap(s, &raw, &time_ns);
		if (rc > 0) {
			arrivals_packet(&s->arrivals, &raw, time_ns, take_packet, s);
			continue;
		}
		s->has_ended = true;
		s->is_broken = rc < 0;
		arrivals_flush(&s->arrivals, take_packet, s);
		streams_end(s->streams, s->arrivals.last_ns, count_event, s);
	}
	return s->events;
}

static void pcap_source_free(struct source *source)
{
	struct pcap_source *s = pcap_source(source);

	if (s->pcap)
		pcap_close(s->pcap);
	pcapng_free(s->pcapng);
	input_free(s->input);
	arrivals_release(&s->arrivals);
	streams_free(s->streams);
	free(s);
}

static const struct source_ops pcap_source_ops = {
	.drain = pcap_source_drain,
	.free = pcap_source_free,
};

static ssize_t cookie_read(void *cookie, char *buf, size_t len)
{
	struct pcap_source *s = cookie;
	size_t n = input_read(s->input, buf, len);

	return n == 0 && input_error(s->input) ? -1 : (ssize_t)n;
}

/* Returns false with one line in *error. */
static bool open_pcap(struct pcap_source *s, struct text *error)
{
	static const cookie_io_functions_t functions = {.read = cookie_read};
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *file = fopencookie(s, "rb", functions);
	const char *name;

	if (!file) {
		text_add(error, "no memory");
		return false;
	}
	s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!s->pcap) {
		(void)fclose(file); /* read only */
		text_add(error, input_error(s->input) ? input_error(s->input) : why);
		return false;
	}
	s->link = pcap_datalink(s->pcap);
	if (packet_link_is_known(s->link))
		return true;
	name = pcap_datalink_val_to_name(s->link);
	text_addf(error,
		  "link type %s is not supported (Ethernet, Linux cooked, raw IP and "
		  "loopback are)",
		  name ? name : "of an unknown number");
	return false;
}

struct source *pcap_source_from_file(FILE *file, const struct streams_options *options,
				     struct text *ret_error)
{
	struct pcap_source *s = calloc(1, sizeof(*s));
	const uint8_t *head;
	size_t len;

	if (!s) {
		if (file != stdin)
			(void)fclose(file); /* read only */
		goto no_memory;
	}
	s->source.ops = &pcap_source_ops;
	s->input = input_new(file);
	if (!s->input)
		goto no_memory;
	s->streams = streams_new(options);
	if (!s->streams)
		goto no_memory;
	head = input_peek(s->input, 4, &len);
	if (len < 4 || !pcapng_is_file(head)) {
		if (!open_pcap(s, ret_error))
			goto fail;
	} else {
		s->pcapng = pcapng_new(s->input);
		if (!s->pcapng)
			goto no_memory;
	}
	input_on_idle(s->input, on_idle, s);
	return &s->source;

no_memory:
	text_add(ret_error, "no memory");
fail:
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
	struct pcap_source *source = pcap_source(s);

	source->stats.time_set_back = source->arrivals.set_back;
	source->stats.time_strays = source->arrivals.strays;
	source->stats.first_ns = source->arrivals.first_ns;
	source->stats.last_ns = source->arrivals.last_ns;
	return &source->stats;
}

const struct streams_stats *pcap_source_streams(const struct source *s)
{
	return streams_stats(pcap_source(s)->streams);
}
