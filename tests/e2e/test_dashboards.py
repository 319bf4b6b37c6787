#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Each panel of kustomize/dashboards, asked of a real Prometheus that scrapes a
real Pushgateway that a real sidelight pushes to: HTTP and gRPC traffic of
which every rate, share and duration is known.
"""
import json
import math
import re
import time
import urllib.parse

import clients
import harness
import peers
import servers
from gateway import Prometheus, Pushgateway
from observer import Sidelight, http_get
from peers import Call

BOARDS = harness.ROOT / "kustomize" / "dashboards"
CHOSEN = {"namespace": "prod", "job": "shop"}
# Somebody else's, of which these show nothing.
OTHERS = "".join(
    f"# TYPE {name} histogram\n"
    f'{name}_bucket{{{label}="alien",le="+Inf"}} 1\n'
    f'{name}_sum{{{label}="alien"}} 1\n{name}_count{{{label}="alien"}} 1\n'
    for name, label in (
        ("http_server_request_duration_seconds", "http_route"),
        ("rpc_server_call_duration_seconds", "rpc_method"),
    )
).encode()

# What happens, again and again.
REQUESTS = [("GET", "/hello")] * 6 + [("GET", "/users/17")] * 3 + [("GET", "/gateway")] * 3
SLEEP_MS = 120  # of all Slow, and of two Fast in eight
CALLS = (
    [Call("Fast", 0)] * 4
    + [Call("Fast", peers.STATUS.index("INTERNAL"))] * 2
    + [Call("Fast", peers.STATUS.index("NOT_FOUND"), SLEEP_MS)] * 2
    + [Call("Slow", 0, SLEEP_MS)] * 4
)
FAST, SLOW = peers.SERVICE + "Fast", peers.SERVICE + "Slow"
COUNTED = {
    "http_server_request_duration_seconds_count": len(REQUESTS),
    "rpc_server_call_duration_seconds_count": len(CALLS),
    "rpc_client_call_duration_seconds_count": len(CALLS),
}


class Board:
    """Grafana's part: the variables of a dashboard, filled in, and the rows of its panels."""

    def __init__(self, case, name, prometheus):
        self.case = case
        self.board = json.loads((BOARDS / name).read_text())
        self.prometheus = prometheus
        self.values = {}
        for variable in self.board["templating"]["list"]:
            if variable["type"] == "query":
                found = self.choices(variable["query"])
                case.assertIn(CHOSEN[variable["name"]], found)
                self.values[variable["name"]] = CHOSEN[variable["name"]]
        case.assertEqual(self.values, CHOSEN)

    def choices(self, query):
        """label_values(SELECTOR, LABEL), which is Grafana's word and not Prometheus'."""
        selector, label = re.fullmatch(r"label_values\((.*), *(\w+)\)", query).groups()
        words = urllib.parse.urlencode({"match[]": self.filled(selector)})
        status, text = http_get(self.prometheus.port, f"/api/v1/label/{label}/values?{words}")
        self.case.assertEqual(status, 200, text)
        return json.loads(text)["data"]

    def filled(self, text):
        for name, value in self.values.items():
            text = text.replace(f"${name}", value)
        return text

    def panels(self, at=None, change=lambda query: query):
        """{title: {legend: value}}, now or at a Unix time."""
        return {panel["title"]: self.rows(panel, at, change) for panel in self.board["panels"]}

    def rows(self, panel, at, change):
        found = {}
        for target in panel["targets"]:
            rows = self.prometheus.query(change(self.filled(target["expr"])), at)
            self.case.assertTrue(rows, f"{panel['title']}: nothing for {target['expr']}")
            for labels, value in rows:
                self.case.assertTrue(math.isfinite(value), (panel["title"], labels, value))
                legend = re.sub(r"{{(\w+)}}", lambda m: labels[m.group(1)], target["legendFormat"])
                self.case.assertNotIn(legend, found, panel["title"])
                found[legend] = value
        return found


class Dashboards(harness.Case):
    def setUp(self):
        super().setUp()
        self.gateway = Pushgateway(self)
        self.gateway.send("PUT", "/metrics/job/other/namespace/prod", OTHERS)
        self.gateway.send("PUT", "/metrics/job/shop/namespace/elsewhere", OTHERS)
        self.calls = peers.Echo(self, language=peers.PYTHON)
        self.web = servers.PythonHttp(self, cgroup=self.calls.cgroup)
        self.sidelight = Sidelight(
            self, f"--push={self.gateway.url}", "--push-interval=1", "--pod=web-1",
            *(f"--{name}={value}" for name, value in CHOSEN.items()), cgroup=self.calls.cgroup,
        )
        self.client = peers.Client(
            self, peers.PYTHON, self.calls.port, cgroup=self.calls.cgroup
        )
        # All series begin in the same scrape: then shares of rates are those of what happened.
        self.traffic(1)
        self.wait_for_all(lambda name: self.gateway.metrics().sum(name, **CHOSEN), 1)

    def scrape(self, *ports):
        self.prometheus = Prometheus(self, *ports, honors_labels=True)
        self.ways = len(ports)
        self.wait_for_all(self.stored, self.ways)
        self.traffic(5)
        self.wait_for_all(self.stored, 6 * self.ways)

    def traffic(self, times):
        clients.send_plan(self.web.port, REQUESTS * times)
        self.client.run(CALLS * times)

    def wait_for_all(self, count, times):
        wanted = {name: each * times for name, each in COUNTED.items()}
        found = {}

        def event():
            found.update({name: count(name) for name in wanted})
            return found == wanted

        try:
            harness.wait_for(f"{times} rounds of traffic", event, 20, pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}, wanted {wanted}") from None

    def stored(self, name):
        rows = self.prometheus.query(f"sum({name}{{namespace='prod',job='shop'}})")
        return sum(value for _, value in rows)

    def assert_parts(self, rates, wanted):
        """Of rates the ratios, which do not depend on when Prometheus looked."""
        total = sum(rates.values())
        self.assertGreater(total, 0)
        self.assertEqual(set(rates), set(wanted))
        for legend, count in wanted.items():
            self.assertAlmostEqual(rates[legend] / total, count / sum(wanted.values()), 6, legend)

    def assert_shares(self, shares, wanted):
        self.assertEqual({legend: round(v, 6) for legend, v in shares.items()}, wanted)

    def check_calls(self, panels, prefix, errors):
        fast, slow = prefix + FAST, prefix + SLOW
        rates, shares, durations, statuses = panels
        self.assert_parts(rates, {fast: 8, slow: 4})
        self.assert_shares(shares, {f"{fast} {status}": 0.25 for status in errors})
        self.assert_parts(statuses, {"OK": 8, "INTERNAL": 2, "NOT_FOUND": 2})
        self.assertEqual(set(durations), {f"{m} {q}" for m in (fast, slow) for q in ("p50", "p99")})
        # Interpolated between bounds, of which one is 100 ms.
        for legend, value in durations.items():
            self.assertEqual(value > 0.1, legend != f"{fast} p50", (legend, value))

    def check_board_of_calls(self):
        panels = Board(self, "grpc.json", self.prometheus).panels()
        served, made = list(panels.items())[:4], list(panels.items())[4:]
        self.assertTrue(all(title.startswith("Calls to others") for title, _ in made))
        # NOT_FOUND is no fault of the server's, and an error to who has asked.
        self.check_calls([rows for _, rows in served], "", ["INTERNAL"])
        self.check_calls([rows for _, rows in made], "127.0.0.1 ", ["INTERNAL", "NOT_FOUND"])

    def check_board_of_requests(self):
        panels = Board(self, "red.json", self.prometheus).panels()
        self.assert_parts(panels["Requests per second by route"],
                          {"GET /hello": 6, "GET /users/{id}": 3, "GET /gateway": 3})
        self.assert_shares(panels["Share of errors by route"], {"/gateway": 1})
        self.assert_parts(panels["Statuses"], {"200": 9, "502": 3})
        durations = panels["Duration"]
        self.assertEqual(list(durations), ["p50", "p90", "p99"])
        self.assertTrue(0 < durations["p50"] <= durations["p90"] <= durations["p99"] < 1)
        self.assertEqual(len(panels), 4)

    def boards_at(self, at, *change):
        return [Board(self, p.name, self.prometheus).panels(at, *change)
                for p in sorted(BOARDS.glob("*.json"))]

    def test_both_ways_count_once(self):
        """Gateway and Pods are scraped, as by both PodMonitors."""
        self.scrape(self.gateway.port, self.sidelight.port)
        now = time.time()
        rates = "sum(rate(http_server_request_duration_seconds_count{job='shop'%s}[1m]))"
        one, = self.prometheus.query(rates % ",export=''", now)
        other, = self.prometheus.query(rates % ",export='scrape'", now)
        both, = self.prometheus.query(rates % "", now)
        self.assertAlmostEqual(both[1], one[1] + other[1])
        self.assertGreater(min(one[1], other[1]), 0)
        shown = self.boards_at(now)
        pushed = self.boards_at(now, lambda q: q.replace('export="scrape"', 'export="none"'))
        self.assertEqual(shown, pushed)

    def test_what_is_only_scraped_is_shown(self):
        """Of who pushes as well, to a gateway that nobody reads."""
        self.scrape(self.sidelight.port)
        with self.subTest("grpc.json"):
            self.check_board_of_calls()
        with self.subTest("red.json"):
            self.check_board_of_requests()

    def test_every_board(self):
        self.scrape(self.gateway.port)
        self.assertEqual({p.name for p in BOARDS.glob("*.json")}, {"grpc.json", "red.json"})
        with self.subTest("grpc.json"):
            self.check_board_of_calls()
        with self.subTest("red.json"):
            self.check_board_of_requests()


if __name__ == "__main__":
    harness.main()
