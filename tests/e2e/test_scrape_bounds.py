#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What readers of /metrics cost: one page is shared by all of them, whatever they do with it, and
honest scrapes go on beside them.
"""
import contextlib
import gzip
import http.client
import os
import pathlib
import re
import socket
import time

import gateway
import harness
from gateway import Driver
from observer import Metrics

EVICTED = "sidelight_scrape_connections_evicted_total"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
WIDE = 2400  # routes: series of which a page has about 10 MB
# For four pages, their compressor, and the buffers of 16 connections.
GROWTH_KB = 8 << 10


def setUpModule():
    gateway.build_driver()


class Scraped(harness.Case):
    """A driver whose page is large, and clients of it."""

    def start(self, routes):
        self.driver = Driver(
            self, "--listen", "127.0.0.1:0", "--label", "namespace=prod", "--label", "pod=web-1"
        )
        self.driver.command(f"widen {routes}", f"widened {routes}\n")
        self.routes = routes
        self.port = self.driver.port
        self.page()  # what the first page needs once is no growth

    def memory_kb(self, key):
        status = pathlib.Path(f"/proc/{self.driver.process.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M).group(1))

    def forget_peak(self):
        """The peak of resident memory is now's (proc(5), clear_refs)."""
        pathlib.Path(f"/proc/{self.driver.process.pid}/clear_refs").write_text("5")
        return self.memory_kb("VmHWM")

    def get(self, *fields):
        """(status, headers, body) of a GET with these (name, value) pairs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.putrequest("GET", "/metrics", skip_accept_encoding=True)
            for name, value in fields:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def page(self):
        """A whole page, compressed as scrapers ask for it."""
        status, headers, body = self.get(("Accept-Encoding", "gzip"), ("Accept", OPENMETRICS))
        self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
        text = gzip.decompress(body).decode()
        self.assertTrue(text.endswith("\n# EOF\n"))
        count = text.count("\nhttp_server_request_duration_seconds_count{")
        self.assertEqual(count, self.routes)
        return text

    def self_metrics(self):
        lines = self.page().splitlines()
        return Metrics("\n".join(line for line in lines if line.startswith("sidelight_")))

    def reader(self, head, buffer=2048):
        """A client that has asked, and has not read yet."""
        s = socket.socket()
        self.own(s)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        s.settimeout(10)
        s.connect(("127.0.0.1", self.port))
        with contextlib.suppress(OSError):  # thrown out already
            s.sendall(head)
        return s

    def wait_evicted(self, reason, count=1, seconds=15):
        harness.wait_for(
            f"{count} evictions with reason {reason}",
            lambda: self.self_metrics().sum(EVICTED, reason=reason) >= count, seconds,
        )


GETS = [
    f"GET /metrics HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()
    for fields in ("", "Accept-Encoding: gzip\r\n", f"Accept: {OPENMETRICS}\r\n",
                   f"Accept: {OPENMETRICS}\r\nAccept-Encoding: gzip\r\n")
]


class Readers(Scraped):
    def test_readers_that_do_not_read(self):
        self.start(WIDE)
        before = self.forget_peak()
        for i in range(40):
            self.reader(GETS[i % len(GETS)])
        for _ in range(5):
            start = time.monotonic()
            self.page()
            self.assertLess(time.monotonic() - start, 3)
        self.assertGreater(len(self.get()[2]), 9 << 20)
        self.wait_evicted("connections", 24)
        self.wait_evicted("stalled")
        self.assertLess(self.memory_kb("VmHWM") - before, GROWTH_KB)

    def test_pages_that_are_held(self):
        # Of two formats, two pages each second, none of which is read to its end.
        self.start(300)
        before = self.forget_peak()

        def event():
            for get in GETS[::2]:
                self.reader(get)
            return self.self_metrics().sum(EVICTED, reason="pages") > 0

        harness.wait_for("the oldest page to be given up", event, 20, pause=0.3)
        held = self.self_metrics().sum("sidelight_scrape_page_bytes")
        self.assertLessEqual(held, 4 * (256 << 10))
        self.assertLess(self.memory_kb("VmHWM") - before, GROWTH_KB)

    def test_a_reader_that_drips(self):
        self.start(WIDE)
        slow = self.reader(GETS[0], buffer=64 << 10)

        def event():
            with contextlib.suppress(OSError):
                slow.recv(16 << 10)
            return self.self_metrics().sum(EVICTED, reason="slow") > 0

        harness.wait_for("an end of it", event, 40, pause=0.2)

    def test_readers_that_leave(self):
        self.start(WIDE)
        before = self.forget_peak()
        files = len(os.listdir(f"/proc/{self.driver.process.pid}/fd"))
        for i in range(300):
            with contextlib.closing(self.reader(GETS[i % len(GETS)])) as s:
                with contextlib.suppress(OSError):
                    s.recv(1 + i * 10)
        self.page()
        self.assertLess(self.memory_kb("VmHWM") - before, GROWTH_KB)
        harness.wait_for(
            "all connections to be closed",
            lambda: len(os.listdir(f"/proc/{self.driver.process.pid}/fd")) <= files,
        )

    def test_answers_left_unread(self):
        # The answer fits the kernel's buffer, and the connection is closed behind it.
        self.start(10)
        asks = GETS[0].replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")

        def event():
            for _ in range(10):
                self.reader(asks)
            return self.self_metrics().sum(EVICTED, reason="unread") > 0

        harness.wait_for("what is unread to be discarded", event, 20, pause=0)

    def test_pipelining(self):
        self.start(WIDE)
        before = self.forget_peak()
        for get in GETS:
            self.reader(get * 200)
        start = time.monotonic()
        self.page()
        self.assertLess(time.monotonic() - start, 3)
        self.assertLess(self.memory_kb("VmHWM") - before, GROWTH_KB)
        # Who reads gets all of them.
        honest = self.reader(GETS[1] * 20, buffer=1 << 20)
        lengths = set()
        with honest.makefile("rb") as stream:
            for _ in range(20):
                self.assertIn(b" 200 ", stream.readline())
                head = http.client.parse_headers(stream)
                text = gzip.decompress(stream.read(int(head["Content-Length"])))
                lengths.add(text.count(b"http_server_request_duration_seconds_count{"))
        self.assertEqual(lengths, {WIDE})


class Page(Scraped):
    def test_it_is_shared(self):
        self.start(100)
        begin, before = time.monotonic(), self.self_metrics().sum("sidelight_scrape_pages_total")
        seen = {}
        for _ in range(100):
            text = self.page()
            collected = Metrics(text).sum("sidelight_collected_timestamp_seconds")
            self.assertEqual(seen.setdefault(collected, text), text)
        made = self.self_metrics().sum("sidelight_scrape_pages_total") - before
        self.assertLessEqual(made, time.monotonic() - begin + 1)
        self.assertAlmostEqual(collected, time.time(), delta=12)

    def test_it_is_of_one_moment(self):
        self.start(10)
        for _ in range(3):
            asked = time.time()
            self.driver.feed(1000)
            page = harness.wait_for("a page that is new", lambda: self.new_page(asked))
            name = "http_server_request_duration_seconds"
            for labels, count in page.each(f"{name}_count"):
                self.assertEqual(page.sum(f"{name}_bucket", le="+Inf", **labels), count)
            counts = {page.sum(f"{name}_count", http_route=route) for route in ("/ok", "/fail")}
            self.assertEqual(counts, {self.driver.fed})

    def new_page(self, asked):
        page = Metrics(self.page_of_any_size())
        return page if page.is_collected_since(asked) else None

    def page_of_any_size(self):
        return self.get()[2].decode()

    def test_what_the_client_takes(self):
        self.start(10)
        for fields, status, coding in (
            ([], 200, None),
            (["gzip"], 200, "gzip"),
            (["gzip;q=0"], 200, None),
            (["br", "gzip"], 200, "gzip"),
            (["gzip;q=0.2, identity;q=0.9"], 200, None),
            (["identity;q=0"], 406, None),
            (["br, *;q=0"], 406, None),
        ):
            with self.subTest(fields=fields):
                got = self.get(*(("Accept-Encoding", value) for value in fields))
                self.assertEqual((got[0], got[1]["Content-Encoding"]), (status, coding))
                if status == 200:
                    self.assertEqual(got[1]["Vary"], "Accept, Accept-Encoding")
                    self.assertEqual(int(got[1]["Content-Length"]), len(got[2]))


if __name__ == "__main__":
    harness.main()
