# SPDX-License-Identifier: Apache-2.0
"""
PromQL that dashboards and rules share.

A Prometheus that reads the Pushgateway and scrapes the Pods as well has each series of a Pod with
`sidelight.dev/export: both` twice; the scraped copy has the label export="scrape". Every query
takes the pushed copy of a container's series if there is one, else the scraped copy.
"""
SAME_CONTAINER = "job, namespace, pod, target, container"

# What the rates of a route, method or peer are grouped by.
SERVED = {
    "http": ("http_server_request_duration_seconds", "http_route"),
    "grpc": ("rpc_server_call_duration_seconds", "rpc_method"),
}
MADE = {
    "http": ("http_client_request_duration_seconds", "server_address, server_port"),
    "grpc": ("rpc_client_call_duration_seconds", "server_address, server_port"),
}
ERROR = 'error_type!=""'


def one_copy(form, metric, labels=""):
    """`form`, such as "rate(%s[5m])", of a metric, each series once."""
    pushed = ",".join(filter(None, (labels, 'export!="scrape"')))
    scraped = ",".join(filter(None, (labels, 'export="scrape"')))
    return (f"{form % f'{metric}{{{pushed}}}'} or on ({SAME_CONTAINER}) "
            f"{form % f'{metric}{{{scraped}}}'}")


def total(by, inner):
    """The sum by these labels; over everything if there are none."""
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def share(part, whole):
    """
    part / whole, both sums by the same labels. What has no `part` has 0, and so has what is idle:
    a quotient 0 / 0 would be a gap in a graph.
    """
    return f"({part} or 0 * {whole}) / clamp_min({whole}, 1e-9)"


def quantile(q, by, buckets):
    return f"histogram_quantile({q}, {total(f'le, {by}' if by else 'le', buckets)})"
