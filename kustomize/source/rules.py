# SPDX-License-Identifier: Apache-2.0
"""
Recording rules (rate, errors, duration of a workload, its routes and its peers), the alerts on
them and on sidelight itself, and the YAML of both forms: a file for Prometheus, and an object for
the Prometheus operator.

Each alert has a chapter in kustomize/rules/README.md, where `runbook` leads.
"""
from promql import ERROR, MADE, SERVED, one_copy, quantile, share, total

WORKLOAD = "namespace, workload, job"
POD = "namespace, workload, job, pod, target"
RUNBOOKS = "kustomize/rules/README.md"

# What a user may want to change: the share of requests that may fail, and the p99 to keep.
ERROR_BUDGET = 0.001
LATENCY_SECONDS = 1

# Windows of the error budget: how much faster than allowed it is used up, over the long window and
# still over the short one. 14.4 uses up 2 % of a month's budget in an hour, 6 uses up 5 % in six
# hours, 3 and 1 use up 10 % in a day and in three.
FAST = [("1h", "5m", 14.4), ("6h", "30m", 6)]
SLOW = [("1d", "2h", 3), ("3d", "6h", 1)]

WHO = "{{ $labels.namespace }}/{{ or $labels.workload $labels.job }}"
WHICH = "{{ $labels.namespace }}/{{ or $labels.pod $labels.target $labels.job }}"


def record(name, expr, **labels):
    return {"record": name, "expr": expr, "labels": labels}


def red(level, side, protocol, histogram, by, with_quantiles=(0.5, 0.99)):
    """The rules of one level: `level`:`side`_requests:rate5m and so on."""
    def rate(suffix, labels=""):
        return one_copy("rate(%s[5m])", f"{histogram}_{suffix}", labels)

    requests = total(by, rate("count"))
    return [
        record(f"{level}:{side}_requests:rate5m", requests, protocol=protocol),
        record(f"{level}:{side}_errors:rate5m",
               f"{total(by, rate('count', ERROR))} or 0 * {requests}", protocol=protocol),
        *[record(f"{level}:{side}_duration_seconds:p{round(q * 100)}_rate5m",
                 quantile(q, by, rate("bucket")), protocol=protocol) for q in with_quantiles],
    ]


def ratio(level, side):
    return record(f"{level}:{side}_error_ratio:rate5m",
                  f"{level}:{side}_errors:rate5m "
                  f"/ clamp_min({level}:{side}_requests:rate5m, 1e-9)")


def recording():
    rules = []
    for protocol, (histogram, route) in SERVED.items():
        rules += red("workload", "server", protocol, histogram, WORKLOAD)
        rules += red("route", "server", protocol, histogram, f"{WORKLOAD}, {route}")
    for protocol, (histogram, peer) in MADE.items():
        rules += red("peer", "client", protocol, histogram, f"{WORKLOAD}, {peer}")
    return [*rules, ratio("workload", "server"), ratio("route", "server"), ratio("peer", "client")]


def budget():
    windows = {window: None for long, short, _ in FAST + SLOW for window in (long, short)}
    errors, requests = "workload:server_errors:rate5m", "workload:server_requests:rate5m"
    return [
        record("sidelight:error_budget:ratio", f"vector({ERROR_BUDGET})"),
        record("sidelight:latency_objective:seconds", f"vector({LATENCY_SECONDS})"),
        *[record(f"workload:server_error_ratio:rate{window}",
                 f"sum_over_time({errors}[{window}]) "
                 f"/ clamp_min(sum_over_time({requests}[{window}]), 1e-9)")
          for window in windows if window != "5m"],
        record("workload:sidecars:count",
               f"count by ({WORKLOAD}) ({one_copy('%s', 'sidelight_build_info')})"),
    ]


def burns(windows):
    """The budget is used up too fast over one of the pairs of windows."""
    def above(window, factor):
        return (f"workload:server_error_ratio:rate{window} "
                f"> {factor} * scalar(sidelight:error_budget:ratio)")

    return "\nor\n".join(f"({above(long, factor)}\n and {above(short, factor)})"
                         for long, short, factor in windows)


def alert(name, lasts, severity, summary, description, expr, board="health"):
    place = "var-namespace={{ $labels.namespace }}&var-workload={{ $labels.workload }}"
    return {
        "alert": name, "expr": expr, "for": lasts, "labels": {"severity": severity},
        "annotations": {
            "summary": summary, "description": description,
            "dashboard": f"/d/sidelight-{board}?{place}",
            "runbook": f"{RUNBOOKS}#{name.lower()}",
        },
    }


def workload_alerts():
    share_of = "{{ $value | humanizePercentage }} of its {{ $labels.protocol }} requests fail"
    return [
        alert("SidelightErrorBudgetBurnsFast", "2m", "critical",
              f"{WHO} uses up its error budget within hours",
              f"{share_of}, measured over an hour or six, and still now.", burns(FAST), "red"),
        alert("SidelightErrorBudgetBurnsSlowly", "15m", "warning",
              f"{WHO} uses up its error budget before it is renewed",
              f"{share_of}, measured over one or three days, and still now.", burns(SLOW), "red"),
        alert("SidelightLatencyHigh", "10m", "warning", f"{WHO} answers slowly",
              "p99 of its {{ $labels.protocol }} requests is {{ $value | humanizeDuration }}.",
              "workload:server_duration_seconds:p99_rate5m "
              "> scalar(sidelight:latency_objective:seconds)\n"
              "and workload:server_requests:rate5m > 0.1", "red"),
        alert("SidelightNoData", "10m", "warning", f"no sidecar of {WHO} reports any more",
              "{{ $value }} reported an hour ago.",
              "workload:sidecars:count offset 1h unless workload:sidecars:count", "team"),
    ]


def sidecar_alerts():
    lost = 'sidelight_events_lost_total{reason!~"close|mute"}'
    tls = share(total(WORKLOAD, "rate(sidelight_tls_connections_dark_total[15m])"),
                total(WORKLOAD, "rate(sidelight_connections_total[15m])"))
    return [
        alert("SidelightSeesNoRequests", "15m", "info", f"{WHICH} sees no requests",
              "No HTTP request was seen so far: {{ $labels.reason }}.",
              f"max by ({POD}, reason) (sidelight_no_requests) == 1"),
        alert("SidelightLosesEvents", "10m", "warning", f"{WHICH} does not count everything",
              "{{ $value | humanize }} requests or records of the kernel are lost per second.",
              f"sum by ({POD}) (rate(sidelight_requests_lost_total[5m]) or "
              f"rate({lost}[5m])) > 0"),
        alert("SidelightUnseenSockets", "15m", "warning",
              f"{WHICH} has sockets that sidelight does not see",
              "{{ $value }} sockets: {{ $labels.reason }}.",
              f"max by ({POD}, reason) (sidelight_unseen_sockets) > 0"),
        alert("SidelightDarkTls", "15m", "info", f"most traffic of {WHO} is encrypted",
              "{{ $value | humanizePercentage }} of its connections are TLS that is not "
              "decrypted; their requests are in no metric.", f"{tls} > 0.5", "tcp"),
        alert("SidelightPushStale", "5m", "warning", f"{WHICH} does not push any more",
              "Its group in the Pushgateway is {{ $value | humanizeDuration }} old.",
              "(time() - push_time_seconds > 300)\n"
              "and on (job, namespace, pod, instance, target) "
              'sidelight_build_info{export!="scrape"}'),
        alert("SidelightWebhookCertificateEnds", "1h", "warning",
              "the certificate of sidelight's webhook ends soon",
              "In {{ $value | humanizeDuration }}; then Pods are created without sidelight.",
              "min(sidelight_webhook_certificate_expiry_timestamp_seconds) - time() < 14 * 86400"),
    ]


GROUPS = [("sidelight-red", recording), ("sidelight-budget", budget),
          ("sidelight-workloads", workload_alerts), ("sidelight-sidecars", sidecar_alerts)]

PLAIN_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Made by kustomize/generate from kustomize/source/rules.py.
"""
OPERATOR_HEAD = PLAIN_HEAD + """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sidelight
  labels:
    app.kubernetes.io/name: sidelight
    app.kubernetes.io/part-of: sidelight
spec:
"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def _rule(rule):
    kind = "alert" if "alert" in rule else "record"
    yield f"  - {kind}: {rule[kind]}"
    yield "    expr: |-"
    lines = rule["expr"].replace(" or on (", "\nor on (").split("\n")
    yield from (f"      {line}" for line in lines)
    if "for" in rule:
        yield f"    for: {rule['for']}"
    for part in ("labels", "annotations"):
        if rule.get(part):
            yield f"    {part}:"
            yield from (f"      {name}: {quoted(value)}" for name, value in rule[part].items())


def _lines():
    yield "groups:"
    for name, rules in GROUPS:
        yield f"- name: {name}"
        yield "  interval: 30s"
        yield "  rules:"
        for rule in rules():
            yield from _rule(rule)


def plain():
    return PLAIN_HEAD + "".join(f"{line}\n" for line in _lines())


def operator():
    return OPERATOR_HEAD + "".join(f"  {line}\n" for line in _lines())
