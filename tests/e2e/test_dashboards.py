#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Each panel of kustomize/dashboards and each rule of kustomize/rules, asked of a real Prometheus that
scrapes a real sidelight, or a real Pushgateway that it pushes to: HTTP and gRPC traffic of which
every rate, share and duration is known.
"""
import json
import math
import re
import time
import urllib.parse

import yaml

import harness
import peers
from boards import CALLS, NAMES, RULES, Board, Shop, legend, load, panels_of
from gateway import Prometheus, Pushgateway

# Somebody else's, of which a dashboard shows nothing when shop is chosen.
OTHERS = "".join(
    f"# TYPE {name} histogram\n"
    f'{name}_bucket{{{label}="alien",workload="other",le="+Inf"}} 1\n'
    f'{name}_sum{{{label}="alien",workload="other"}} 1\n'
    f'{name}_count{{{label}="alien",workload="other"}} 1\n'
    for name, label in (
        ("http_server_request_duration_seconds", "http_route"),
        ("rpc_server_call_duration_seconds", "rpc_method"),
    )
).encode()
FAST, SLOW = peers.SERVICE + "Fast", peers.SERVICE + "Slow"
ON_DEMAND = ("--by=process", "--syscalls=on")
STANDING = [name for name in NAMES if name != "on-demand"]
UNITS = {"reqps", "percentunit", "s", "short", "cps", "Bps", "pps", "bytes", "none"}


class Form(harness.Case):
    """What Grafana needs to import them."""

    def test_they_are_what_is_generated(self):
        done = harness.run([harness.ROOT / "kustomize" / "generate", "--check"], check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_has_what_grafana_needs(self):
        uids = set()
        for name in NAMES:
            board = load(name)
            uids.add(board["uid"])
            self.assertEqual(board["uid"], f"sidelight-{name}")
            self.assertGreaterEqual(board["schemaVersion"], 39)
            self.assertNotIn("id", board)
            self.assertEqual(board["links"][0]["tags"], board["tags"])
            names = [v["name"] for v in board["templating"]["list"]]
            self.assertEqual(names[:3], ["datasource", "namespace", "workload"])
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            titles = [panel["title"] for panel in panels_of(board)]
            self.assertEqual(len(titles), len(set(titles)), name)
            self.fields_do_not_overlap(board)
        self.assertEqual(len(uids), 6)

    def fields_do_not_overlap(self, board):
        taken = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells

    def test_each_panel_says_what_it_shows(self):
        for panel in (panel for name in NAMES for panel in panels_of(load(name))):
            with self.subTest(panel["title"]):
                self.assertGreater(len(panel["description"]), 10)
                defaults = panel["fieldConfig"]["defaults"]
                if panel["type"] in ("timeseries", "stat"):
                    self.assertIn(defaults["unit"], UNITS)
                    self.assertIn("thresholds", defaults)
                refs = [target["refId"] for target in panel["targets"]]
                self.assertEqual(len(refs), len(set(refs)))
                for target in panel["targets"]:
                    if panel["type"] == "timeseries":
                        self.assertTrue(target["legendFormat"])
                    self.check_query(target["expr"])

    def test_durations_lead_to_traces(self):
        """By exemplars; and from a point of a graph, to the traces that took longer."""
        for name in NAMES:
            for panel in panels_of(load(name)):
                shown = panel["type"] in ("timeseries", "heatmap")
                has = [shown and bool(re.search("_(request|call)_duration_seconds_bucket", t["expr"]))
                       for t in panel["targets"]]
                with self.subTest(panel["title"]):
                    self.assertEqual([t.get("exemplar", False) for t in panel["targets"]], has)
                    if panel["type"] == "timeseries" and any(has):
                        self.check_link(load(name), *panel["fieldConfig"]["defaults"]["links"])

    def check_link(self, board, link):
        path, _, query = link["url"].partition("?")
        self.assertEqual(path, "/explore")
        panes = json.loads(dict(urllib.parse.parse_qsl(query))["panes"])
        query, = panes["traces"]["queries"]
        self.assertEqual(query["query"], "{duration>${__value.raw}s}")
        variables = {v["name"]: v for v in board["templating"]["list"]}
        self.assertEqual(panes["traces"]["datasource"], "${traces}")
        self.assertEqual(variables["traces"]["query"], query["datasource"]["type"])

    def check_query(self, expr):
        windows = set(re.findall(r"\[([^\]]*)\]", expr))
        self.assertLessEqual(windows, {"$__rate_interval"}, "no window of a fixed length")
        self.assertIn('namespace=~"$namespace",workload=~"$workload"', expr)
        self.assertNotIn("job=~", expr)


class Dashboards(harness.Case):
    def setUp(self):
        super().setUp()
        self.gateway = Pushgateway(self)
        self.gateway.send("PUT", "/metrics/job/other/namespace/prod", OTHERS)
        self.gateway.send("PUT", "/metrics/job/shop/namespace/elsewhere", OTHERS)
        self.shop = Shop(self, f"--push={self.gateway.url}", "--push-interval=1", *self.options())
        # All series begin in the same scrape: then shares of rates are those of what happened.
        self.shop.traffic(1)
        self.wait_for_all(lambda name: self.gateway.metrics().sum(name, **Shop.PLACE), 1)

    def options(self):
        """By process each curl has series of its own, which begin when it runs."""
        return ON_DEMAND if self._testMethodName == "test_on_demand" else ()

    def scrape(self, *ports, **more):
        self.prometheus = Prometheus(self, *ports, honors_labels=True, **more)
        self.wait_for_all(self.stored, len(ports))
        self.shop.traffic(5)
        self.wait_for_all(self.stored, 6 * len(ports))

    def wait_for_all(self, count, times):
        wanted = {name: each * times for name, each in Shop.COUNTED.items()}
        found = {}

        def event():
            found.update({name: count(name) for name in wanted})
            return found == wanted

        try:
            harness.wait_for(f"{times} rounds of traffic", event, 20, pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}, wanted {wanted}") from None

    def stored(self, name):
        rows = self.prometheus.query(f"sum({name}{{namespace='prod',workload='shop'}})")
        return sum(value for _, value in rows)

    def shown(self, name, at=None, change=lambda query: query):
        """{title: {legend: value}} of a dashboard, now or at a Unix time; no panel is empty."""
        board = Board(name, self.prometheus, Shop.PLACE)
        for variable, value in Shop.PLACE.items():
            if variable in board.offered:
                self.assertIn(value, board.offered[variable])
        return {panel["title"]: self.rows(board, panel, at, change) for panel in board.panels()}

    def rows(self, board, panel, at, change):
        found = {}
        for target in panel["targets"]:
            rows = self.prometheus.query(change(board.filled(target["expr"])), at)
            with self.subTest(panel["title"]):
                self.assertTrue(rows, f"nothing for {target['expr']}")
            for labels, value in rows:
                name = legend(target, labels)
                if panel["type"] == "table":
                    name = target["refId"]
                self.assertTrue(math.isfinite(value), (panel["title"], labels, value))
                self.assertNotIn(name, found, panel["title"])
                found[name] = value
        return found

    def assert_parts(self, rates, wanted):
        """
        Of rates the ratios, which do not depend on when Prometheus looked. Those of foreseen errors
        that did not come are 0.
        """
        rates = {name: rate for name, rate in rates.items() if rate}
        total = sum(rates.values())
        self.assertGreater(total, 0)
        self.assertEqual(set(rates), set(wanted))
        for name, count in wanted.items():
            self.assertAlmostEqual(rates[name] / total, count / sum(wanted.values()), 6, name)

    def assert_shares(self, shares, wanted):
        self.assertEqual({name: round(v, 6) for name, v in shares.items()}, wanted)

    def check_calls(self, panels, prefix, errors):
        rates, shares, durations, statuses, messages = panels
        fast, slow = prefix + FAST, prefix + SLOW
        self.assert_parts(rates, {fast: 8, slow: 4})
        # Slow never fails, and has a line all the same.
        self.assert_shares(shares, {fast: errors, slow: 0})
        self.assert_parts(statuses, {"OK": 8, "INTERNAL": 2, "NOT_FOUND": 2})
        self.assertLessEqual({f"{method} {q}" for method in (fast, slow)
                              for q in ("p50", "p90", "p99")}, set(durations))
        # Interpolated between bounds, of which one is 100 ms.
        for name, value in durations.items():
            if not name.endswith("average"):
                self.assertEqual(value > 0.1, name != f"{fast} p50", (name, value))
        self.assertEqual({name.split()[0] for name in messages}, {FAST, SLOW})

    def check_grpc(self):
        shown = self.shown("grpc")
        # NOT_FOUND is no fault of the server's, and an error to who has asked.
        self.check_calls([shown[title] for title in (
            "Calls by method", "Errors by method", "Duration by method", "Statuses",
            "Messages")], "", 0.25)
        self.check_calls([shown[title] for title in (
            "Calls to others by method", "Errors of calls to others",
            "Duration of calls to others", "Statuses of calls to others",
            "Messages of calls to others")], f"127.0.0.1:{self.shop.calls.port} ", 0.5)
        self.assertEqual(set(shown["Calls with a timeout"].values()), {0})

    def check_red(self):
        shown = self.shown("red")
        bank = f"127.0.0.1:{self.shop.bank.port}"
        self.assert_parts(shown["Requests by route"],
                          {"GET /hello": 6, "GET /users/{id}": 3, "POST /gateway": 3})
        self.assert_shares(shown["Errors by route"],
                           {"/hello": 0, "/users/{id}": 0, "/gateway": 1})
        self.assert_shares(shown["Errors"], {"": 0.25})
        self.assert_parts(shown["Statuses"], {"200": 9, "502": 3})
        self.assert_parts(shown["Errors by type"], {"502": 1})
        self.assertEqual(set(shown["Requests by Pod"]), {"prod/web-1"})
        durations = shown["Duration"]
        self.assertEqual(list(durations), ["p50", "p90", "p99", "average"])
        self.assertTrue(0 < durations["p50"] <= durations["p90"] <= durations["p99"] < 1)
        self.assertEqual(len(shown["Durations"]), 18)
        self.assertEqual(set(shown["Requests by server"]), {bank})
        self.assert_shares(shown["Errors by server"], {bank: 0.333333})
        self.assert_parts(shown["Statuses received"], {"200": 4, "404": 1, "502": 1})
        probes = {name for name, rate in shown["Probes"].items() if rate}
        self.assertEqual(probes, {"/hello 200"})

    def check_tcp(self):
        shown = self.shown("tcp")
        muted = shown["Not read any more"]
        self.assertIn("not_http", {name for name, rate in muted.items() if rate})
        self.assertEqual(set(shown["Other protocols"]), {"redis"})

    def check_health(self):
        shown = self.shown("health")
        self.assert_shares(shown["Sidecars"], {"": 1})
        self.assert_shares(shown["Not counted"], {"": 0})
        self.assertLess(max(shown["Age of what is shown"].values()), 20)
        self.assertEqual(set(shown["Requests lost"].values()), {0})

    def test_on_demand(self):
        self.scrape(self.gateway.port)
        shown = self.shown("on-demand")
        self.assert_shares(shown["System calls counted"], {"": 1})
        self.assert_shares(shown["Calls not counted"], {"": 0})
        self.assert_shares(shown["Readers"], {"": 0})
        rates = {name: rate for name, rate in shown["Requests by process"].items() if rate}
        (name,) = rates
        self.assertRegex(name, rf"^python3? {self.shop.web.process.pid}$")
        self.assert_shares({"": shown["Errors by process"][name]}, {"": 0.25})
        calls = {name for name, rate in shown["Calls"].items() if rate}
        self.assertLessEqual({"accept4", "recvfrom", "sendto", "close"}, calls)
        self.assertEqual(set(shown["Cost to the node"]), {"all prod/web-1", "network prod/web-1"})

    def check_team(self):
        shown = self.shown("team")
        self.assert_shares(shown["Errors"], {"": round(5 / 24, 6)})
        self.assertEqual(set(shown["Requests by workload"]), {"prod/shop"})
        self.assertAlmostEqual(shown["HTTP by workload"]["B"], 0.25)  # its second column
        # One connection of each round.
        tls = shown["TLS that is not seen"]["prod/shop"]
        self.assertTrue(0 < tls < 0.5, tls)
        self.assertEqual(set(shown["Slowest routes"]),
                         {"shop /hello", "shop /users/{id}", "shop /gateway"})

    def check_all(self):
        for name in STANDING:
            with self.subTest(name):
                getattr(self, f"check_{name}")()

    def test_what_is_pushed_is_shown(self):
        self.scrape(self.gateway.port)
        self.check_all()

    def test_what_is_only_scraped_is_shown(self):
        """Of who pushes as well, to a gateway that nobody reads."""
        self.scrape(self.shop.sidelight.port)
        self.check_all()

    def test_both_ways_count_once(self):
        """Gateway and Pods are scraped, as by both PodMonitors."""
        self.scrape(self.gateway.port, self.shop.sidelight.port)
        now = time.time()
        rates = "sum(rate(http_server_request_duration_seconds_count{workload='shop'%s}[1m]))"
        one, = self.prometheus.query(rates % ",export=''", now)
        other, = self.prometheus.query(rates % ",export='scrape'", now)
        both, = self.prometheus.query(rates % "", now)
        self.assertAlmostEqual(both[1], one[1] + other[1])
        self.assertGreater(min(one[1], other[1]), 0)
        for name in STANDING:
            pushed = self.shown(name, now, lambda q: q.replace('export="scrape"', 'export="none"'))
            self.assertEqual(self.shown(name, now), pushed)

    def test_choices_narrow_what_is_shown(self):
        self.scrape(self.gateway.port)
        everything = Board("red", self.prometheus, {})
        self.assertLessEqual({"other", "shop"}, set(everything.offered["workload"]))
        self.assertLessEqual({"alien", "/hello"}, set(everything.offered["route"]))
        one = Board("red", self.prometheus, {"route": "/hello"})
        panel = next(p for p in one.panels() if p["title"] == "Requests by route")
        self.assertEqual(set(self.rows(one, panel, None, str)), {"GET /hello"})

    def test_rules_record_what_happened(self):
        rules = self.scratch("rules.yaml")
        rules.write_text(RULES.read_text().replace("interval: 30s", "interval: 1s"))
        self.scrape(self.gateway.port, rules=[rules])
        names = set(re.findall(r"- record: (\S+)", rules.read_text()))
        self.assertGreater(len(names), 20)
        harness.wait_for("all recording rules", lambda: not [
            name for name in names if not self.prometheus.query(name)], 10, pause=0.3)

        def value(name, **labels):
            where = ",".join(f'{k}="{v}"' for k, v in {"workload": "shop", **labels}.items())
            rows = self.prometheus.query(f"{name}{{{where}}}")
            self.assertEqual(len(rows), 1, (name, labels, rows))
            return round(rows[0][1], 6)

        def settled():
            return value("route:server_error_ratio:rate5m", http_route="/gateway") == 1 and \
                value("peer:client_error_ratio:rate5m", protocol="http") == 0.333333

        harness.wait_for("ratios of all rounds", settled, 10, pause=0.3)
        self.assertEqual(value("workload:server_error_ratio:rate5m", protocol="http"), 0.25)
        self.assertEqual(value("workload:server_error_ratio:rate5m", protocol="grpc"),
                         round(2 / len(CALLS), 6))
        self.assertEqual(value("route:server_error_ratio:rate5m", rpc_method=SLOW), 0)
        self.assertEqual(value("peer:client_error_ratio:rate5m", protocol="grpc"),
                         round(4 / len(CALLS), 6))
        self.assertEqual(value("workload:sidecars:count"), 1)
        # Of all groups in the gateway those of sidecars, once they are old.
        stale = next(rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"]
                     for rule in group["rules"] if rule.get("alert") == "SidelightPushStale")
        old = self.prometheus.query(stale.replace("> 300", "> -300"))
        self.assertEqual([labels["pod"] for labels, _ in old], [Shop.PLACE["pod"]])
        # A quarter of all requests fails: that is far beyond any budget.
        harness.wait_for("an alert", lambda: self.prometheus.query(
            "ALERTS{alertname='SidelightErrorBudgetBurnsFast',workload='shop'}"), 10, pause=0.3)


if __name__ == "__main__":
    harness.main()
