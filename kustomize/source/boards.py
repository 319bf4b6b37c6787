# SPDX-License-Identifier: Apache-2.0
"""The dashboards: every panel, its query and what it says."""
from grafana import (ANY_IS_BAD, ERROR_SHARE, SECONDS, TRACES, Column, dashboard, graph, heatmap,
                     row, stat, table, target)
from on_demand import on_demand
from parts import (BY_POD, CHOOSE_CONTAINER, CHOOSE_POD, CONTAINER, GRPC, GRPC_CLIENT, HTTP,
                   HTTP_CLIENT, METHOD, METHODS, PEER, PEER_LEGEND, POD, POD_LEGEND, ROUTE, ROUTES,
                   WORKLOAD, durations, latencies, p99, place)
from promql import ERROR, quantile, share, total
from queries import average, duration, errors, heat, now, rate, requests, top

# To the same workload, in the same time and data source, on another dashboard.
TO_WORKLOAD = ("/d/sidelight-red?${datasource:queryparam}&${__url_time_range}"
               "&var-namespace=${__data.fields.Namespace}&var-workload=${__data.fields.Workload}")


def team():
    served = [(HTTP, ROUTE), (GRPC, METHOD)]
    both = "({}) or ({})".format
    by = "namespace, workload"

    def all_served(labels=WORKLOAD):
        return both(*(rate(f"{m}_count", labels) for m, _ in served))

    all_errors = share(total("", all_served(f"{WORKLOAD},{ERROR}")), total("", all_served()))
    lost = both(rate("sidelight_requests_lost_total", WORKLOAD),
                rate("sidelight_events_lost_total", f'{WORKLOAD},reason="request"'))
    legend = "{{namespace}}/{{workload}}"
    place_labels = {"namespace": Column("Namespace"), "workload": Column("Workload",
                                                                        url=TO_WORKLOAD)}
    return dashboard(
        "team", "team overview",
        "All workloads of a team: which one has errors, is slow, or is not seen.",
        [*place("sidelight_build_info"), TRACES], [
            row("Now",
                stat("Requests", "HTTP requests and gRPC calls that are served.", "reqps",
                     total("", all_served())),
                stat("Errors", "Share of them that have an error_type: 5xx, a gRPC status that "
                     "is the server's fault, or no complete response.", "percentunit",
                     all_errors, steps=ERROR_SHARE),
                stat("p99", "99 of 100 HTTP requests are answered within this time.", "s",
                     duration(0.99, "", HTTP, WORKLOAD), steps=SECONDS),
                stat("In flight", "HTTP requests that are received and not yet answered.", "short",
                     total("", now("http_server_active_requests", WORKLOAD))),
                stat("Sidecars", "Sidecars that report.", "short",
                     f"count({now('sidelight_build_info', WORKLOAD)})"),
                stat("Not counted", "Requests that were seen and could not be counted.", "reqps",
                     total("", lost), steps=ANY_IS_BAD)),
            row("Workloads",
                table("HTTP by workload", "Choose a workload to see its routes.", place_labels, [
                    Column("Requests", requests(by, HTTP, WORKLOAD), "reqps"),
                    Column("Errors", errors(by, HTTP, WORKLOAD), "percentunit", ERROR_SHARE),
                    Column("p50", duration(0.5, by, HTTP, WORKLOAD), "s"),
                    Column("p99", duration(0.99, by, HTTP, WORKLOAD), "s", SECONDS),
                    Column("In flight", total(by, now("http_server_active_requests", WORKLOAD))),
                ], width=12),
                table("gRPC by workload", "Choose a workload to see more of it.", place_labels, [
                    Column("Calls", requests(by, GRPC, WORKLOAD), "reqps"),
                    Column("Errors", errors(by, GRPC, WORKLOAD), "percentunit", ERROR_SHARE),
                    Column("p50", duration(0.5, by, GRPC, WORKLOAD), "s"),
                    Column("p99", duration(0.99, by, GRPC, WORKLOAD), "s", SECONDS),
                    Column("Open", total(by, now("sidelight_rpc_open_calls",
                                                 f'{WORKLOAD},role="server"'))),
                ], width=12),
                graph("Requests by workload", "HTTP and gRPC, served.", "reqps",
                      target(total(by, all_served()), legend)),
                graph("Errors by workload", "Share of requests and calls that have an error_type.",
                      "percentunit", target(share(total(by, all_served(f"{WORKLOAD},{ERROR}")),
                                                  total(by, all_served())), legend),
                      steps=ERROR_SHARE),
                latencies("p99 by workload", "HTTP requests.", p99(by, HTTP, WORKLOAD, legend))),
            row("Where to look",
                graph("Routes with most errors", "Errors per second, the ten highest.", "reqps",
                      target(top(10, f"{requests(f'{by}, {ROUTE}', HTTP, f'{WORKLOAD},{ERROR}')} "
                                     f"or 0 * {requests(f'{by}, {ROUTE}', HTTP, WORKLOAD)}"),
                             "{{workload}} {{http_route}}")),
                latencies("Slowest routes", "p99 of each, the ten highest.",
                          p99(f"{by}, {ROUTE}", HTTP, WORKLOAD, "{{workload}} {{http_route}}",
                              highest=10)),
                latencies("Slowest gRPC methods", "p99 of each, the ten highest.",
                          p99(f"{by}, {METHOD}", GRPC, WORKLOAD, "{{workload}} {{rpc_method}}",
                              highest=10)),
                graph("Errors of what is asked", "Share of requests and calls to each server that "
                      "have an error_type, which for a client begins at 400.", "percentunit",
                      target(errors(f"{by}, {PEER}", HTTP_CLIENT, WORKLOAD),
                             "HTTP {{workload}} to " + PEER_LEGEND),
                      target(errors(f"{by}, {PEER}", GRPC_CLIENT, WORKLOAD),
                             "gRPC {{workload}} to " + PEER_LEGEND), steps=ERROR_SHARE, width=12),
                graph("TLS that is not seen", "Share of connections whose TLS is not decrypted. Their "
                      "requests are in no number here.", "percentunit",
                      target(share(
                          total(by, rate("sidelight_tls_connections_dark_total", WORKLOAD)),
                          total(by, rate("sidelight_connections_total", WORKLOAD))), legend),
                      most=1, width=12)),
        ])


def red():
    legend = "{{http_request_method}} {{http_route}}"
    by_route = f"http_request_method, {ROUTE}"
    served = (HTTP, ROUTES)
    made = (HTTP_CLIENT, CONTAINER)
    sizes = [target(quantile(0.5, ROUTE, rate(f"http_server_{what}_body_size_bytes_bucket",
                                              ROUTES)), "{{http_route}} " + what)
             for what in ("request", "response")]
    return dashboard(
        "red", "HTTP of a Pod",
        "Rate, errors and duration of the HTTP requests that a Pod serves, by route, and that it "
        "makes, by server.",
        [*place("http_(server|client)_request_duration_seconds_count", CHOOSE_POD,
                CHOOSE_CONTAINER, ("route", "http_route", CONTAINER)), TRACES], [
            row("Now",
                stat("Requests", "Requests that are served.", "reqps", requests("", *served)),
                stat("Errors", "Share of them with 5xx or without a complete response.",
                     "percentunit", errors("", *served), steps=ERROR_SHARE),
                stat("p50", "Half of the requests are answered within this time.", "s",
                     duration(0.5, "", *served), steps=SECONDS),
                stat("p99", "99 of 100 requests are answered within this time.", "s",
                     duration(0.99, "", *served), steps=SECONDS),
                stat("In flight", "Received and not yet answered.", "short",
                     total("", now("http_server_active_requests", CONTAINER))),
                stat("Not counted", "Requests that were seen and could not be counted.", "reqps",
                     total("", rate("sidelight_requests_lost_total", POD)), steps=ANY_IS_BAD)),
            row("Requests served",
                graph("Requests by route", "Requests that are served.", "reqps",
                      target(requests(by_route, *served), legend)),
                graph("Errors by route", "Share of requests with 5xx or without a complete "
                      "response.", "percentunit",
                      target(errors(ROUTE, *served), "{{http_route}}"), steps=ERROR_SHARE),
                latencies("p99 by route", "99 of 100 requests are answered within this time.",
                          p99(ROUTE, *served, "{{http_route}}")),
                graph("Statuses", "Requests by status code; none: no response was sent.", "reqps",
                      target(requests("http_response_status_code", *served),
                             "{{http_response_status_code}}"), stacked=True),
                graph("Errors by type", "5xx by code; connection_closed, connection_reset and the "
                      "like where no complete response was sent.", "reqps",
                      target(requests("error_type", HTTP, f"{ROUTES},{ERROR}"), "{{error_type}}"),
                      stacked=True),
                latencies("Duration", "From the first byte of the request to the last byte of "
                          "the response.", *durations("", *served, ""),
                          target(average("", *served), "average")),
                heatmap("Durations", "Requests by duration.", "s", heat(*served), exemplar=True),
                graph("Requests by Pod", "Whether the load is spread evenly.", "reqps",
                      target(requests(BY_POD, *served), POD_LEGEND)),
                graph("In flight by method", "Requests that are received and not yet answered, as "
                      "sampled.", "short",
                      target(total("http_request_method", now("http_server_active_requests",
                                                              CONTAINER)),
                             "{{http_request_method}}"))),
            row("Requests made",
                graph("Requests by server", "Requests that this side makes.", "reqps",
                      target(requests(PEER, *made), PEER_LEGEND)),
                graph("Errors by server", "Share of requests with 4xx, 5xx or without a complete "
                      "response.", "percentunit", target(errors(PEER, *made), PEER_LEGEND),
                      steps=ERROR_SHARE),
                latencies("Duration by server", "From the first byte sent to the last byte "
                          "received.", *durations(PEER, *made, PEER_LEGEND)),
                graph("Routes asked", "Which routes of which server this side requests.", "reqps",
                      target(requests(f"{PEER}, {by_route}", *made),
                             f"{PEER_LEGEND} {legend}")),
                graph("Statuses received", "Requests made by status code.", "reqps",
                      target(requests("http_response_status_code", *made),
                             "{{http_response_status_code}}"), stacked=True),
                heatmap("Durations of requests made", "Requests by duration.", "s", heat(*made),
                        exemplar=True)),
            row("Bodies and probes",
                graph("Body sizes by route", "Median of requests and responses; only with "
                      "--body-sizes.", "bytes", *sizes, width=12),
                graph("Probes", "Health checks of the kubelet, which are in no other panel.",
                      "reqps", target(total("http_route, http_response_status_code",
                                            rate("sidelight_probe_requests_total", CONTAINER)),
                                      "{{http_route}} {{http_response_status_code}}"), width=12)),
        ])


def grpc():
    served = (GRPC, METHODS)
    made = (GRPC_CLIENT, METHODS)
    by_peer = f"{PEER}, {METHOD}"
    peer_legend = f"{PEER_LEGEND} {{{{rpc_method}}}}"

    def messages(role):
        return target(total(f"{METHOD}, direction", rate("sidelight_rpc_messages_total",
                                                         f'{METHODS},role="{role}"')),
                      "{{rpc_method}} {{direction}}")

    def open_calls(role):
        return target(total(METHOD, now("sidelight_rpc_open_calls", f'{METHODS},role="{role}"')),
                      "{{rpc_method}}")

    return dashboard(
        "grpc", "gRPC",
        "Rate, errors and duration of the gRPC calls that a Pod serves, by method, and that it "
        "makes, by server.",
        [*place("rpc_(server|client)_call_duration_seconds_count", CHOOSE_POD, CHOOSE_CONTAINER,
                ("method", "rpc_method", CONTAINER)), TRACES], [
            row("Calls served",
                stat("Calls", "Calls that are served.", "reqps", requests("", *served), width=6),
                stat("Errors", "Share of calls with a status that is the server's fault.",
                     "percentunit", errors("", *served), steps=ERROR_SHARE, width=6),
                stat("p99", "99 of 100 calls end within this time.", "s",
                     duration(0.99, "", *served), steps=SECONDS, width=6),
                stat("Open", "Calls that have begun and not ended.", "short",
                     total("", now("sidelight_rpc_open_calls", f'{METHODS},role="server"')),
                     width=6),
                graph("Calls by method", "Calls that are served.", "reqps",
                      target(requests(METHOD, *served), "{{rpc_method}}")),
                graph("Errors by method", "Share of calls with a status that is the server's "
                      "fault.", "percentunit", target(errors(METHOD, *served), "{{rpc_method}}"),
                      steps=ERROR_SHARE),
                latencies("Duration by method", "From the first header to the status.",
                          *durations(METHOD, *served, "{{rpc_method}}"),
                          target(average(METHOD, *served), "{{rpc_method}} average")),
                graph("Statuses", "Calls that are served by status.", "reqps",
                      target(requests("rpc_status_code", *served), "{{rpc_status_code}}"),
                      stacked=True),
                graph("Messages", "Of calls that have ended.", "cps", messages("server")),
                graph("Open calls", "As sampled.", "short", open_calls("server")),
                heatmap("Durations", "Calls by duration.", "s", heat(*served), width=12,
                        exemplar=True),
                graph("Calls with a timeout", "Share of calls whose caller gave a timeout.",
                      "percentunit", target(share(
                          total(METHOD, rate("sidelight_rpc_calls_with_timeout_total",
                                             f'{METHODS},role="server"')),
                          requests(METHOD, *served)), "{{rpc_method}}"), width=12, most=1)),
            row("Calls made",
                graph("Calls to others by method", "Calls that this side makes.", "reqps",
                      target(requests(by_peer, *made), peer_legend)),
                graph("Errors of calls to others", "Share of calls that did not end with OK.",
                      "percentunit", target(errors(by_peer, *made), peer_legend),
                      steps=ERROR_SHARE),
                latencies("Duration of calls to others", "From the first header sent to the "
                          "status.", *durations(by_peer, *made, peer_legend)),
                graph("Statuses of calls to others", "Calls made by status.", "reqps",
                      target(requests("rpc_status_code", *made), "{{rpc_status_code}}"),
                      stacked=True),
                graph("Messages of calls to others", "Of calls that have ended.", "cps",
                      messages("client")),
                graph("Open calls to others", "As sampled.", "short", open_calls("client"))),
        ])


def tcp():
    def by_pod(metric, labels=POD):
        return total(BY_POD, rate(metric, labels))

    def per_second(metric, what):
        return target(by_pod(metric, CONTAINER), f"{what} {POD_LEGEND}".strip())

    round_trip = "sidelight_tcp_round_trip_seconds"
    return dashboard(
        "tcp", "TCP",
        "Connections of a Pod: how many, how they end, how far the other end is, and what they "
        "carry that is not HTTP.",
        place("sidelight_segments_total", CHOOSE_POD, CHOOSE_CONTAINER), [
            row("Connections",
                graph("Opened", "Connections that this side accepts and makes.", "cps",
                      per_second("sidelight_tcp_accepted_total", "accepted"),
                      per_second("sidelight_tcp_connected_total", "connected")),
                graph("Open", "Connections that are followed.", "short",
                      target(total(BY_POD, now("sidelight_connections_open", POD)), POD_LEGEND)),
                graph("Failed to open", "Connections that could not be made: refused, unreachable, "
                      "no answer.", "cps",
                      per_second("sidelight_tcp_connect_failures_total", "failed")),
                graph("Closed", "Connections that end, and those of them that end by a reset of "
                      "either side.",
                      "cps", per_second("sidelight_tcp_closed_total", "closed"),
                      *[target(by_pod("sidelight_tcp_resets_total",
                                      f'{CONTAINER},side="{side}"'),
                               f"reset by {who} {POD_LEGEND}")
                        for side, who in (("peer", "the peer"), ("local", "this side"))]),
                graph("Ended by a reset", "Share of connections that end by a reset.",
                      "percentunit", target(share(
                          by_pod("sidelight_tcp_resets_total", CONTAINER),
                          by_pod("sidelight_tcp_closed_total", CONTAINER)), POD_LEGEND), most=1),
                graph("Given up", "Connections that are not followed any more: too many, or too "
                      "little memory.", "cps",
                      target(by_pod("sidelight_connections_evicted_total"),
                             f"too many {POD_LEGEND}"),
                      target(by_pod("sidelight_memory_evicted_connections_total"),
                             f"memory {POD_LEGEND}"))),
            row("Open connections",
                graph("By role", "Established connections, as the kernel lists them.", "short",
                      target(total(f"{BY_POD}, role",
                                   now("sidelight_tcp_connections_open", CONTAINER)),
                             f"{{{{role}}}} {POD_LEGEND}")),
                graph("To servers", "Connections that the Pod has made, by their address.",
                      "short",
                      target(total("server_address, server_port",
                                   now("sidelight_tcp_connections_open",
                                       f'{CONTAINER},role="client"')),
                             "{{server_address}}:{{server_port}}")),
                graph("Round-trip time now", "The longest smoothed one of open connections.", "s",
                      target(f"max by ({BY_POD}, role) ("
                             + now("sidelight_tcp_open_round_trip_max_seconds", CONTAINER) + ")",
                             f"{{{{role}}}} {POD_LEGEND}")),
                graph("Zero windows", "Open connections on which a side does not read.", "short",
                      target(total(f"{BY_POD}, side",
                                   now("sidelight_tcp_zero_window_connections", CONTAINER)),
                             f"{{{{side}}}} {POD_LEGEND}")),
                graph("Handshake", "Round trip of the handshake.", "s",
                      *[target(quantile(q, "", rate("sidelight_tcp_handshake_seconds_bucket",
                                                    CONTAINER)), name)
                        for q, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))]),
                heatmap("Lifetimes", "Connections that ended, by how long they were open.", "s",
                        heat("sidelight_tcp_connection_duration_seconds", CONTAINER))),
            row("Network",
                graph("Payload", "Both directions, without retransmissions.", "Bps",
                      per_second("sidelight_tcp_bytes_total", "")),
                graph("Round-trip time", "Smoothed, taken at the end of each connection.", "s",
                      *[target(quantile(q, "", rate(f"{round_trip}_bucket", POD)), name)
                        for q, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))]),
                heatmap("Round-trip times", "Connections by their round-trip time.", "s",
                        heat(round_trip, POD)),
                graph("Retransmitted", "Segments that this side sent again.", "pps",
                      target(by_pod("sidelight_tcp_retransmits_total"), POD_LEGEND)),
                graph("Seen more than once", "Segments of either side.", "pps",
                      per_second("sidelight_tcp_duplicate_segments_total", "")),
                graph("Outside the window", "Received segments that the socket drops.", "pps",
                      per_second("sidelight_segments_ignored_total", ""))),
            row("Not HTTP",
                graph("Not read any more", "Connections by reason: TLS, upgraded, not HTTP, "
                      "multipath TCP.", "cps",
                      target(total("reason", rate("sidelight_connections_muted_total", POD)),
                             "{{reason}}"), stacked=True),
                graph("Other protocols", "Connections whose first bytes are of a protocol that is "
                      "known by name.", "cps",
                      target(total("protocol", rate("sidelight_connections_not_http_total", POD)),
                             "{{protocol}}"), stacked=True),
                graph("Older than the sidecar", "Connections that were there before; what they "
                      "carried until then is not counted.", "short",
                      target(total(BY_POD, now("sidelight_connections_joined_total", POD)),
                             f"joined {POD_LEGEND}"),
                      target(f"{total(BY_POD, now('sidelight_connections_before_start', POD))} "
                             "or 0 * "
                             + total(BY_POD, now("sidelight_connections_joined_total", POD)),
                             f"before start {POD_LEGEND}"))),
        ])


def health():
    def by(labels, metric):
        return total(labels, rate(metric, POD))

    def reasons(metric):
        return target(by("reason", metric), "{{reason}}")

    def pods(metric, what=""):
        return target(by(BY_POD, metric), f"{what} {POD_LEGEND}".strip())

    def by_reason(metric):
        """A sidecar that has no such series has 0."""
        return (f"{total(f'{BY_POD}, reason', now(metric, POD))} or on ({BY_POD}) "
                f"0 * {total(BY_POD, now('sidelight_watched_cgroups', POD))}")

    unseen = by_reason("sidelight_unseen_sockets")
    none_so_far = by_reason("sidelight_no_requests")

    def level(metric, what="", labels=POD):
        return target(f"max by ({BY_POD}) ({now(metric, labels)})", f"{what} {POD_LEGEND}".strip())

    age = f"time() - max by ({BY_POD}) ({{}})".format
    return dashboard(
        "health", "sidecar health",
        "What sidecars cost, what they lose, and what they cannot see.",
        place("sidelight_build_info", CHOOSE_POD), [
            row("Now",
                stat("Sidecars", "Sidecars that report.", "short",
                     f"count({now('sidelight_build_info', POD)})"),
                stat("Not counted", "Requests that were seen and are in no metric.", "reqps",
                     total("", f"({rate('sidelight_requests_lost_total', POD)}) or ("
                           + rate("sidelight_events_lost_total", f'{POD},reason="request"') + ")"),
                     steps=ANY_IS_BAD),
                stat("Sockets not seen", "Sockets whose traffic passes no hook.", "short",
                     total("", unseen), steps=ANY_IS_BAD),
                stat("CPU", "Of all sidecars together.", "none",
                     total("", rate("sidelight_cpu_seconds_total", POD))),
                stat("Memory", "Of all sidecars together, resident.", "bytes",
                     total("", now("sidelight_resident_memory_bytes", POD))),
                stat("Failed pushes", "Pushes that the gateway did not take.", "cps",
                     total("", rate("sidelight_pushes_total", f'{POD},result!="ok"')),
                     steps=ANY_IS_BAD)),
            row("What is lost",
                graph("Events lost", "Records that the kernel could not hand over, by reason.",
                      "cps", reasons("sidelight_events_lost_total")),
                graph("Requests lost", "Requests that were seen and are in no other metric, by "
                      "reason.", "reqps", reasons("sidelight_requests_lost_total")),
                graph("Records refused", "Records that user space could not use, by reason.",
                      "cps", reasons("sidelight_events_refused_total")),
                graph("Parse failures", "Messages that could not be understood, by reason.", "cps",
                      reasons("sidelight_parse_failures_total")),
                graph("Responses without a request", "Their request was not seen.", "cps",
                      pods("sidelight_responses_unpaired_total")),
                graph("Bytes that never came", "Payload that was waited for in vain.", "Bps",
                      pods("sidelight_lost_bytes_total"))),
            row("What is not seen",
                graph("Unseen sockets", "Sockets whose traffic passes no hook, by reason.", "short",
                      target(unseen, f"{{{{reason}}}} {POD_LEGEND}")),
                graph("No requests so far", "1: the sidecar has seen no HTTP request, for this "
                      "reason.", "short",
                      target(none_so_far, f"{{{{reason}}}} {POD_LEGEND}")),
                graph("Watched cgroups", "0: nothing is watched.", "short",
                      level("sidelight_watched_cgroups"))),
            row("What it costs",
                graph("CPU by Pod", "Of each sidecar, in cores.", "none",
                      pods("sidelight_cpu_seconds_total")),
                graph("Memory by Pod", "Resident, and what is charged to the sidecar's memory "
                      "cgroup with the kernel's part.", "bytes",
                      level("sidelight_resident_memory_bytes", "resident"),
                      level("sidelight_cgroup_memory_bytes", "cgroup")),
                graph("Memory budget", "Share of --memory that connections take.", "percentunit",
                      target(f"max by ({BY_POD}) ({now('sidelight_memory_used_bytes', POD)}) / "
                             f"max by ({BY_POD}) ({now('sidelight_memory_budget_bytes', POD)})",
                             POD_LEGEND), most=1),
                graph("Captured", "Payload that is copied out of the kernel.", "Bps",
                      pods("sidelight_captured_bytes_total")),
                graph("Events", "Segments that are looked at, and records that are sent.", "cps",
                      pods("sidelight_segments_total", "segments"),
                      pods("sidelight_events_captured_total", "records")),
                graph("Refused for memory", "Connections given up, and allocations refused.",
                      "cps", pods("sidelight_memory_evicted_connections_total", "given up"),
                      pods("sidelight_memory_refused_total", "refused"))),
            row("Labels",
                graph("Series", "Of all metrics; --series-cap bounds them.", "short",
                      level("sidelight_series")),
                graph("Labels that became _OTHER", "What the caps on series, routes, statuses and "
                      "addresses turned into _OTHER.", "cps",
                      *[pods(f"sidelight_{what}_overflowed_total", what)
                        for what in ("series", "routes", "statuses", "addresses")]),
                graph("Header fields not known", "HTTP/2 connections that are older than the "
                      "sidecar, and resynchronisations.", "cps",
                      pods("sidelight_http2_unknown_fields_total", "fields"),
                      pods("sidelight_http2_resyncs_total", "resynchronisations"))),
            row("Export",
                graph("Pushes", "To the Pushgateway, by result.", "cps",
                      target(by("result", "sidelight_pushes_total"), "{{result}}"), stacked=True),
                graph("Age of what is shown", "Time since the values were collected; it grows "
                      "when a sidecar is gone and its Pushgateway group is not.", "s",
                      target(age(now("sidelight_collected_timestamp_seconds", POD)), POD_LEGEND)),
                graph("Duration of a push", "How long the last push took.", "s",
                      level("sidelight_push_last_duration_seconds")),
                graph("Scrapes", "Pages made, and connections ended to bound what they cost.",
                      "cps", pods("sidelight_scrape_pages_total", "pages"),
                      pods("sidelight_scrape_connections_evicted_total", "ended")),
                graph("Recorder", "Requests recorded, and those that it has no more.", "cps",
                      pods("sidelight_recorder_requests_total", "recorded"),
                      pods("sidelight_recorder_overwritten_total", "overwritten")),
                graph("Control socket", "Lines that readers were given, and lines that were "
                      "gone.", "cps", pods("sidelight_control_lines_total", "lines"),
                      pods("sidelight_control_lines_lost_total", "lost")),
                table("Versions", "How many sidecars run each version.",
                      {"version": Column("Version"), "revision": Column("Revision")},
                      [Column("Sidecars", "count by (version, revision) "
                              f"({now('sidelight_build_info', POD)})")])),
        ])


ALL = {"team": team, "red": red, "grpc": grpc, "tcp": tcp, "health": health,
       "on-demand": on_demand}
