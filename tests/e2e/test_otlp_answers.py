#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
What receivers of OTLP may answer: when the next export comes, what is counted and what is logged,
once. Hostile answers cost a bounded number of bytes. TLS and credentials.
"""
import email.utils
import json
import pathlib
import re
import ssl
import time

import gateway
import harness
import otlp
from endless import HostileGateway, repeat
from gateway import Certificates, Driver
from otlp import Collector, partial_success

# So long that the next export of a driver comes either by a retry or not at all.
LONG_MS = "600000"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"


def setUpModule():
    gateway.build_driver()


def exports(resources):
    """{result: count}, and the points that were rejected."""
    have = {}
    points = 0
    for (name, labels), value in otlp.samples(resources).items():
        if name == "sidelight_otlp_exports_total" and value:
            have[dict(labels)["result"]] = value
        if name == "sidelight_otlp_rejected_points_total":
            points = value
    return have, points


class Taken(harness.Case):
    """The status is 200."""

    def check(self, answer, result, line, rejected=0):
        collector = Collector(self, answer=answer)
        driver = Driver(self, "--otlp", collector.url)
        driver.feed(2)
        collector.wait_requests(4)
        lines = driver.log("otlp:")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(line, lines[0])
        have, points = exports(collector.last())
        self.assertEqual(set(have), {result})
        self.assertGreaterEqual(have[result], 2)
        self.assertEqual(points, rejected * have[result])
        driver.process.stop()

    def test_partial_success(self):
        self.check((200, {}, partial_success(7, "too old\nand \x1b[31mred")), "partial",
                   "/v1/metrics accepted, but for 7 points (too old?and ?[31mred)", 7)

    def test_partial_success_without_a_reason(self):
        self.check((200, {}, partial_success(1)), "partial", "1 points (it does not say why)", 1)

    def test_a_warning(self):
        self.check((200, {}, partial_success(0, "slow down")), "ok", "accepted (slow down)")

    def test_nothing_is_said(self):
        for answer in (200, 204, (200, {}, b"\x0a\x00"), (202, {}, b"not read")):
            with self.subTest(answer=answer):
                self.check(answer, "ok", "/v1/metrics accepted")

    def test_fewer_than_no_points_are_none(self):
        self.check((200, {}, partial_success(-5)), "ok", "accepted")

    def test_no_protobuf(self):
        for why, body in (
            ("JSON", json.dumps({"partialSuccess": {}}).encode()),
            ("a length beyond the end", b"\x0a\x7f\x08\x01"),
            ("a length of 4 GiB", b"\x0a\xff\xff\xff\xff\x0f"),
            ("a varint without end", b"\x0a" + b"\xff" * 20),
            ("a group", b"\x0b" * 100),
            ("field number 0", b"\x00\x00"),
            ("ones", b"\xff" * 4000),
        ):
            with self.subTest(why=why):
                self.check((200, {}, body), "unread", "cannot be read (not the protobuf of OTLP)")

    def test_unknown_fields_are_passed_over(self):
        self.check((200, {}, b"\x78\x01" * 4000 + partial_success(3, "x")), "partial",
                   "but for 3 points (x)", 3)

    def test_too_long(self):
        self.check((200, {}, b"\x12" + otlp.varint(9000) + b"x" * 9000), "unread", "(too long)")


class NotTaken(harness.Case):
    def test_when_the_next_one_comes(self):
        """All at once: a first export comes within five seconds."""
        soon, at_interval = (0.5, 1), (300, 600)
        hour = email.utils.formatdate(time.time() + 3600, usegmt=True)
        minute = email.utils.formatdate(time.time() + 60, usegmt=True)
        rows = [
            (429, {}, "put off (429", soon),
            (502, {}, "put off (502", soon),
            (503, {}, "put off (503", soon),
            (504, {}, "put off (504", soon),
            (503, {"Retry-After": "40"}, "put off (503", (40, 40)),
            (429, {"Retry-After": minute}, "put off (429", (40, 61)),
            (503, {"Retry-After": hour}, "put off (503", (600, 600)),
            (503, {"Retry-After": "99999999999999999999"}, "put off (503", (0.5, 600)),
            (503, {"Retry-After": "-5"}, "put off (503", soon),
            (503, {"Retry-After": "0"}, "put off (503", soon),
            (503, {"Retry-After": "tomorrow"}, "put off (503", soon),
            (400, {"Retry-After": "1"}, "rejected (400: why", at_interval),
            (401, {}, "rejected (401", at_interval),
            (404, {}, "rejected (404", at_interval),
            (413, {}, "rejected (413: why); the body had", None),
            (415, {}, "rejected (415", at_interval),
            (500, {}, "failed (500", at_interval),
            (501, {}, "failed (501", at_interval),
            (307, {"Location": "http://127.0.0.1:1/x"}, "redirected (307 to http://127.0.0.1:1/x, not "
             "followed)", at_interval),
            ("nothing", {}, "rejected (empty reply)", at_interval),
        ]
        running = []
        for status, fields, *_ in rows:
            answer = status if status == "nothing" else (status, fields, b"why\nso")
            collector = Collector(self, answer=answer)
            running.append(Driver(self, "--otlp", collector.url, "--interval-ms", LONG_MS))
        for driver, (status, fields, line, times) in zip(running, rows):
            with self.subTest(status=status, fields=fields):
                driver.tells(line)
                lines = driver.log("otlp:")
                self.assertEqual(len(lines), 1, lines)
                if times:
                    delay = float(re.search(r"next try in ([\d.]+) s", lines[0]).group(1))
                    self.assertTrue(times[0] <= delay <= times[1], lines[0])

    def test_what_is_counted(self):
        for answer, result in ((400, "rejected"), (500, "failed"), (503, "busy"), (302, "redirected"),
                               ("nothing", "rejected")):
            with self.subTest(answer=answer):
                collector = Collector(self, answer=answer)
                driver = Driver(self, "--otlp", collector.url, "--interval-ms", "100")
                driver.feed(2)
                collector.wait_requests(3)
                collector.answer = 200
                driver.tells("/v1/metrics accepted")
                have, _ = exports(collector.next())
                self.assertGreaterEqual(have[result], 3)
                self.assertGreaterEqual(have["ok"], 1)
                self.assertEqual(len(driver.log("otlp:")), 2, driver.process.text())
                driver.process.stop()

    def test_nobody_listens_then_somebody(self):
        port = harness.free_port()
        driver = Driver(self, "--otlp", f"http://127.0.0.1:{port}")
        driver.tells("refused (connection refused), next try in ")
        driver.feed(5)
        collector = Collector(self, port=port)
        driver.tells("accepted")
        have, _ = exports(collector.next())
        self.assertGreaterEqual(have["refused"], 1)

    def test_timeout(self):
        collector = Collector(self, answer="hang")
        driver = Driver(self, "--otlp", collector.url, "--timeout-ms", "300")
        driver.tells("timed out (")
        collector.answer = 200
        driver.tells("accepted")


class Hostile(harness.Case):
    """As a gateway's: test_push_hostile.py has the answers that end before a body is read."""

    def test_answers_without_end(self):
        for why, script, result in (
            ("a body with a length", repeat(OK + b"Content-Length: 999999999999\r\n\r\n", b"x" * 65536),
             "unread"),
            ("a body of chunks", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n",
                                        b"10000\r\n" + b"\x78" * 65536 + b"\r\n"), "unread"),
            ("header fields", repeat(OK, b"X-A: " + b"y" * 1000 + b"\r\n"), "failed"),
            ("a body of an error", repeat(b"HTTP/1.1 503 no\r\n\r\n", b"x" * 65536), "busy"),
        ):
            with self.subTest(why=why):
                hostile = HostileGateway(self, script)
                driver = Driver(self, "--otlp", hostile.url, "--interval-ms", "100")
                status = pathlib.Path(f"/proc/{driver.process.pid}/status")
                before = int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1))
                harness.wait_for("three attempts", lambda: len(hostile.done) >= 3, seconds=20)
                self.assertTrue(all(sent < 4 << 20 for sent, _ in hostile.done[:3]), hostile.done)
                grown = int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) - before
                self.assertLess(grown, 3 << 10)
                port = int(hostile.url.rsplit(":", 1)[1])
                hostile.close()
                have, _ = exports(Collector(self, port=port).next())
                self.assertGreaterEqual(have[result], 2)
                driver.process.stop()


class Security(harness.Case):
    """TLS and credentials."""

    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)

    def test_tls_client_certificate_and_token(self):
        c = self.certificates
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(c["server.pem"], c["server.key"])
        context.load_verify_locations(c["ca.pem"])
        context.verify_mode = ssl.CERT_REQUIRED
        collector = Collector(
            self, lambda r: 200 if r[2]["Authorization"] == "Bearer one" else 403, context=context
        )
        client = ("--cert", c["client.pem"], "--key", c["client.key"])
        Driver(self, "--ca", c["other-ca.pem"], *client, "--otlp", collector.url).tells(
            "failed in TLS (")
        token = self.dir / "token"
        driver = Driver(self, "--ca", c["ca.pem"], *client, "--token-file", token,
                        "--headers", "Authorization=Bearer%20wrong", "--otlp", collector.url)
        driver.tells(f"not tried (cannot use {token}: No such file or directory), next try in")
        self.assertEqual(len(driver.log('the header "Authorization" is not sent')), 1)
        token.write_text("two\n")
        driver.tells("rejected (403")
        token.write_text("one\n")
        driver.tells("accepted")
        self.assertNotIn("wrong", driver.process.text())

    def test_headers(self):
        collector = Collector(self, answer=500)
        url = collector.url.replace("://", "://joe:hidden@")
        driver = Driver(self, "--otlp", url, "--headers",
                        "api-key=s3cret%2C1, X-Empty=,content-length=5,x[]=c")
        driver.tells("failed (500")
        _, _, headers, body = collector.requests[0]
        self.assertEqual((headers["Api-Key"], headers["X-Empty"]), ("s3cret,1", ""))
        self.assertTrue(headers["Authorization"].startswith("Basic "))
        self.assertTrue(otlp.decode(body))
        self.assertNotIn("s3cret", driver.process.text())
        self.assertNotIn("hidden", driver.process.text())
        self.assertEqual(len(driver.log('the header "content-length" is not sent')), 1)
        self.assertEqual(len(driver.log('the header "x[]" is not sent')), 1)

    def test_plain(self):
        collector = Collector(self)
        Driver(self, "--plain", "--signal", "--otlp", collector.url + "/x")
        collector.wait_requests(1)
        _, path, headers, body = collector.requests[0]
        self.assertEqual((path, headers["Content-Encoding"]), ("/x", None))
        self.assertTrue(otlp.decode(body))


if __name__ == "__main__":
    harness.main()
