#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Trace contexts of requests, from the wire to whoever shows them: the recorder and its readers,
exemplars on /metrics to an independent parser and a real Prometheus, and by OTLP to an independent
decoder. A Pushgateway gets none.
"""
import csv
import io
import json
import pathlib
import subprocess
import time
import unittest
import urllib.error
import urllib.parse

import clients
import harness
import peers
import servers
from gateway import Prometheus, Pushgateway
from observer import SENTINEL, Sidelight, http_get
from otlp import Collector, decode
from tracing import Traced

PARSER = harness.SERVERS / "openmetrics_parse.py"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
SERVER = "http_server_request_duration_seconds"

TRACE = "0af7651916cd43dd8448eb211c8031"  # the rest says which request it is
SPAN = "b7ad6b71692033"
HALF = "8448eb211c80319c"


def ids(number):
    return f"{TRACE}{number:02x}", f"{SPAN}{number:02x}"


def traceparent(number, flags="01"):
    return {"traceparent": "00-{}-{}-{}".format(*ids(number), flags)}


# (header fields of a request, its trace and span, whether its sender samples it)
CONTEXTS = [
    (traceparent(1), ids(1), True),
    (traceparent(2, "00"), ids(2), False),
    ({"b3": "{}-{}-1".format(*ids(3))}, ids(3), True),
    ({"b3": "{}-{}".format(*ids(4))}, ids(4), False),
    ({"X-B3-TraceId": HALF, "X-B3-SpanId": ids(5)[1], "X-B3-Sampled": "1"},
     ("0" * 16 + HALF, ids(5)[1]), True),
    ({}, None, False),
    ({"traceparent": "ff-{}-{}-01".format(*ids(6))}, None, False),
    ({"traceparent": "00-{}-{}-01".format("0" * 32, ids(7)[1])}, None, False),
    ({"traceparent": "00-{}-{}-01".format(ids(8)[0].upper(), ids(8)[1])}, None, False),
    ({**traceparent(9), "b3": "{}-{}-0".format(*ids(10))}, ids(9), True),
]
FOUND = [found for _, found, _ in CONTEXTS]
SAMPLED = {found for _, found, is_sampled in CONTEXTS if is_sampled}

CALLS = """
import json, sys, grpc
port, contexts = sys.argv[1], json.loads(sys.argv[2])
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    for context in contexts:
        fields = tuple((name.lower(), value) for name, value in context.items())
        channel.unary_unary("/e2e.Echo/Unary")(b"", metadata=fields, timeout=20)
"""


def shown(line):
    return (line["trace_id"], line["span_id"]) if "trace_id" in line else None


class Recorded(Traced):
    def ask(self):
        """On one connection, each context twice, so that heads repeat byte by byte."""
        conn = clients.http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        for fields, _, _ in CONTEXTS:
            for _ in range(2):
                conn.request("GET", "/hello", headers=fields)
                conn.getresponse().read()
        conn.close()
        self.sidelight.settle(self.server.port)

    def lines(self, *args):
        return [line for line in self.past(*args) if line["target"] != SENTINEL]

    def test_each_request_has_its_own(self):
        self.start()
        self.ask()
        want = [found for found in FOUND for _ in range(2)]
        self.assertEqual([shown(line) for line in self.lines()], want)

    def test_one_trace(self):
        self.start()
        self.ask()
        for trace in (ids(3)[0], ids(3)[0].upper()):
            self.assertEqual([shown(line) for line in self.lines("--trace-id", trace)], [ids(3)] * 2)
        self.assertEqual(len(self.lines("--trace-id", HALF)), 2)
        self.assertEqual(self.lines("--trace-id", ids(7)[0]), [])
        _, error = self.trace("--last=1h", "--trace-id=xyz", status=2)
        self.assertIn('trace-id: "xyz" is not 32 hexadecimal digits', error)

    def test_files(self):
        self.start()
        self.ask()
        for form in ("csv", "har"):
            path = self.dir / f"requests.{form}"
            harness.run([harness.BINARY, "export", "--control", self.path, "--last=1h",
                         "--output", path])
            if form == "csv":
                lines = csv.DictReader(io.StringIO(path.read_text(), newline=""), strict=True)
                have = [(line["trace_id"], line["span_id"]) for line in lines]
            else:
                entries = json.loads(path.read_text())["log"]["entries"]
                have = [(e.get("_traceId", ""), e.get("_spanId", "")) for e in entries]
            self.assertEqual(have[:-1], [found or ("", "") for found in FOUND for _ in range(2)])

    def test_beside_a_long_target(self):
        self.start()
        target = "/" + "a" * 300
        clients.get(self.server.port, target, headers=traceparent(1))
        clients.get(self.server.port, target)
        self.sidelight.settle(self.server.port)
        traced, plain = self.lines()
        self.assertEqual((shown(traced), shown(plain)), (ids(1), None))
        self.assertTrue(traced["is_cut"] and plain["is_cut"])
        self.assertTrue(target.startswith(traced["target"]) and len(traced["target"]) > 140)


class Calls(Traced):
    """Of gRPC: both ends on one connection, with a table of header fields."""

    server_class = staticmethod(lambda case: peers.Echo(case, language=peers.PYTHON))

    def test_calls(self):
        self.start()
        contexts = [fields for fields, _, _ in CONTEXTS for _ in range(2)]
        harness.run(["/usr/bin/python3", "-c", CALLS, self.server.port, json.dumps(contexts)],
                    seconds=60)
        harness.wait_for("all calls", lambda: len(self.past()) >= len(contexts))
        self.assertEqual([shown(line) for line in self.past()],
                         [found for found in FOUND for _ in range(2)])
        have = exemplars(self.sidelight.port)
        self.assertTrue(have)
        self.assertTrue({(e["trace_id"], e["span_id"]) for _, _, e, _, _ in have} <= SAMPLED)
        self.assertEqual({labels["rpc_method"] for _, labels, _, _, _ in have}, {"e2e.Echo/Unary"})


def page(port):
    return http_get(port, "/metrics", headers=OPENMETRICS)[1]


def exemplars(port):
    """As an independent parser of OpenMetrics reads them."""
    if not pathlib.Path("/usr/lib/python3/dist-packages/prometheus_client").exists():
        raise unittest.SkipTest("python3-prometheus-client is not installed")
    done = subprocess.run(["/usr/bin/python3", PARSER], input=page(port), capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError(f"not OpenMetrics: {done.stderr}")
    return json.loads(done.stdout)


class Served(harness.Case):
    """On /metrics."""

    def start(self, *args):
        self.server = servers.Scripted(self)
        self.sidelight = Sidelight(self, *args, cgroup=self.server.cgroup)

    def ask(self, number, target="/sleep/1", flags="01"):
        clients.get(self.server.port, target, headers=traceparent(number, flags))

    def test_one_for_each_bucket(self):
        self.start()
        before = time.time()
        self.ask(1, "/sleep/120")
        self.ask(2, "/sleep/121")
        self.ask(3, "/sleep/300", flags="00")
        self.ask(4, "/sleep/600")
        clients.get(self.server.port, "/sleep/800")
        self.sidelight.settle(self.server.port)
        have = exemplars(self.sidelight.port)
        for name, labels, exemplar, value, when in have:
            self.assertEqual(name, SERVER + "_bucket")
            self.assertLessEqual(value, float(labels["le"]))
            self.assertLess(before - 1, when)
            self.assertLess(when, time.time() + 1)
            self.assertEqual(exemplar["span_id"][:14], SPAN)
        traces = [exemplar["trace_id"] for _, _, exemplar, _, _ in have]
        self.assertIn(ids(1)[0], traces)
        self.assertIn(ids(4)[0], traces)
        self.assertNotIn(ids(3)[0], traces)
        buckets = [tuple(sorted(labels.items())) for _, labels, _, _, _ in have]
        self.assertEqual(len(set(buckets)), len(buckets))
        stored = self.sidelight.scrape().sum("sidelight_exemplars_total", result="stored")
        self.assertEqual(stored, len(have))

    def test_not_in_the_text_without_exemplars(self):
        self.start()
        self.ask(1)
        self.sidelight.settle(self.server.port)
        self.assertNotIn(TRACE, http_get(self.sidelight.port, "/metrics")[1])
        self.assertIn(TRACE, page(self.sidelight.port))
        self.assertTrue(page(self.sidelight.port).endswith("\n# EOF\n"))

    def test_off(self):
        self.start("--exemplars=off")
        self.ask(1)
        scrape = self.sidelight.settle(self.server.port)
        self.assertNotIn(" # {", page(self.sidelight.port))
        self.assertNotIn("sidelight_exemplars", scrape.text)

    def test_prometheus_answers_them(self):
        self.start()
        database = Prometheus(self, self.sidelight.port, honors_labels=True,
                              args=["--enable-feature=exemplar-storage"])
        begun = time.time()
        self.ask(1)
        self.ask(2, "/sleep/300")

        def stored():
            words = urllib.parse.urlencode(
                {"query": SERVER + "_bucket", "start": begun - 60, "end": begun + 600})
            status, text = http_get(database.port, f"/api/v1/query_exemplars?{words}")
            self.assertEqual(status, 200, text)
            found = {}
            for series in json.loads(text)["data"]:
                for one in series["exemplars"]:
                    found[one["labels"]["trace_id"]] = (series["seriesLabels"], one)
            return found if len(found) == 2 else None

        have = harness.wait_for("both exemplars", stored, seconds=30, pause=0.3)
        for number in (1, 2):
            labels, one = have[ids(number)[0]]
            self.assertEqual(one["labels"]["span_id"], ids(number)[1])
            self.assertLessEqual(float(one["value"]), float(labels["le"]))
            self.assertEqual(labels["http_route"], "/sleep/{id}")
        self.assertEqual(database.query("up == 1")[0][1], 1)


class Sent(harness.Case):
    """By OTLP, and to a Pushgateway."""

    def test_by_otlp_once(self):
        self.check_otlp("classic")

    def test_of_exponential_histograms(self):
        self.check_otlp("native")

    def check_otlp(self, histograms):
        collector = Collector(self)
        server = servers.Nginx(self)
        Sidelight(self, "--otlp", collector.url, "--otlp-interval=0.3",
                  f"--histograms={histograms}", cgroup=server.cgroup)
        clients.get(server.port, "/hello", headers=traceparent(1))
        clients.get(server.port, "/users/7", headers=traceparent(2, "00"))

        def exported():
            found = []
            for request in range(len(collector.requests)):
                body = collector.requests[request][3]
                for resource in decode(body):
                    found += [(request, one["trace"], one["span"]) for metric in resource["metrics"]
                              for point in metric["points"] for one in point.get("exemplars", [])]
            return found

        first = harness.wait_for("an exemplar", exported, seconds=20, pause=0.2)
        collector.wait_requests(len(collector.requests) + 2)
        self.assertEqual(exported(), first)
        self.assertEqual([one[1:] for one in first], [ids(1)])

    def test_a_gateway_takes_none(self):
        """Nor does it get any: a whole push with one would be refused."""
        real = Pushgateway(self)
        text = f'# TYPE x histogram\nx_bucket{{le="+Inf"}} 1 # {{trace_id="{ids(1)[0]}"}} 0.1\n'
        with self.assertRaises(urllib.error.HTTPError) as refused:
            real.send("PUT", "/metrics/job/x", (text + "x_sum 1\nx_count 1\n").encode())
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()
        server = servers.Nginx(self)
        sidelight = Sidelight(self, "--push", real.url, "--push-interval=0.3", "--job=shop",
                              cgroup=server.cgroup)
        clients.get(server.port, "/hello", headers=traceparent(1))
        harness.wait_for("the request in the gateway", lambda: real.metrics().sum(
            SERVER + "_count", http_route="/hello") == 1, seconds=20)
        self.assertIn(TRACE, page(sidelight.port))
        self.assertEqual(sidelight.scrape().sum("sidelight_pushes_total", result="rejected"), 0)


if __name__ == "__main__":
    harness.main()
