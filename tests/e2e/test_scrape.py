#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""/metrics, /healthz and /readyz: for scrapers, for probes, and for nobody's good."""
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import random
import socket
import subprocess
import time

import clients
import gateway
import harness
import servers
from gateway import COUNT, Driver, Prometheus
from observer import Metrics, Sidelight, http_get

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def setUpModule():
    gateway.build_driver()


def ask(port, path="/metrics", method="GET", host="127.0.0.1", **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Scrape(harness.Case):
    def driver(self, listen="127.0.0.1:0", *args):
        return Driver(self, "--listen", listen, *args)

    def test_formats(self):
        driver = self.driver("127.0.0.1:0", "--label", 'namespace=a"b\\c')
        driver.feed(2)
        status, headers, body = ask(driver.port)
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        plain = Metrics(body.decode())
        self.assertEqual(plain.sum(COUNT, http_route="/ok", namespace='a"b\\c'), 2)
        self.assertEqual(plain.sum("sidelight_build_info"), 1)
        self.assertGreater(plain.sum("sidelight_resident_memory_bytes"), 1 << 20)
        status, headers, body = ask(driver.port, Accept=OPENMETRICS)
        self.assertEqual(headers["Content-Type"],
                         "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(body.endswith(b"\n# EOF\n"))
        self.assertEqual(Metrics(body.decode()).sum(COUNT), plain.sum(COUNT))
        status, headers, packed = ask(driver.port, Accept_Encoding="gzip")
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(Metrics(gzip.decompress(packed).decode()).sum(COUNT), plain.sum(COUNT))
        self.assertLess(len(packed), len(body) / 5)

    def test_promtool_has_nothing_to_say(self):
        harness.need("promtool")
        driver = self.driver()
        driver.feed(1)
        body = ask(driver.port)[2]
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=body, capture_output=True, timeout=30
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_prometheus_reads_it(self):
        # Prometheus asks for OpenMetrics, and its parser refuses what is not.
        driver = self.driver()
        driver.feed(3)
        prometheus = Prometheus(self, driver.port, honors_labels=False)
        harness.wait_for(
            "the counts in Prometheus",
            lambda: prometheus.query(f'{COUNT}{{http_route="/ok"}} == 3'),
            seconds=20,
        )
        self.assertEqual([v for _, v in prometheus.query('up{job="test"}')], [1])
        self.assertTrue(prometheus.query("sidelight_cpu_seconds_total > 0"))

    def test_other_paths_and_methods(self):
        port = self.driver().port
        self.assertEqual(ask(port, "/healthz")[::2], (200, b"ok\n"))
        self.assertEqual(ask(port, "/metrics?x=1")[0], 200)
        self.assertEqual(ask(port, "/")[0], 404)
        self.assertEqual(ask(port, "/metrics/")[0], 404)
        self.assertEqual(ask(port, method="HEAD")[::2], (200, b""))
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            status, headers, _ = ask(port, method=method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)

    def test_ready(self):
        driver = self.driver()
        self.assertEqual(ask(driver.port, "/readyz")[::2], (200, b"ready\n"))
        driver.command("unready", "unready\n")
        self.assertEqual(ask(driver.port, "/readyz")[::2], (503, b"told so\n"))
        self.assertEqual(ask(driver.port, "/healthz")[0], 200)

    def test_keep_alive(self):
        port = self.driver().port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection):
            for _ in range(20):
                connection.request("GET", "/metrics")
                self.assertEqual(len(Metrics(connection.getresponse().read().decode()).samples) > 5,
                                 True)

    def test_addresses(self):
        for listen, hosts in (
            ("[::1]:0", ("::1",)), ("[::]:0", ("::1", "127.0.0.1")), (":0", ("::1", "127.0.0.1")),
            ("0.0.0.0:0", ("127.0.0.1",)), ("localhost:0", ("localhost",)),
        ):
            with self.subTest(listen=listen):
                port = self.driver(listen).port
                for host in hosts:
                    self.assertEqual(ask(port, "/healthz", host=host)[0], 200)

    def test_address_that_cannot_be(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.own(taken)
        for listen, line in (
            (f"127.0.0.1:{taken.getsockname()[1]}", "Address already in use"),
            ("127.0.0.1", "not HOST:PORT"), ("127.0.0.1:70000", "not HOST:PORT"),
            ("::1:9465", "not HOST:PORT"), ("192.0.2.1:0", "Cannot assign requested address"),
        ):
            with self.subTest(listen=listen):
                done = harness.run([gateway.DRIVER, "--listen", listen], check=False)
                self.assertEqual((done.returncode, done.stderr), (2, f"--listen: {line}\n"))


class Quiet(harness.Case):
    """Nothing polls while nothing happens."""

    def wakeups(self, driver):
        """How often it slept; a switch that another process forces on it is no wake-up."""
        text = pathlib.Path(f"/proc/{driver.process.pid}/status").read_text()
        return re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M)[1]

    def assert_quiet(self, driver, why):
        harness.wait_for(f"a time without a wake-up: {why}", lambda: self.rests(driver), 15)

    def rests(self, driver):
        before = self.wakeups(driver)
        time.sleep(1.2)  # longer than any timer that runs out
        return self.wakeups(driver) == before

    def test_idle(self):
        driver = Driver(self, "--listen", "127.0.0.1:0")
        self.assert_quiet(driver, "nobody has connected yet")
        self.assertEqual(ask(driver.port)[0], 200)
        self.assert_quiet(driver, "nobody is connected any more")
        with socket.create_connection(("127.0.0.1", driver.port)) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200", s.recv(4096))
            self.assert_quiet(driver, "a connection that is kept alive")
        self.assert_quiet(driver, "and closed")

    def test_between_pushes(self):
        fake = gateway.FakeGateway(self)
        driver = Driver(self, "--interval-ms", "3600000", push=fake.url)
        fake.wait_requests(1)
        self.assert_quiet(driver, "the connection to the gateway is kept, not watched")


class Hostile(harness.Case):
    def setUp(self):
        super().setUp()
        self.driver = Driver(self, "--listen", "127.0.0.1:0")
        self.port = self.driver.port

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        return self.own(s)

    def assert_serves(self, why):
        status, text = http_get(self.port, "/metrics")
        self.assertEqual(status, 200, why)
        self.assertIn("sidelight_build_info", text)

    def files(self):
        return len(os.listdir(f"/proc/{self.driver.process.pid}/fd"))

    def test_connections_that_say_nothing(self):
        before = self.files()
        for i in range(200):
            self.connect()
            if i % 20 == 0:
                self.assert_serves(f"{i + 1} silent connections")
        self.assert_serves("200 silent connections")
        self.assertLess(self.files(), before + 30)

    def test_who_had_to_make_room_is_counted(self):
        sidelight = Sidelight(self, cgroup=self.cgroup())
        for _ in range(40):
            self.own(socket.create_connection(("127.0.0.1", sidelight.port), timeout=5))
        evicted = "sidelight_scrape_connections_evicted_total"
        # 16 may stay.
        harness.wait_for("the count", lambda: sidelight.scrape().sum(evicted) >= 24)

    def test_slow_heads(self):
        crowd = [self.connect() for _ in range(64)]
        for letter in b"GET /metrics HTT":
            for s in crowd:
                with contextlib.suppress(OSError):  # those that were thrown out
                    s.send(bytes([letter]))
            self.assert_serves("slow loris")

    def test_nonsense(self):
        rng = random.Random(5)
        for message in (
            b"\0" * 70000,
            b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nX: " + b"b" * 65536 + b"\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
            b"GET /metrics HTTP/9.9\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n" + b"z" * 4096,
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f\r\n" * 99,
            b"\r\n" * 5000,
            bytes(rng.randrange(256) for _ in range(20000)),
        ):
            with self.subTest(message=message[:40]), self.connect() as s:
                with contextlib.suppress(OSError):
                    s.sendall(message)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                self.assert_serves(message[:40])

    def test_clients_that_leave(self):
        self.driver.feed(100)
        for _ in range(100):
            with self.connect() as s:
                # The answer meets a reset.
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        self.assert_serves("resets")
        self.assertTrue(self.driver.process.is_running())


class Created(harness.Case):
    """When counters and histograms began, in OpenMetrics text."""

    def created(self, sidelight):
        """As [family, labels, seconds], read by a parser that is not ours."""
        page = http_get(sidelight.port, "/metrics", headers={"Accept": OPENMETRICS})[1]
        done = subprocess.run([harness.SERVERS / "openmetrics_parse.py", "created"], input=page,
                              capture_output=True, text=True, check=True, timeout=30)
        return json.loads(done.stdout)

    def test_created(self):
        server = servers.Scripted(self)
        last = 0
        for _ in range(2):  # what a restart lost is told from what began then
            before = time.time()
            sidelight = Sidelight(self, "--created=on", cgroup=server.cgroup)
            clients.get(server.port, "/ok")
            scrape = sidelight.settle(server.port)
            began = self.created(sidelight)
            for name, labels, when in began:
                if labels is not None:
                    self.assertLess(before - 1, when, name)
                    self.assertLess(when, time.time() + 1, name)
            gauges = set(re.findall(r"^# TYPE (\S+) gauge$", scrape.text, re.M))
            self.assertEqual({name for name, labels, _ in began if labels is None} - gauges, set())
            self.assertNotIn("_created", scrape.text)
            own = next(when for name, labels, when in began
                       if name == "http_server_request_duration_seconds"
                       and labels["http_route"] == "/ok")
            self.assertLess(last, own)
            last = own
            sidelight.process.stop()

    def test_off(self):
        server = servers.Scripted(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        clients.get(server.port, "/ok")
        sidelight.settle(server.port)
        self.assertEqual({when for _, _, when in self.created(sidelight)}, {None})


if __name__ == "__main__":
    harness.main()
