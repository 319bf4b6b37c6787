# SPDX-License-Identifier: Apache-2.0
"""What several dashboards have: labels, variables that choose where, and graphs of durations."""
from grafana import SECONDS, SLOWER, graph, target, variable
from promql import MADE, SERVED
from queries import duration, top

HTTP, ROUTE = SERVED["http"]
GRPC, METHOD = SERVED["grpc"]
HTTP_CLIENT, PEER = MADE["http"]
GRPC_CLIENT, _ = MADE["grpc"]
PEER_LEGEND = "{{server_address}}:{{server_port}}"

WORKLOAD = 'namespace=~"$namespace",workload=~"$workload"'
POD = f'{WORKLOAD},pod=~"$pod"'
CONTAINER = f'{POD},container=~"$container"'
ROUTES = f'{CONTAINER},http_route=~"$route"'
METHODS = f'{CONTAINER},rpc_method=~"$method"'
POD_LEGEND = "{{namespace}}/{{pod}}{{target}}"
BY_POD = "namespace, pod, target"


def durations(by, histogram, labels, legend):
    return [target(duration(q, by, histogram, labels), f"{legend} {name}".strip(), exemplar=True)
            for q, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))]


def latencies(title, description, *targets):
    """A graph of durations, from whose points there is a way to traces."""
    return graph(title, description, "s", *targets, steps=SECONDS, links=[SLOWER])


def p99(by, histogram, labels, legend, highest=None):
    expr = duration(0.99, by, histogram, labels)
    return target(top(highest, expr) if highest else expr, legend, exemplar=True)


def place(metrics, *more):
    """Variables that choose where: (name, label, and what is chosen already)."""
    return [
        variable("namespace", metrics, "namespace"),
        variable("workload", metrics, "workload", 'namespace=~"$namespace"'),
        *(variable(name, metrics, label, chosen) for name, label, chosen in more),
    ]


CHOOSE_POD = ("pod", "pod", WORKLOAD)
CHOOSE_CONTAINER = ("container", "container", POD)
