#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Exports by OTLP: what is in them, to a decoder that is not ours and to a real database, next to what
/metrics and a Pushgateway have; who they are from; and the last one.
"""
import re
import signal
import ssl
import time

import clients
import gateway
import harness
import otlp
import servers
from gateway import COUNT, Certificates, Driver, Pushgateway
from observer import Metrics, Sidelight, http_get
from otlp import Collector

# They differ between two exporters of one moment.
VOLATILE = re.compile(r"sidelight_(otlp|push|pushes|scrape|cpu|resident|collected|cgroup)_")

CONVENTIONS = {
    ("http.server.request.duration", "s", "histogram"),
    ("http.client.request.duration", "s", "histogram"),
    ("http.server.request.body.size", "By", "histogram"),
    ("http.server.response.body.size", "By", "histogram"),
    ("http.client.request.body.size", "By", "histogram"),
    ("http.client.response.body.size", "By", "histogram"),
    ("http.server.active_requests", "{request}", "sum"),
    ("rpc.server.call.duration", "s", "histogram"),
    ("rpc.client.call.duration", "s", "histogram"),
}


def setUpModule():
    gateway.build_driver()


def stable(samples):
    return {key: value for key, value in samples.items() if not VOLATILE.match(key[0])}


def by_name(resources):
    """{metric name: [(resource, metric)]}"""
    found = {}
    for resource in resources:
        for metric in resource["metrics"]:
            found.setdefault(metric["name"], []).append((resource, metric))
    return found


class Content(harness.Case):
    """Of an export, against the page of /metrics of the same moment."""

    def setUp(self):
        super().setUp()
        self.collector = Collector(self)
        self.driver = Driver(
            self, "--listen", "127.0.0.1:0", "--otlp", self.collector.url,
            "--resource", "service.name=shop,service.namespace=prod,k8s.pod.name=web-1",
        )

    def page(self):
        """A page of /metrics that was made after the call."""
        asked = time.time()

        def event():
            page = Metrics(http_get(self.driver.port, "/metrics")[1])
            return page if page.is_collected_since(asked) else None

        return harness.wait_for("a new page", event)

    def check_equal(self):
        have = stable(otlp.samples(self.collector.next()))
        want = stable(otlp.comparable(self.page().samples))
        self.assertEqual(sorted(set(have) ^ set(want))[:5], [])
        different = {key: (have[key], want[key]) for key in want if have[key] != want[key]}
        self.assertEqual(different, {})
        return have

    def test_the_same_series_with_the_same_values(self):
        self.driver.feed(3)
        self.driver.mix(2)
        have = self.check_equal()
        self.assertEqual(have["http_server_request_duration_seconds_count", tuple(sorted({
            "container": "app", "http_request_method": "POST", "http_route": "/fail",
            "http_response_status_code": "503", "error_type": "503", "url_scheme": "http",
            "network_protocol_version": "1.1"}.items()))], 3)

    def test_request(self):
        self.driver.feed(1)
        self.collector.next()
        method, path, headers, _ = self.collector.requests[-1]
        self.assertEqual((method, path), ("POST", "/v1/metrics"))
        self.assertEqual(headers["Content-Type"], "application/x-protobuf")
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertTrue(headers["User-Agent"].startswith("sidelight/"))

    def test_names_units_and_types_are_those_of_the_conventions(self):
        self.driver.feed(1)
        self.driver.mix(1)
        resources = self.collector.next()
        have = {(m["name"], m["unit"], m["kind"]) for r in resources for m in r["metrics"]}
        self.assertEqual({one for one in have if not one[0].startswith("sidelight.")}, CONVENTIONS)
        metrics = by_name(resources)
        active = metrics["http.server.active_requests"][0][1]
        self.assertEqual((active["is_monotonic"], active["points"][0]["value"]), (False, 1))
        self.assertIn(("sidelight.tcp_round_trip", "s", "histogram"), have)
        self.assertIn(("sidelight.cpu", "s", "sum"), have)
        self.assertIn(("sidelight.resident_memory", "By", "gauge"), have)
        self.assertIn(("sidelight.probe_requests", "", "sum"), have)
        self.assertTrue(all(m["description"] for r in resources for m in r["metrics"]))
        self.assertTrue(metrics["sidelight.probe_requests"][0][1]["points"][0]["is_int"])
        self.assertFalse(metrics["sidelight.cpu"][0][1]["points"][0]["is_int"])

    def test_attributes_have_their_types(self):
        self.driver.mix(1)
        metrics = by_name(self.collector.next())
        points = [p["attributes"] for _, m in metrics["http.client.request.duration"]
                  for p in m["points"]]
        self.assertIn({
            "http.request.method": "GET", "http.route": "/prices/{id}",
            "http.response.status_code": 200, "url.scheme": "http",
            "network.protocol.version": "2", "server.address": "api.example", "server.port": 8080,
        }, points)
        self.assertIn({
            "http.request.method": "GET", "http.route": "/prices/{id}", "url.scheme": "http",
            "network.protocol.version": "1.1", "server.address": "api.example",
            "error.type": "connection_reset",
        }, points)
        calls = [p["attributes"] for _, m in metrics["rpc.client.call.duration"]
                 for p in m["points"]]
        self.assertEqual(calls, [{
            "rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add",
            "rpc.response.status_code": "OK", "server.address": "cart", "server.port": 50051,
        }])

    def test_a_resource_for_each_container(self):
        self.driver.feed(1)
        self.driver.mix(1)
        resources = self.collector.next()
        common = {"service.name": "shop", "service.namespace": "prod", "k8s.pod.name": "web-1"}
        self.assertEqual([resource["attributes"] for resource in resources], [
            {**common, "service.instance.id": "prod.web-1"},
            {**common, "service.instance.id": "prod.web-1.app", "k8s.container.name": "app"},
            {**common, "service.instance.id": "prod.web-1.worker", "k8s.container.name": "worker"},
        ])
        self.assertEqual({resource["scope"][0] for resource in resources}, {"sidelight"})
        for resource in resources:
            for metric in resource["metrics"]:
                for point in metric["points"]:
                    self.assertNotIn("container", point["attributes"])

    def starts(self):
        """{a point's attributes: when it began}"""
        (_, metric), = by_name(self.collector.next())["http.server.request.duration"]
        return {tuple(sorted(point["attributes"].items())): point["start"]
                for point in metric["points"]}

    def test_counters_begin_before_their_first_value(self):
        """And do not begin again: a start that changes is a reset."""
        self.driver.feed(1)
        first = self.starts()
        received = time.time()
        self.driver.command("widen 3", "widened 3\n")
        second = self.starts()
        self.assertEqual((len(first), len(second)), (3, 3 + 3))
        self.assertEqual({key: second[key] for key in first}, first)
        self.assertLess(max(first.values()) / 1e9, received)
        self.assertGreaterEqual(min(second.values()), min(first.values()))

    def test_a_restart_is_a_later_start(self):
        """By which a receiver knows that the counter is a new one, even if it is larger already."""
        self.driver.feed(3)
        first = self.starts()
        self.assertEqual(self.driver.process.stop(), 0)
        driver = Driver(self, "--listen", "127.0.0.1:0", "--otlp", self.collector.url)
        driver.feed(7)
        second = self.starts()
        self.assertEqual(set(second), set(first))
        self.assertGreater(min(second.values()), max(first.values()))

    def test_many_series(self):
        self.driver.command("widen 700", "widened 700\n")
        have = self.check_equal()
        self.assertEqual(sum(v for (name, _), v in have.items() if name == COUNT), 700)
        self.assertGreater(len(self.collector.requests[-1][3]), 900_000)


class ThreeWays(harness.Case):
    """Scraped, pushed to a Pushgateway, and by OTLP, from one run into one real database."""

    FAMILIES = [f"{family}_{suffix}" for family in (
        "http_server_request_duration_seconds", "http_client_request_duration_seconds",
        "http_server_response_body_size_bytes", "rpc_server_call_duration_seconds",
        "rpc_client_call_duration_seconds") for suffix in ("bucket", "count", "sum")
    ] + ["http_server_active_requests", "sidelight_probe_requests_total"]
    # Labels that say who the series are from, which differ by design.
    WHO = {"__name__", "job", "instance", "service_name", "service_namespace", "service_instance_id"}
    MAPPED = {"k8s_container_name": "container", "rpc_response_status_code": "rpc_status_code"}

    def way_of(self, labels):
        if labels.get("service_instance_id", "").startswith("prod.web-1."):
            self.assertEqual((labels["service_name"], labels["service_namespace"]), ("shop", "prod"))
            return "otlp"
        return "scrape" if labels.get("instance", "").endswith(f":{self.driver.port}") else "push"

    def series(self, name):
        """{way: {labels: value}}, with the labels of /metrics."""
        ways = {"scrape": {}, "push": {}, "otlp": {}}
        for labels, value in self.database.query(f'{{__name__="{name}"}}'):
            have = {self.MAPPED.get(k, k): repr(float(v)) if k == "le" else v
                    for k, v in labels.items() if k not in self.WHO}
            ways[self.way_of(labels)][tuple(sorted(have.items()))] = value
        return ways

    def is_complete(self):
        """What is counted last is there by all ways."""
        return all(sum(way.values()) == 3
                   for way in self.series("sidelight_probe_requests_total").values())

    def test_three_ways_in_one_database(self):
        real = Pushgateway(self)
        port = harness.free_port()
        self.driver = Driver(
            self, "--listen", "127.0.0.1:0", "--interval-ms", "300",
            "--resource", "service.name=shop,service.namespace=prod",
            "--otlp", f"http://127.0.0.1:{port}/opentelemetry", push=real.url,
        )
        # It needs the driver's port, so it is there after a first export that fails.
        self.database = otlp.VictoriaMetrics(self, self.driver.port, real.port, port=port)
        self.driver.feed(4)
        self.driver.mix(3)
        harness.wait_for("all requests, three ways", self.is_complete, seconds=30, pause=0.2)
        for name in self.FAMILIES:
            with self.subTest(name=name):
                ways = self.series(name)
                self.assertTrue(ways["scrape"])
                self.assertEqual(ways["push"], ways["scrape"])
                self.assertEqual(ways["otlp"], ways["scrape"])
        page = Metrics(http_get(self.driver.port, "/metrics")[1])
        self.assertEqual(page.sum("sidelight_otlp_rejected_points_total"), 0)
        self.assertEqual(self.driver.log("accepted, but"), [])


class End(harness.Case):
    """The last export."""

    def stop(self, driver, number=signal.SIGTERM):
        start = time.monotonic()
        self.assertEqual(driver.process.stop(number), 0, driver.process.text())
        return time.monotonic() - start

    def test_last_export_has_everything(self):
        collector = Collector(self)
        driver = Driver(self, "--otlp", collector.url, "--interval-ms", "3600000")
        collector.wait_requests(1)
        driver.feed(7)
        self.stop(driver)
        self.assertEqual(len(collector.requests), 2)
        have = otlp.samples(collector.last())
        self.assertEqual(sum(v for (name, _), v in have.items() if name == COUNT), 21)

    def test_beside_the_last_push(self):
        collector = Collector(self)
        real = Pushgateway(self)
        driver = Driver(self, "--otlp", collector.url, "--keep", push=real.url)
        driver.feed(5)
        self.stop(driver)
        self.assertTrue(real.has(5))
        have = otlp.samples(collector.last())
        self.assertEqual(sum(v for (name, _), v in have.items() if name == COUNT), 15)

    def test_a_collector_that_hangs_delays_nothing_else(self):
        collector = Collector(self, answer="hang")
        real = Pushgateway(self)
        driver = Driver(self, "--otlp", collector.url, "--stop-ms", "1500", push=real.url)
        driver.feed(5)
        collector.wait_requests(1)
        real.wait_has(5)
        self.assertLess(self.stop(driver), 3)
        real.assert_groups([])
        self.assertEqual(len(driver.log("timed out (no time left)")), 1)


class Command(harness.Case):
    """`sidelight run`, with flags and with the variables of OpenTelemetry."""

    def run_with(self, *args, env=None):
        web = servers.Nginx(self)
        sidelight = Sidelight(self, "--otlp-interval", "0.2", *args, cgroup=web.cgroup, env=env)
        self.assertEqual(clients.get(web.port, "/hello"), 200)
        return sidelight, web

    def counted(self, collector):
        def event():
            for resource in collector.last() if collector.requests else []:
                if "http.server.request.duration" in by_name([resource]):
                    return resource["attributes"]
            return None

        return harness.wait_for("the request in an export", event, seconds=20, pause=0.3)

    def test_a_pod(self):
        collector = Collector(self)
        podinfo = self.dir / "podinfo"
        podinfo.mkdir()
        (podinfo / "labels").write_text('app="web"\npod-template-hash="6d4cf56db6"\n')
        self.run_with(
            "--otlp", collector.url, "--namespace=prod", "--pod=shop-6d4cf56db6-x7k2p",
            "--node=n1", "--workload=shop", "--podinfo", podinfo, "--pod-labels=app",
            env={"OTEL_RESOURCE_ATTRIBUTES": " k8s.cluster.name = north%20sea ,k8s.node.name=n%C3%A9"},
        )
        attributes = self.counted(collector)
        self.assertEqual(
            {k: v for k, v in attributes.items()
             if k not in ("k8s.container.name", "service.instance.id")},
            {"service.name": "shop", "service.namespace": "prod", "k8s.namespace.name": "prod",
             "k8s.pod.name": "shop-6d4cf56db6-x7k2p", "k8s.node.name": "né",
             "k8s.deployment.name": "shop", "k8s.cluster.name": "north sea",
             "k8s.pod.label.app": "web"})
        self.assertTrue(attributes["service.instance.id"].startswith("prod.shop-6d4cf56db6-x7k2p"))

    def test_a_host(self):
        collector = Collector(self)
        sidelight, web = self.run_with(env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/base/", "OTEL_SERVICE_NAME": "till",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b, authorization=Basic%20c2VjcmV0",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,service.instance.id=17",
        })
        attributes = self.counted(collector)
        self.assertEqual((attributes["service.name"], attributes["service.instance.id"]),
                         ("till", "17"))
        self.assertEqual(attributes["sidelight.target"], str(web.cgroup.path))
        self.assertIn("host.name", attributes)
        self.assertNotIn("service.namespace", attributes)
        _, path, headers, _ = collector.requests[-1]
        self.assertEqual((path, headers["X-Tenant"], headers["Authorization"]),
                         ("/base/v1/metrics", "a b", "Basic c2VjcmV0"))
        page = sidelight.scrape()
        self.assertGreaterEqual(page.sum("sidelight_otlp_exports_total", result="ok"), 1)
        self.assertNotIn("c2VjcmV0", sidelight.process.text())
        self.assertEqual(sidelight.stop(), 0)

    def test_files_are_read_in_the_sandbox(self):
        """Which closes before the first export; the token is read again for each."""
        c = Certificates(self.dir)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(c["server.pem"], c["server.key"])
        context.load_verify_locations(c["ca.pem"])
        context.verify_mode = ssl.CERT_REQUIRED
        collector = Collector(
            self, lambda r: 200 if r[2]["Authorization"] == "Bearer two" else 401, context=context
        )
        token = self.dir / "token"
        token.write_text("one\n")
        sidelight, _ = self.run_with("--otlp-token-file", token, env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": c["ca.pem"],
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": c["client.pem"],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": c["client.key"],
        })
        harness.wait_for("a refusal", lambda: "rejected (401" in sidelight.process.text())
        token.write_text("two\n")
        harness.wait_for("the new token", lambda: "/v1/metrics accepted" in sidelight.process.text())
        self.counted(collector)

    def test_flags_stand_before_variables(self):
        right, wrong = Collector(self), Collector(self)
        for flags, env, path in (
            (["--otlp", right.url], {"SIDELIGHT_OTLP": wrong.url}, "/v1/metrics"),
            ([], {"SIDELIGHT_OTLP": right.url, "OTEL_EXPORTER_OTLP_ENDPOINT": wrong.url},
             "/v1/metrics"),
            ([], {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": right.url + "/as/it/is",
                  "OTEL_EXPORTER_OTLP_ENDPOINT": wrong.url}, "/as/it/is"),
            ([], {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": right.url,
                  "OTEL_METRIC_EXPORT_INTERVAL": "100000"}, "/"),
        ):
            with self.subTest(flags=flags, env=env):
                right.requests.clear()
                sidelight = Sidelight(self, "--otlp-interval", "0.2", *flags, cgroup=self.cgroup(),
                                      env=env)
                right.wait_requests(2)
                self.assertEqual({request[1] for request in right.requests}, {path})
                sidelight.stop()
        self.assertEqual(wrong.requests, [])

    def test_what_cannot_be_used_is_one_line(self):
        for env, line in (
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
             "run: OTEL_EXPORTER_OTLP_PROTOCOL is not http/protobuf"),
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
             "run: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"),
            ({"SIDELIGHT_OTLP": "collector:4318"}, "run: SIDELIGHT_OTLP is not a URL"),
        ):
            with self.subTest(env=env):
                sidelight = Sidelight(self, cgroup=self.cgroup(), env=env)
                lines = [one for one in sidelight.process.text().splitlines() if "OTLP" in one]
                self.assertEqual(len(lines), 1, lines)
                self.assertIn(line, lines[0])
                self.assertNotIn("sidelight_otlp", sidelight.scrape().text)
                sidelight.stop()

    def test_off_there_is_nothing_of_it(self):
        for env in ({}, {"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
                    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRICS_EXPORTER": "none"}):
            with self.subTest(env=env):
                sidelight = Sidelight(self, cgroup=self.cgroup(), env=env)
                self.assertNotIn("otlp", sidelight.scrape().text.lower())
                self.assertNotIn("otlp", sidelight.process.text().lower())
                sidelight.stop()


if __name__ == "__main__":
    harness.main()
