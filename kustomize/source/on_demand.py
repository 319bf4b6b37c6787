# SPDX-License-Identifier: Apache-2.0
"""The dashboard of what a Pod shows while somebody wants it: processes, system calls, readers."""
from grafana import ANY_IS_BAD, ERROR_SHARE, SECONDS, TRACES, dashboard, graph, row, stat, target
from parts import (BY_POD, CHOOSE_CONTAINER, CHOOSE_POD, CONTAINER, HTTP, POD, POD_LEGEND,
                   latencies, p99, place)
from promql import quantile, total
from queries import errors, now, rate, requests, top

PROCESSES = f'{CONTAINER},process_name!=""'
PROCESS = "process_name, process_pid"
PROCESS_LEGEND = "{{process_name}} {{process_pid}}"
CALLS = "sidelight_syscall_duration_seconds"


def on_demand():
    def by_call(metric):
        return target(total("syscall", rate(metric, CONTAINER)), "{{syscall}}")

    def by_pod(form, metric, what=""):
        return target(total(BY_POD, form(metric, POD)), f"{what} {POD_LEGEND}".strip())

    return dashboard(
        "on-demand", "on demand",
        "What a Pod shows while somebody wants it: requests by process (--by process), system "
        "calls (annotation sidelight.dev/syscalls), and who looks.",
        [*place("sidelight_build_info", CHOOSE_POD, CHOOSE_CONTAINER), TRACES], [
            row("Now",
                stat("System calls counted", "Sidecars that count them now; all system calls of "
                     "their nodes pass a filter meanwhile.", "short",
                     total("", now("sidelight_syscalls_counted", POD)), width=6),
                stat("Calls not counted", "Of 32-bit programs, or without room.", "cps",
                     total("", rate("sidelight_syscalls_lost_total", POD)), steps=ANY_IS_BAD,
                     width=6),
                stat("Readers", "Clients that follow requests: trace, top, ui, export.", "short",
                     total("", now("sidelight_control_readers", POD)), width=6),
                stat("Lines lost", "That readers were too slow for, and were told of.", "cps",
                     total("", rate("sidelight_control_lines_lost_total", POD)),
                     steps=ANY_IS_BAD, width=6)),
            row("Processes (--by process)",
                graph("Requests by process", "Whose process wrote the response.", "reqps",
                      target(requests(PROCESS, HTTP, PROCESSES), PROCESS_LEGEND)),
                graph("Errors by process", "Share of requests with 5xx or without a complete "
                      "response.", "percentunit",
                      target(errors(PROCESS, HTTP, PROCESSES), PROCESS_LEGEND),
                      steps=ERROR_SHARE),
                latencies("p99 by process", "99 of 100 requests are answered within this time.",
                          p99(PROCESS, HTTP, PROCESSES, PROCESS_LEGEND))),
            row("System calls (sidelight.dev/syscalls)",
                graph("Calls", "Network system calls that have returned.", "cps",
                      by_call(f"{CALLS}_count")),
                graph("Duration of calls", "p99 from entry to return, the ten highest; waits "
                      "for events are among them.", "s",
                      target(top(10, quantile(0.99, "syscall", rate(f"{CALLS}_bucket",
                                                                    CONTAINER))),
                             "{{syscall}}"), steps=SECONDS),
                graph("Blocked", "Threads that sleep in a call, on average.", "short",
                      by_call("sidelight_syscall_blocked_seconds_total")),
                graph("Bytes", "That calls have moved.", "Bps",
                      by_call("sidelight_syscall_bytes_total")),
                graph("Errors of calls", "By errno; EAGAIN is how programs that do not wait find "
                      "that there is nothing to do.", "cps",
                      target(total("syscall, errno", rate("sidelight_syscall_errors_total",
                                                          CONTAINER)), "{{syscall}} {{errno}}")),
                graph("Cost to the node", "What the filter adds to a system call of anybody, as "
                      "measured at its start.", "s",
                      target(f"max by ({BY_POD}, calls) ("
                             f"{now('sidelight_syscall_filter_seconds', POD)})",
                             f"{{{{calls}}}} {POD_LEGEND}"))),
            row("Who looks",
                graph("Readers by Pod", "Clients that follow requests.", "short",
                      by_pod(now, "sidelight_control_readers")),
                graph("Lines", "That readers were given, and that were gone.", "cps",
                      by_pod(rate, "sidelight_control_lines_total", "given"),
                      by_pod(rate, "sidelight_control_lines_lost_total", "lost")),
                graph("Header fields", "Memory of those that are kept while somebody wants them.",
                      "bytes", by_pod(now, "sidelight_recorder_headers_bytes"))),
        ])
