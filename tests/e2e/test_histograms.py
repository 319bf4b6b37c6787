#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Prometheus' protobuf format to a decoder that is not ours and to the real Prometheus; native
histograms, whose quantiles are right at any duration; counters that begin at zero.
"""
import contextlib
import gzip
import http.client
import json
import math
import os
import pathlib
import re
import subprocess
import time
import unittest

import clients
import gateway
import harness
import otlp
import servers
from gateway import COUNT, Driver, Prometheus, Pushgateway
from observer import Metrics, Sidelight

DECODER = harness.SERVERS / "prometheus_decode.py"
FAMILY = "http_server_request_duration_seconds"
PROTOBUF = ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
            "encoding=delimited")
TYPE = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
        "encoding=delimited")
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
NEW_PROMETHEUS = harness.ROOT / "build" / "prometheus" / "usr" / "bin" / "prometheus"

# They differ between two pages of one moment.
VOLATILE = re.compile(r"sidelight_(series$|(scrape|cpu|resident|collected|cgroup)_)")


def setUpModule():
    gateway.build_driver()


def page(port, accept=None, **headers):
    """(content type, body)"""
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    if accept is not None:
        headers["Accept"] = accept
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"/metrics: {answer.status}")
        return answer.headers["Content-Type"], answer.read()


def decode(body, prefix=""):
    """The families of a page whose names begin so; fails for what the format does not allow."""
    if not pathlib.Path("/usr/lib/python3/dist-packages/google/protobuf").exists():
        raise unittest.SkipTest("python3-protobuf is not installed")
    done = subprocess.run(["/usr/bin/python3", DECODER, prefix], input=body, capture_output=True,
                          timeout=60)
    if done.returncode:
        raise AssertionError(f"not the protobuf format: {done.stderr.decode()}")
    return json.loads(done.stdout)


def families(port, prefix=""):
    return {one["name"]: one for one in decode(page(port, PROTOBUF)[1], prefix)}


def number(text):
    return math.inf if text == "+Inf" else float(text)


def samples(decoded):
    """{(name, labels): value}, as a page of text has them; `le` is a number."""
    found = {}
    for family in decoded:
        for one in family["series"]:
            labels, name = one["labels"], family["name"]
            if family["kind"] != "histogram":
                found[name, tuple(sorted(labels.items()))] = one["value"]
                continue
            for bound, count in one["classic"] + [[math.inf, one["count"]]]:
                found[f"{name}_bucket", tuple(sorted({**labels, "le": bound}.items()))] = count
            found[f"{name}_sum", tuple(sorted(labels.items()))] = one["sum"]
            found[f"{name}_count", tuple(sorted(labels.items()))] = one["count"]
    return {key: value for key, value in found.items() if not VOLATILE.match(key[0])}


def comparable(text):
    return {(name, tuple(sorted((k, number(v) if k == "le" else v) for k, v in labels))): value
            for (name, labels), value in Metrics(text).samples.items() if not VOLATILE.match(name)}


def last(driver, ns):
    driver.command(f"last {ns}", f"lasted {ns}\n")


class Format(harness.Case):
    def test_the_same_series_with_the_same_values(self):
        for args in ([], ["--histograms", "both"], ["--histograms", "native"]):
            with self.subTest(args=args):
                driver = Driver(self, "--listen", "127.0.0.1:0", "--label", 'namespace=a"b\\c', *args)
                driver.feed(3)
                driver.mix(2)
                driver.command("widen 700", "widened 700\n")
                kind, body = page(driver.port, PROTOBUF)
                self.assertEqual(kind, TYPE)
                decoded = decode(body)
                have, want = samples(decoded), comparable(page(driver.port)[1].decode())
                self.assertEqual(sorted(set(have) ^ set(want), key=str)[:5], [])
                self.assertEqual({k: (have[k], want[k]) for k in want if have[k] != want[k]}, {})
                self.assertEqual(sum(v for (name, _), v in have.items() if name == COUNT), 709)
                natives = [one["native"] for family in decoded if family["kind"] == "histogram"
                           for one in family["series"]]
                self.assertTrue(natives)
                self.assertTrue(all(bool(one) == bool(args) for one in natives))
                packed = page(driver.port, PROTOBUF, Accept_Encoding="gzip")[1]
                self.assertEqual(samples(decode(gzip.decompress(packed))), have)

    def test_native_ones_need_no_classic_buckets(self):
        driver = Driver(self, "--listen", "127.0.0.1:0", "--histograms", "native")
        driver.feed(2)
        text = Metrics(page(driver.port)[1].decode())
        bounds = {dict(labels).get("le") for name, labels in text.samples
                  if name == f"{FAMILY}_bucket"}
        self.assertEqual(bounds, {"+Inf"})
        self.assertEqual(text.sum(COUNT), 6)

    def test_who_gets_it(self):
        driver = Driver(self, "--listen", "127.0.0.1:0")
        name = "application/vnd.google.protobuf"
        for accept, want in (
            (PROTOBUF, TYPE),
            (f"text/plain;q=0.3,{PROTOBUF};q=0.7,application/openmetrics-text;q=0.5", TYPE),
            (f"{PROTOBUF};q=0.2,application/openmetrics-text;version=1.0.0;q=0.5", OPENMETRICS),
            (f"{PROTOBUF};q=0,text/plain", TEXT),
            (f"{name};proto=io.prometheus.client.MetricFamily;encoding=compact-text", TEXT),
            (f"{name};proto=io.prometheus.client.MetricFamily", TEXT),
            (f"{name};encoding=delimited", TEXT),
            (f"{name};proto=;encoding=", TEXT),
            (f'{name};proto="io.prometheus.client.MetricFamily;encoding=delimited', TEXT),
            (f"{name};;;=;q", TEXT),
            ("application/x-protobuf", TEXT),
            ("*/*", TEXT),
            (",".join([f"{name};q=1"] * 300), TEXT),
            (None, TEXT),
        ):
            with self.subTest(accept=accept):
                self.assertEqual(page(driver.port, accept)[0], want)

    def test_when_series_began(self):
        before = time.time()
        driver = Driver(self, "--listen", "127.0.0.1:0")
        driver.feed(1)
        first = {json.dumps(one["labels"], sort_keys=True): one["created"]
                 for one in families(driver.port)[FAMILY]["series"]}
        driver.feed(1)
        driver.command("widen 1", "widened 1\n")

        def event():
            series = families(driver.port)[FAMILY]["series"]
            return series if len(series) > len(first) else None

        second = {json.dumps(one["labels"], sort_keys=True): one["created"]
                  for one in harness.wait_for("the new series", event)}
        self.assertGreater(min(first.values()), before - 1)
        self.assertEqual({key: second[key] for key in first}, first)
        new, = set(second) - set(first)
        self.assertGreaterEqual(second[new], min(first.values()))


class Quantiles(harness.Case):
    """Of requests that all take so long, or that are spread."""

    RIGHT = 0.05

    def prometheus(self, *drivers):
        return Prometheus(self, *(one.port for one in drivers), honors_labels=False,
                          args=["--enable-feature=native-histograms"])

    def quantile(self, prometheus, driver, q=.99):
        def event():
            found = prometheus.query(
                f'histogram_quantile({q}, {FAMILY}{{http_route="/last",'
                f'instance="127.0.0.1:{driver.port}"}})')
            return found[0][1] if found else None

        return harness.wait_for("a quantile of native histograms", event, seconds=30, pause=.2)

    def test_at_any_duration(self):
        durations = [50_000, 700_000, 254_000_000, 5_000_000_000]
        drivers = [Driver(self, "--listen", "127.0.0.1:0", "--histograms", "native")
                   for _ in durations]
        for driver, ns in zip(drivers, durations):
            last(driver, ns)
        prometheus = self.prometheus(*drivers)
        for driver, ns in zip(drivers, durations):
            for q in (.5, .99):
                with self.subTest(ns=ns, q=q):
                    self.assertAlmostEqual(self.quantile(prometheus, driver, q) / (ns / 1e9), 1,
                                           delta=self.RIGHT)
        self.assertEqual([v for _, v in prometheus.query("up")], [1] * len(durations))

    def test_spread_over_a_thousandfold(self):
        driver = Driver(self, "--listen", "127.0.0.1:0", "--histograms", "both")
        durations = [int(50_000 * 1000 ** (i / 100)) for i in range(100)]
        for ns in durations:
            last(driver, ns)
        prometheus = self.prometheus(driver)
        for q in (.1, .5, .9, .99):
            with self.subTest(q=q):
                # The value that a share of q is not above, and its neighbour 7 % higher.
                want = durations[round(q * 100) - 1] / 1e9
                self.assertAlmostEqual(self.quantile(prometheus, driver, q) / want, 1,
                                       delta=self.RIGHT)

    def test_through_a_pushgateway(self):
        real = Pushgateway(self)
        driver = Driver(self, "--histograms", "both", push=real.url)
        last(driver, 50_000)
        last(driver, 5_000_000_000)
        driver.feed(2)
        real.wait_has(2)
        one, = [series for series in families(real.port, FAMILY)[FAMILY]["series"]
                if series["labels"]["http_route"] == "/last"]
        self.assertEqual((one["count"], one["native"]["schema"]), (200, 4))
        self.assertEqual(sorted(one["native"]["buckets"].values()), [100, 100])
        self.assertEqual(one["labels"]["job"], "shop")
        self.assertEqual(driver.process.stop(), 0)
        real.assert_groups([])

    def test_by_otlp(self):
        for kind in ("native", "both"):
            with self.subTest(kind=kind):
                collector = otlp.Collector(self)
                driver = Driver(self, "--listen", "127.0.0.1:0", "--otlp", collector.url,
                                "--histograms", kind)
                last(driver, 50_000)
                last(driver, 5_000_000_000)
                points = [point for resource in collector.next() for metric in resource["metrics"]
                          for point in metric["points"]
                          if metric["name"] == "http.server.request.duration"
                          and metric["kind"] == "exponential_histogram"]
                self.assertEqual(len(points), 1)
                point, = points
                self.assertEqual((point["count"], point["zero_count"], point["scale"]), (200, 0, 4))
                held = [(point["offset"] + i, n) for i, n in enumerate(point["buckets"]) if n]
                for (bucket, count), seconds in zip(held, (50e-6, 5)):
                    self.assertEqual(count, 100)
                    self.assertTrue(2 ** (bucket / 16) < seconds <= 2 ** ((bucket + 1) / 16))
                self.assertEqual(len(held), 2)


class Beginnings(harness.Case):
    """What was counted before the first scrape enters increase()."""

    def setUp(self):
        super().setUp()
        if not os.access(NEW_PROMETHEUS, os.X_OK):
            raise unittest.SkipTest(
                "Prometheus of Debian 13 comes from its archive, which could not be reached")
        self.port = harness.free_port()

    def driver(self):
        return Driver(self, "--listen", f"127.0.0.1:{self.port}")

    def prometheus(self):
        return Prometheus(
            self, self.port, honors_labels=False, program=NEW_PROMETHEUS,
            args=["--enable-feature=native-histograms,created-timestamp-zero-ingestion"])

    def wait_increase(self, prometheus, want):
        """increase() extrapolates to the ends of its range: by less than a scrape's interval."""
        def event():
            found = prometheus.query(f'increase({COUNT}{{http_route="/fail"}}[5m])')
            return found and want - .01 < found[0][1] < want * 1.2

        harness.wait_for(f"an increase of {want}", event, seconds=40, pause=.3)

    def test_three_errors_before_the_first_scrape(self):
        driver = self.driver()
        prometheus = self.prometheus()
        harness.wait_for("a scrape", lambda: prometheus.query('up{job="test"} == 1'), seconds=20)
        driver.feed(3)
        self.wait_increase(prometheus, 3)

    def test_a_restart_between_two_scrapes(self):
        """More is counted after it than before: without a beginning this looks like one counter."""
        driver = self.driver()
        prometheus = self.prometheus()
        driver.feed(3)
        self.wait_increase(prometheus, 3)
        self.assertEqual(driver.process.stop(), 0)
        self.driver().feed(7)
        self.wait_increase(prometheus, 10)


class Foreseen(harness.Case):
    """Where the text is scraped, or pushed, nobody says when a counter began."""

    def test_the_first_errors_of_a_route(self):
        web = servers.Scripted(self)
        sidelight = Sidelight(self, cgroup=web.cgroup)
        self.assertEqual(clients.get(web.port, "/status/200"), 200)
        sidelight.wait_counted(1)
        prometheus = Prometheus(self, sidelight.port, honors_labels=True)
        errors = f'{COUNT}{{http_route="/status/{{id}}",error_type="500"}}'
        harness.wait_for("no errors", lambda: prometheus.query(f"{errors} == 0"), seconds=20)
        for _ in range(3):
            self.assertEqual(clients.get(web.port, "/status/500"), 500)

        def event():
            found = prometheus.query(f"increase({errors}[5m])")
            return found and 2.99 < found[0][1] < 3 * 1.2

        harness.wait_for("an increase of 3", event, seconds=40, pause=.3)
        page = sidelight.scrape()
        self.assertEqual(page.requests()["GET", "/status/{id}", "500"], 3)

    def test_what_is_known_at_the_start(self):
        page = Sidelight(self, cgroup=self.cgroup()).scrape()
        for name in ("sidelight_unseen_sockets", "sidelight_unseen_sockets_found_total",
                     "sidelight_events_lost_total", "sidelight_requests_lost_total",
                     "sidelight_parse_failures_total", "sidelight_responses_unpaired_total"):
            with self.subTest(name=name):
                self.assertEqual({value for _, value in page.each(name)}, {0})
        reasons = {labels["reason"]: value for labels, value in page.each("sidelight_no_requests")}
        self.assertEqual(len(reasons), 6)
        self.assertEqual(sum(reasons.values()), 1)


class Command(harness.Case):
    """`sidelight run`."""

    def test_native(self):
        web = servers.Nginx(self)
        sidelight = Sidelight(self, "--histograms", "native", cgroup=web.cgroup)
        for _ in range(5):
            self.assertEqual(clients.get(web.port, "/hello"), 200)
        text = sidelight.wait_counted(5)
        self.assertGreater(text.sum("sidelight_native_histogram_bytes"), 0)
        self.assertEqual(text.sum("sidelight_native_histogram_downscales_total"), 0)
        self.assertEqual(text.sum("sidelight_native_histogram_unplaced_total"), 0)
        native = families(sidelight.port)[FAMILY]["series"][0]["native"]
        self.assertEqual(sum(native["buckets"].values()) + native["zero_count"], 5)
        self.assertEqual(native["schema"], 4)
        self.assertEqual(sidelight.stop(), 0)

    def test_classic_is_the_default(self):
        sidelight = Sidelight(self, cgroup=self.cgroup())
        self.assertNotIn("native", sidelight.scrape().text)
        decoded = families(sidelight.port)
        self.assertEqual({one["native"] is None for family in decoded.values()
                          if family["kind"] == "histogram" for one in family["series"]}, {True})
        self.assertEqual(sidelight.stop(), 0)

    def test_buckets(self):
        web = servers.Nginx(self)
        sidelight = Sidelight(self, "--buckets", ".000001,.7,86400", cgroup=web.cgroup)
        self.assertEqual(clients.get(web.port, "/hello"), 200)
        text = sidelight.wait_counted(1)
        found = {dict(labels)["le"]: value for (name, labels), value in text.samples.items()
                 if name == f"{FAMILY}_bucket" and ("http_response_status_code", "200") in labels}
        self.assertEqual(found, {"1e-06": 0, "0.7": 1, "86400": 1, "+Inf": 1})
        self.assertEqual(sidelight.stop(), 0)


if __name__ == "__main__":
    harness.main()
