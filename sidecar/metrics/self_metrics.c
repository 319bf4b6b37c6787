/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/self_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/event.h"
#include "metrics/conn_times.h"

#define KERNELS_MAX  64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum family_id {
	BUILD_INFO,
	COLLECTED,
	CPU_SECONDS,
	RESIDENT_BYTES,
	CGROUP_BYTES,
	SERIES,
	SERIES_OVERFLOWED,
	ROUTES_OVERFLOWED,
	ADDRESSES_OVERFLOWED,
	EVENTS_CAPTURED,
	EVENTS_LOST,
	SEGMENTS,
	SEGMENTS_IGNORED,
	BYTES_CAPTURED,
	BYTES_LOST,
	EVENTS_REFUSED,
	CONNECTIONS_OPEN,
	CONNECTIONS,
	CONNECTIONS_EVICTED,
	MEMORY_EVICTED,
	MEMORY_REFUSED,
	MEMORY_USED,
	MEMORY_BUDGET,
	CONNECTIONS_MUTED,
	CONNECTIONS_NOT_HTTP,
	REQUESTS_LOST,
	RESPONSES_UNPAIRED,
	PARSE_FAILURES,
	HTTP2_RESYNCS,
	HTTP2_ANSWERS,
	GRPC_WEB_REQUESTS,
	HTTP2_UNKNOWN_FIELDS,
	HTTP2_TABLE_BYTES,
	SCRAPE_EVICTED,
	SCRAPE_PAGES,
	SCRAPE_PAGE_BYTES,
	PUSHES,
	PUSHES_SKIPPED,
	PUSH_PROTOBUF_REFUSED,
	PUSH_GROUP_CHECKS,
	PUSH_SECONDS,
	PUSH_SUCCESS,
	TCP_BYTES,
	TCP_RETRANSMITTED_SEEN,
	TCP_ACCEPTED,
	TCP_CONNECTED,
	TCP_CONNECT_FAILED,
	TCP_CLOSED,
	TCP_RESET,
	TCP_ROUND_TRIP,
	FAMILIES,
	NO_FAMILY = FAMILIES, /* of a counter that is for the capture itself */
};

static const char *const build_labels[] = {"version", "revision"};
static const char *const container_labels[] = {"container"};
static const char *const lost_labels[] = {"container", "reason"};
static const char *const side_labels[] = {"container", "side"};
static const char *const reason_labels[] = {"reason"};
static const char *const protocol_labels[] = {"protocol"};
static const char *const result_labels[] = {"result"};

/* From a loopback's microseconds to a satellite's second, two to a decade. */
static const double round_trip_bounds[] = {.00003, .0001, .0003, .001, .003, .01,
					   .03,	   .1,	  .3,	 1,    3};

#define SINGLE(type_, name_, help_)                                                                \
	{                                                                                          \
		.name = name_, .help = help_, .type = type_                                        \
	}
#define LABELLED(type_, labels_, name_, help_)                                                     \
	{                                                                                          \
		.name = name_, .help = help_, .type = type_, .label_names = labels_,               \
		.label_count = COUNT(labels_)                                                      \
	}

static const struct family_desc descs[FAMILIES] = {
	[BUILD_INFO] = LABELLED(METRIC_GAUGE, build_labels, "sidelight_build_info",
				"Always 1; the labels say what runs."),
	[COLLECTED] = SINGLE(METRIC_GAUGE, "sidelight_collected_timestamp_seconds",
			     "When these values were collected, Unix time; all who ask within a "
			     "second get the same."),
	[CPU_SECONDS] = SINGLE(METRIC_COUNTER, "sidelight_cpu_seconds_total",
			       "CPU time of both processes, user and system."),
	[RESIDENT_BYTES] = SINGLE(METRIC_GAUGE, "sidelight_resident_memory_bytes",
				  "Resident memory of both processes, shared libraries included."),
	[CGROUP_BYTES] = SINGLE(METRIC_GAUGE, "sidelight_cgroup_memory_bytes",
				"What is charged to our memory cgroup, with what "
				"the kernel keeps for each connection; 0: no memory controller."),
	[SERIES] = SINGLE(METRIC_GAUGE, "sidelight_series", "Series in the registry."),
	[SERIES_OVERFLOWED] =
		SINGLE(METRIC_COUNTER, "sidelight_series_overflowed_total",
		       "Look-ups of new series beyond the cap or their share of it; they count as "
		       "_OTHER."),
	[ROUTES_OVERFLOWED] =
		SINGLE(METRIC_COUNTER, "sidelight_routes_overflowed_total",
		       "Requests whose route or method of gRPC is _OTHER: it has not earned a "
		       "place under the cap."),
	[ADDRESSES_OVERFLOWED] =
		SINGLE(METRIC_COUNTER, "sidelight_addresses_overflowed_total",
		       "Requests whose server_address is _OTHER: it has not earned a place."),
	[EVENTS_CAPTURED] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_events_captured_total",
			 "Records that the BPF programs sent."),
	[EVENTS_LOST] = LABELLED(METRIC_COUNTER, lost_labels, "sidelight_events_lost_total",
				 "Records that the BPF programs could not send."),
	[SEGMENTS] = LABELLED(METRIC_COUNTER, container_labels, "sidelight_segments_total",
			      "TCP segments with payload that were looked at."),
	[SEGMENTS_IGNORED] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_segments_ignored_total",
			 "Received segments outside the window, which the socket drops, too."),
	[BYTES_CAPTURED] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_captured_bytes_total",
			 "Payload bytes that were copied out of the kernel."),
	[BYTES_LOST] = SINGLE(METRIC_COUNTER, "sidelight_lost_bytes_total",
			      "Payload bytes that were waited for and never came."),
	[EVENTS_REFUSED] =
		LABELLED(METRIC_COUNTER, reason_labels, "sidelight_events_refused_total",
			 "Records that came, and that user space had no use or memory for."),
	[CONNECTIONS_OPEN] = SINGLE(METRIC_GAUGE, "sidelight_connections_open",
				    "Connections that are followed now."),
	[CONNECTIONS] = SINGLE(METRIC_COUNTER, "sidelight_connections_total",
			       "Connections that were followed."),
	[CONNECTIONS_EVICTED] = SINGLE(METRIC_COUNTER, "sidelight_connections_evicted_total",
				       "Connections given up because there were too many."),
	[MEMORY_EVICTED] = SINGLE(METRIC_COUNTER, "sidelight_memory_evicted_connections_total",
				  "Connections given up because the memory budget was exhausted."),
	[MEMORY_REFUSED] =
		SINGLE(METRIC_COUNTER, "sidelight_memory_refused_total",
		       "Allocations refused because a connection had its share of the budget."),
	[MEMORY_USED] = SINGLE(METRIC_GAUGE, "sidelight_memory_used_bytes",
			       "Memory that connections take of the budget."),
	[MEMORY_BUDGET] = SINGLE(METRIC_GAUGE, "sidelight_memory_budget_bytes",
				 "Memory that all connections and the recorder together may take."),
	[SCRAPE_EVICTED] = LABELLED(METRIC_COUNTER, reason_labels,
				    "sidelight_scrape_connections_evicted_total",
				    "Connections to /metrics ended to bound what they cost."),
	[SCRAPE_PAGES] = SINGLE(METRIC_COUNTER, "sidelight_scrape_pages_total",
				"Pages made for /metrics; scrapes within a second share one."),
	[SCRAPE_PAGE_BYTES] = SINGLE(METRIC_GAUGE, "sidelight_scrape_page_bytes",
				     "Memory of the pages that are being read, compressed."),
	[CONNECTIONS_MUTED] =
		LABELLED(METRIC_COUNTER, reason_labels, "sidelight_connections_muted_total",
			 "Connections that are not, or no longer, unencrypted HTTP."),
	[CONNECTIONS_NOT_HTTP] =
		LABELLED(METRIC_COUNTER, protocol_labels, "sidelight_connections_not_http_total",
			 "Connections whose first bytes are those of another protocol."),
	[REQUESTS_LOST] = LABELLED(METRIC_COUNTER, reason_labels, "sidelight_requests_lost_total",
				   "Requests that were seen and are in no other metric."),
	[RESPONSES_UNPAIRED] = SINGLE(METRIC_COUNTER, "sidelight_responses_unpaired_total",
				      "Responses whose request was not seen."),
	[PARSE_FAILURES] = LABELLED(METRIC_COUNTER, reason_labels, "sidelight_parse_failures_total",
				    "Messages that could not be understood."),
	[HTTP2_RESYNCS] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_http2_resyncs_total",
			 "Times that the BPF programs had lost the frame boundaries of HTTP/2 and "
			 "asked for them."),
	[HTTP2_ANSWERS] = SINGLE(METRIC_COUNTER, "sidelight_http2_resyncs_answered_total",
				 "Times that user space answered with a frame boundary."),
	[GRPC_WEB_REQUESTS] = SINGLE(
		METRIC_COUNTER, "sidelight_grpc_web_requests_total",
		"Requests of HTTP that were calls of grpc-web, whose status is in the body."),
	[HTTP2_UNKNOWN_FIELDS] =
		SINGLE(METRIC_COUNTER, "sidelight_http2_unknown_fields_total",
		       "Header fields that could not be known: their connection was joined "
		       "mid-stream, or a header block was lost."),
	[HTTP2_TABLE_BYTES] = SINGLE(METRIC_GAUGE, "sidelight_http2_table_bytes",
				     "Memory that header tables of HTTP/2 take."),
	[PUSHES] = LABELLED(METRIC_COUNTER, result_labels, "sidelight_pushes_total",
			    "Pushes to the gateway, by result."),
	[PUSH_GROUP_CHECKS] =
		LABELLED(METRIC_COUNTER, result_labels, "sidelight_push_group_checks_total",
			 "Times it was looked at whether somebody else pushes to the same group."),
	[PUSHES_SKIPPED] = SINGLE(METRIC_COUNTER, "sidelight_pushes_skipped_total",
				  "Push intervals that passed while a push was under way."),
	[PUSH_PROTOBUF_REFUSED] =
		SINGLE(METRIC_COUNTER, "sidelight_push_protobuf_refused_total",
		       "Pushes in protobuf that the gateway did not accept; the next one is text."),
	[PUSH_SECONDS] = SINGLE(METRIC_GAUGE, "sidelight_push_last_duration_seconds",
				"How long the last push took."),
	[PUSH_SUCCESS] = SINGLE(METRIC_GAUGE, "sidelight_push_last_success_timestamp_seconds",
				"When a push last succeeded, in Unix time."),
	[TCP_BYTES] = LABELLED(METRIC_COUNTER, container_labels, "sidelight_tcp_bytes_total",
			       "Payload bytes in both directions, without retransmissions."),
	[TCP_RETRANSMITTED_SEEN] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_tcp_duplicate_segments_total",
			 "Segments that were seen more than once."),
	[TCP_ACCEPTED] = LABELLED(METRIC_COUNTER, container_labels, "sidelight_tcp_accepted_total",
				  "Connections accepted."),
	[TCP_CONNECTED] = LABELLED(METRIC_COUNTER, container_labels,
				   "sidelight_tcp_connected_total", "Connections made."),
	[TCP_CONNECT_FAILED] =
		LABELLED(METRIC_COUNTER, container_labels, "sidelight_tcp_connect_failures_total",
			 "Connections that could not be made."),
	[TCP_CLOSED] = LABELLED(METRIC_COUNTER, container_labels, "sidelight_tcp_closed_total",
				"Connections that ended."),
	[TCP_RESET] = LABELLED(METRIC_COUNTER, side_labels, "sidelight_tcp_resets_total",
			       "Connections that ended by a reset, by the side that gave up."),
	[TCP_ROUND_TRIP] = {.name = "sidelight_tcp_round_trip_seconds",
			    .help = "Smoothed round-trip time of connections, taken at their end.",
			    .type = METRIC_HISTOGRAM,
			    .bounds = round_trip_bounds,
			    .bound_count = COUNT(round_trip_bounds)},
};

/* Where each kernel counter goes. */
static const struct {
	enum family_id family;
	const char *reason; /* of EVENTS_LOST */
} kernel_counters[SL_C_CONN_TIMES] = {
	[SL_C_SEGMENTS] = {SEGMENTS, NULL},
	[SL_C_RECORDS] = {EVENTS_CAPTURED, NULL},
	[SL_C_BYTES_SEEN] = {TCP_BYTES, NULL},
	[SL_C_BYTES_SENT] = {BYTES_CAPTURED, NULL},
	[SL_C_RETRANSMITTED] = {TCP_RETRANSMITTED_SEEN, NULL},
	[SL_C_LOST_OPEN] = {EVENTS_LOST, "open"},
	[SL_C_LOST_REQUEST] = {EVENTS_LOST, "request"},
	[SL_C_LOST_DATA] = {EVENTS_LOST, "data"},
	[SL_C_LOST_CLOSE] = {EVENTS_LOST, "close"},
	[SL_C_LOST_MUTE] = {EVENTS_LOST, "mute"},
	[SL_C_LOST_HELPER] = {EVENTS_LOST, "helper"},
	[SL_C_LOST_STORAGE] = {EVENTS_LOST, "storage"},
	[SL_C_LOST_CAP] = {EVENTS_LOST, "connection_cap"},
	[SL_C_LOST_CHAIN] = {EVENTS_LOST, "chain"},
	[SL_C_OUT_OF_WINDOW] = {SEGMENTS_IGNORED, NULL},
	[SL_C_FOLLOWED] = {NO_FAMILY, NULL},
	[SL_C_RELEASED] = {NO_FAMILY, NULL},
	[SL_C_ASKED] = {HTTP2_RESYNCS, NULL},
	[SL_C_ACCEPTED] = {TCP_ACCEPTED, NULL},
	[SL_C_CONNECTED] = {TCP_CONNECTED, NULL},
	[SL_C_CONNECT_FAILED] = {TCP_CONNECT_FAILED, NULL},
	[SL_C_CLOSED] = {TCP_CLOSED, NULL},
	[SL_C_RESET_PEER] = {TCP_RESET, "peer"},
	[SL_C_RESET_LOCAL] = {TCP_RESET, "local"},
};

static const char *const mute_reasons[SL_MUTE_MAX] = {
	[0] = "unknown",
	[SL_MUTE_TLS] = "tls",
	[SL_MUTE_UNKNOWN] = "not_http",
	[SL_MUTE_UPGRADE] = "upgrade",
	[SL_MUTE_MPTCP] = "mptcp",
	[SL_MUTE_TLS_DARK] = "tls_dark",
};

static const char *const parse_reasons[PARSE_FAIL_MAX] = {
	[PARSE_FAIL_START_LINE] = "start_line",
	[PARSE_FAIL_FIELD] = "field",
	[PARSE_FAIL_LENGTH] = "length",
	[PARSE_FAIL_CHUNK] = "chunk",
	[PARSE_FAIL_LOST] = "lost",
	[PARSE_FAIL_HEAD_TOO_LARGE] = "head_too_large",
	[PARSE_FAIL_FRAME] = "http2_frame",
	[PARSE_FAIL_BLOCK] = "http2_block",
	[PARSE_FAIL_MEMORY] = "http2_memory",
};

/* The counters of one cgroup at their last report, and the series that they increase. */
struct kernel {
	uint64_t id;
	uint64_t reported_at; /* value of reports at the last report; 0: free */
	uint64_t last[SL_C_MAX];
	struct series *series[SL_C_CONN_TIMES];
};

struct self_metrics {
	struct family *family[FAMILIES];
	struct conn_times *times; /* owned */
	struct series *round_trip;
	struct usage broker;
	uint64_t reports;
	uint64_t connections; /* accepted and made */
	size_t reserved_bytes; /* of --memory, for others than connections */
	struct kernel kernels[KERNELS_MAX];
	const struct registry *registry;
};

struct self_metrics *self_metrics_new(struct registry *r)
{
	static const char *const build[] = {SIDELIGHT_VERSION, SIDELIGHT_REVISION};
	struct self_metrics *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->registry = r;
	self->times = conn_times_new(r);
	if (!self->times || registry_families(r, descs, FAMILIES, self->family)) {
		self_metrics_free(self);
		return NULL;
	}
	series_set(family_series(self->family[BUILD_INFO], build), 1);
	self->round_trip = family_series(self->family[TCP_ROUND_TRIP], NULL);
	return self;
}

void self_metrics_free(struct self_metrics *self)
{
	if (self)
		conn_times_free(self->times);
	free(self);
}

static struct kernel *kernel_find(struct self_metrics *self, uint64_t id, const char *name)
{
	struct kernel *oldest = &self->kernels[0];

	for (size_t i = 0; i < KERNELS_MAX; i++) {
		struct kernel *k = &self->kernels[i];

		if (k->reported_at && k->id == id)
			return k;
		if (k->reported_at < oldest->reported_at)
			oldest = k;
	}
	*oldest = (struct kernel){.id = id};
	for (size_t c = 0; c < SL_C_CONN_TIMES; c++) {
		const char *values[] = {name, kernel_counters[c].reason};

		if (kernel_counters[c].family != NO_FAMILY)
			oldest->series[c] =
				family_series(self->family[kernel_counters[c].family], values);
	}
	return oldest;
}

void self_metrics_kernel(struct self_metrics *self, uint64_t id, const char *name,
			 const uint64_t *counters)
{
	struct kernel *k = kernel_find(self, id, name);

	k->reported_at = ++self->reports;
	conn_times_add(self->times, name, counters, k->last);
	for (size_t c = 0; c < SL_C_CONN_TIMES; c++) {
		if (k->series[c] && counters[c] > k->last[c])
			series_add(k->series[c], (double)(counters[c] - k->last[c]));
		if ((c == SL_C_ACCEPTED || c == SL_C_CONNECTED) && counters[c] > k->last[c])
			self->connections += counters[c] - k->last[c];
	}
	memcpy(k->last, counters, sizeof(k->last));
}

uint64_t self_metrics_connections(const struct self_metrics *self)
{
	return self->connections;
}

void self_metrics_tcp_close(struct self_metrics *self, const struct event_close *close)
{
	if (close->srtt_us)
		series_observe(self->family[TCP_ROUND_TRIP], self->round_trip,
			       (double)close->srtt_us / 1e6);
}

static void set(struct self_metrics *self, enum family_id family, double value)
{
	series_set(family_series(self->family[family], NULL), value);
}

static void set_by(struct self_metrics *self, enum family_id family, const char *value_of_label,
		   uint64_t value)
{
	series_set(family_series(self->family[family], &value_of_label), (double)value);
}

static void refresh_engine(struct self_metrics *self, const struct engine_stats *e)
{
	_Static_assert(COUNT(mute_reasons) == COUNT(e->conns_muted), "a name for each reason");

	set(self, CONNECTIONS_OPEN, (double)e->conns_open);
	set(self, CONNECTIONS, (double)e->conns_total);
	set(self, CONNECTIONS_EVICTED, (double)e->conns_evicted);
	set(self, MEMORY_EVICTED, (double)e->conns_evicted_memory);
	set(self, MEMORY_REFUSED, (double)e->memory_refused);
	set(self, MEMORY_USED, (double)e->memory_used);
	set(self, MEMORY_BUDGET, (double)(e->memory_cap + self->reserved_bytes));
	set_by(self, EVENTS_REFUSED, "memory", e->events_refused);
	set_by(self, EVENTS_REFUSED, "out_of_order", e->ahead_dropped);
	set(self, BYTES_LOST, (double)e->bytes_lost);
	set(self, RESPONSES_UNPAIRED, (double)e->responses_unpaired);
	set(self, GRPC_WEB_REQUESTS, (double)e->grpc_web_requests);
	set(self, HTTP2_UNKNOWN_FIELDS, (double)e->http2_unknown_fields);
	set(self, HTTP2_TABLE_BYTES, (double)e->http2_table_bytes);
	set(self, ROUTES_OVERFLOWED, (double)e->routes_overflowed);
	set(self, ADDRESSES_OVERFLOWED, (double)e->addresses_overflowed);
	for (size_t i = 1; i < COUNT(mute_reasons); i++)
		set_by(self, CONNECTIONS_MUTED, mute_reasons[i], e->conns_muted[i]);
	if (e->conns_muted[0])
		set_by(self, CONNECTIONS_MUTED, mute_reasons[0], e->conns_muted[0]);
	/* A protocol that nobody speaks gets no series. */
	for (size_t i = 0; i < NOT_HTTP_MAX; i++)
		if (e->conns_not_http[i])
			set_by(self, CONNECTIONS_NOT_HTTP, not_http_name((enum not_http)i),
			       e->conns_not_http[i]);
	for (size_t i = 0; i < ENGINE_LOST_MAX; i++)
		set_by(self, REQUESTS_LOST, engine_lost_name((enum engine_lost)i), e->lost[i]);
	for (size_t i = 0; i < PARSE_FAIL_MAX; i++)
		set_by(self, PARSE_FAILURES, parse_reasons[i], e->parse_failed[i]);
}

void self_metrics_source(struct self_metrics *self, struct source_counters counters)
{
	set_by(self, EVENTS_REFUSED, "malformed", counters.malformed);
	set(self, HTTP2_ANSWERS, (double)counters.answers);
}

void self_metrics_reserve(struct self_metrics *self, size_t bytes)
{
	self->reserved_bytes = bytes;
}

void self_metrics_memory(struct self_metrics *self, uint64_t charged_bytes)
{
	set(self, CGROUP_BYTES, (double)charged_bytes);
}

void self_metrics_scrape(struct self_metrics *self, const struct scrape_stats *stats)
{
	for (int i = 0; i < SCRAPE_EVICT_MAX; i++)
		set_by(self, SCRAPE_EVICTED, scrape_eviction_name((enum scrape_eviction)i),
		       stats->evicted[i]);
	set(self, SCRAPE_PAGES, (double)stats->pages);
	set(self, SCRAPE_PAGE_BYTES, (double)stats->page_bytes);
}

static void refresh_push(struct self_metrics *self, const struct push_stats *p)
{
	for (int i = 0; i < PUSH_RESULT_MAX; i++)
		set_by(self, PUSHES, push_result_name((enum push_result)i), p->results[i]);
	for (int i = 0; i < PUSH_GROUP_MAX; i++)
		set_by(self, PUSH_GROUP_CHECKS, push_group_name((enum push_group)i), p->groups[i]);
	set(self, PUSHES_SKIPPED, (double)p->skipped);
	set(self, PUSH_PROTOBUF_REFUSED, (double)p->protobuf_refused);
	set(self, PUSH_SECONDS, p->last_seconds);
	set(self, PUSH_SUCCESS, p->last_success);
}

void self_metrics_broker(struct self_metrics *self, const struct usage *used)
{
	self->broker = *used;
}

static void refresh_usage(struct self_metrics *self)
{
	struct usage ours = usage_read();

	set(self, CPU_SECONDS, (double)(ours.cpu_ns + self->broker.cpu_ns) / 1e9);
	set(self, RESIDENT_BYTES, (double)(ours.resident_bytes + self->broker.resident_bytes));
}

void self_metrics_collect(struct self_metrics *self)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	set(self, COLLECTED, (double)now.tv_sec + (double)now.tv_nsec / 1e9);
}

void self_metrics_refresh(struct self_metrics *self, const struct engine_stats *engine,
			  const struct push_stats *push)
{
	refresh_usage(self);
	if (engine)
		refresh_engine(self, engine);
	if (push)
		refresh_push(self, push);
	set(self, SERIES_OVERFLOWED, (double)registry_overflowed(self->registry));
	set(self, SERIES, (double)registry_series_count(self->registry));
}
