#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Gateways that answer without end, or without sense: an attempt costs a bounded number of bytes, of
memory and of seconds, and when the gateway is well again, every count arrives.
"""
import gzip
import pathlib
import re
import time

import gateway
import harness
from endless import HostileGateway, once, repeat
from gateway import COUNT, Driver, FakeGateway
from observer import Metrics, http_get

TIMEOUT_S = 1.5
GROWTH_KB = 3 << 10  # the transfer itself, TCP buffers are the kernel's
SENT_MAX = 4 << 20  # of an answer, until its connection is ended: both kernels' buffers are in it


def setUpModule():
    gateway.build_driver()


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(b"\0" * (64 << 20))

# why, script, the result that is counted, and a word of the log ("" if none is expected)
ENDLESS = [
    ("a body with a length", repeat(OK + b"Content-Length: 999999999999\r\n\r\n", b"x" * 65536),
     "ok", "accepted"),
    ("a body until the connection closes", repeat(OK + b"\r\n", b"x" * 65536), "ok", "accepted"),
    ("a body in chunks", repeat(b"HTTP/1.1 500 no\r\nTransfer-Encoding: chunked\r\n\r\n",
                                b"10000\r\n" + b"x" * 65536 + b"\r\n"), "failed", "500"),
    ("a body of one-byte chunks", repeat(b"HTTP/1.1 503 no\r\nTransfer-Encoding: chunked\r\n\r\n",
                                         b"1\r\nx\r\n" * 1000), "failed", "503"),
    ("an extension of a chunk", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"e=f;" * 9999),
     "failed", "does not end"),
    ("trailers", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-T: y\r\n" * 1000),
     "failed", "do not end"),
    ("one trailer", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: ", b"y" * 65536),
     "failed", "chunked coding"),
    ("trailers of one byte", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
                                    b"a:\r\n" * 9999), "failed", "do not end"),
    ("header fields", repeat(OK, b"X-A: " + b"y" * 1000 + b"\r\n"), "failed", "do not end"),
    ("a header field", repeat(OK + b"X: ", b"y" * 65536), "failed", "does not end"),
    ("a folded header field", repeat(OK + b"X: y\r\n", b" fold\r\n" * 9999), "failed", "do"),
    ("a status line", repeat(b"HTTP/1.1 200 ", b"y" * 65536), "failed", "does not end"),
    ("interim answers", repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "failed", "do not end"),
    ("early hints", repeat(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000), "failed",
     "do not end"),
    ("bytes after an upgrade", repeat(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                      b"x" * 65536), None, ""),
    ("line ends", repeat(b"", b"\r\n" * 9999), None, ""),
    ("noise", repeat(b"", bytes(range(256)) * 256), None, ""),
    ("a bomb", repeat(OK + b"Content-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n", BOMB),
     "ok", "accepted"),
]

DRIPS = [
    ("a body", repeat(OK + b"Content-Length: 999999\r\n\r\n", b"x", 0.05)),
    ("header fields", repeat(OK, b"X-A: y\r\n", 0.05)),
    ("interim answers", repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)),
    ("trailers", repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", 0.05)),
    ("a status line", repeat(b"HTTP/1.1 2", b"0", 0.05)),
]


class Hostile(harness.Case):
    def start(self, script):
        self.hostile = HostileGateway(self, script)
        self.driver = Driver(
            self, "--listen", "127.0.0.1:0", "--interval-ms", "100", "--timeout-ms",
            str(int(TIMEOUT_S * 1000)), push=self.hostile.url,
        )
        self.driver.feed(1)

    def peak_kb(self):
        status = pathlib.Path(f"/proc/{self.driver.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1))

    def attempts(self, count):
        harness.wait_for(
            f"{count} attempts", lambda: len(self.hostile.done) >= count, seconds=10 + 3 * count
        )
        return self.hostile.done[:count]

    def check_recovery(self):
        """The same driver, whose gateway becomes an honest one, tells all that was counted."""
        port = int(self.hostile.url.rsplit(":", 1)[1])
        self.hostile.close()
        fake = FakeGateway(self, port=port)
        self.driver.feed(2)

        def event():
            page = Metrics(fake.requests[-1][3]) if fake.requests else None
            return page if page and page.sum(COUNT, http_route="/ok") == self.driver.fed else None

        return harness.wait_for("all counts", event, seconds=15, pause=0.05)

    def test_answers_without_end(self):
        for why, script, result, word in ENDLESS:
            with self.subTest(why=why):
                self.start(script)
                before = self.peak_kb()
                # After a push that was accepted, the second asks what the gateway is, and the
                # third reads the time of the push.
                for sent, seconds in self.attempts(4):
                    self.assertLess(sent, SENT_MAX)
                    self.assertLess(seconds, TIMEOUT_S + 1.5)
                self.assertLess(self.peak_kb() - before, GROWTH_KB)
                self.assertEqual(http_get(self.driver.port, "/healthz")[0], 200)
                if word:
                    self.assertIn(word, "".join(self.driver.log("push:")))
                metrics = self.check_recovery()
                if result:
                    self.assertGreaterEqual(metrics.sum("sidelight_pushes_total", result=result), 2)
                self.driver.process.stop()

    def test_answers_that_drip(self):
        for why, script in DRIPS:
            with self.subTest(why=why):
                self.start(script)
                for _, seconds in self.attempts(1):
                    self.assertLess(seconds, TIMEOUT_S + 1.5)
                metrics = self.check_recovery()
                self.assertGreaterEqual(metrics.sum("sidelight_pushes_total", result="timeout"), 1)
                self.driver.process.stop()

    def test_redirects_are_not_followed(self):
        for location in ("/metrics/job/shop", "file:///etc/shadow", "gopher://127.0.0.1:1/x",
                         "//[::1]:1/", "http://x/\x1b[31mred\x07"):
            with self.subTest(location=location):
                answer = f"HTTP/1.1 307 F\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                self.start(once(answer.encode()))
                self.driver.tells("redirected (307 to ")
                self.assertTrue(self.driver.process.text().isprintable() or
                                not re.search(r"[\x00-\x08\x0b-\x1f]", self.driver.process.text()))
                targets = set(self.hostile.targets)
                self.assertEqual(targets, {b"PUT /metrics/job/shop HTTP/1.1"})
                self.check_recovery()
                self.driver.process.stop()

    def test_an_answer_before_the_question(self):
        # A body of several chunks is still being sent when it comes.
        self.start(once(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"))
        self.driver.command("widen 300", "widened 300\n")
        self.driver.tells("rejected (413")
        self.check_recovery()

    def test_it_ends_in_time(self):
        self.start(ENDLESS[5][1])
        self.attempts(1)
        begin = time.monotonic()
        self.assertEqual(self.driver.process.stop(), 0)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(self.hostile.targets[-1], b"DELETE /metrics/job/shop HTTP/1.1")


if __name__ == "__main__":
    harness.main()
