#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What is hard for the BPF programs themselves: many messages in one segment of
the kernel, sequence numbers that wrap within one body, heads over every limit,
answers whose length only the request tells.
"""
import collections
import socket
import time

import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight

GIB = 1 << 30


class Capture(harness.Case):
    def start(self, server, *flags):
        self.server = server
        self.sidelight = Sidelight(self, *flags, cgroup=server.cgroup)

    def test_many_answers_in_one_write(self):
        """As many as a read of the kernel's largest segment holds, and then some."""
        self.start(servers.Scripted(self))
        with Wire(self.server.port) as wire:
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            for depth in (7, 40):
                for _ in range(5):
                    wire.send(request_bytes("GET", f"/batch/{depth}/8192") * depth)
                    for _ in range(depth):
                        self.assertEqual(wire.response(), (200, b"b" * 8192))
        scrape = self.sidelight.settle(self.server.port)
        counted = scrape.requests()
        key = ("GET", "/batch/{id}/{id}", "200")
        self.assertEqual(set(counted), {key})
        self.assertEqual(counted[key] + scrape.lost_requests(), 5 * 47, scrape.text)
        self.assertEqual(scrape.lost_requests(), 0)

    def test_refused_expectations(self):
        """After 417 or 401 there may be no body, but the next request; or the body."""
        self.start(servers.Scripted(self))
        body = b"POST of what looks like a request? "[::-1] * 600
        framings = (f"Content-Length: {len(body)}", body), (
            "Transfer-Encoding: chunked",
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        )
        expected = collections.Counter()
        with Wire(self.server.port) as wire:
            for _ in range(5):
                for status in (417, 401):
                    for framing, wired in framings:
                        for sends in ("nothing", "body"):
                            target = f"/refuse/{status}/{sends}"
                            wire.send(
                                request_bytes("PUT", target, framing, "Expect: 100-continue")
                            )
                            self.assertEqual(wire.response()[0], status)
                            if sends == "body":
                                wire.send(wired)
                            expected["PUT", f"/refuse/{{id}}/{sends}", str(status)] += 1
                            wire.send(request_bytes("GET", "/hello"))
                            self.assertEqual(wire.response()[0], 200)
                            expected["GET", "/hello", "200"] += 1
        scrape = self.sidelight.settle(self.server.port)
        self.assertEqual(scrape.requests(), expected)
        self.assertEqual(scrape.lost_requests(), 0)

    def test_body_beyond_the_sequence_numbers(self):
        """3 GiB: more than 2^31, and past 2^32 for most of the first sequence numbers."""
        self.start(servers.Nginx(self), "--body-sizes")
        size = 3 * GIB
        self.server.www("huge", size)
        room = bytearray(4 << 20)
        with Wire(self.server.port) as wire:
            start = time.monotonic()
            wire.send(request_bytes("GET", "/www/huge"))
            self.assertIn(b" 200 ", wire.read_until(b"\r\n\r\n"))
            got = len(wire.buffer)
            wire.buffer = b""
            while got < size:
                # Cut off by the kernel: it need not be copied to be received.
                n = wire.sock.recv_into(room, min(len(room), size - got), socket.MSG_TRUNC)
                self.assertGreater(n, 0)
                got += n
            ours = time.monotonic() - start
            scrape = self.sidelight.wait_counted(1)
            wire.send(request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)
        count, seconds = scrape.duration(http_route="/www/huge")
        self.assertEqual(count, 1)
        self.assertLessEqual(seconds, ours + 0.001)
        self.assertGreater(seconds, ours * 0.8)
        name = "http_server_response_body_size_bytes_sum"
        self.assertEqual(scrape.sum(name, http_route="/www/huge"), size)
        self.sidelight.assert_counted(
            {("GET", "/www/huge", "200"): 1, ("GET", "/hello", "200"): 1}, self.server.port
        )

    def test_response_heads_over_16_kib(self):
        """Of the longer ones the beginning and the end is copied; or of head and body, no end."""
        self.start(servers.Scripted(self))
        expected = collections.Counter()
        for size in (15_000, 17_000, 40_000, 100_000, 300_000):
            for body in (1, 100, 5_000):
                for framing in ("length", "chunks", "close"):
                    expected += self.long_head(size, body, framing)
        self.sidelight.assert_counted(expected, self.server.port)

    def long_head(self, size, body, framing):
        counts = collections.Counter()
        with Wire(self.server.port) as wire:
            for method in ("HEAD", "GET", "GET"):
                if framing == "close" and method == "HEAD":
                    continue
                target = f"/long-head/{size}/{body}/{framing}"
                wire.send(request_bytes("GET", "/status/404"))
                self.assertEqual(wire.response()[0], 404)
                wire.send(request_bytes(method, target))
                wanted = b"" if method == "HEAD" else b"b" * body
                self.assertEqual(wire.response(method), (200, wanted))
                counts[method, f"/long-head/{{id}}/{{id}}/{framing}", "200"] += 1
                counts["GET", "/status/{id}", "404"] += 1
                if framing == "close":
                    break
        return counts

    def test_head_and_get_mixed(self):
        """The same answer head is followed by a body or not, as the request's method says."""
        self.start(servers.Scripted(self))
        plan = [("HEAD", "/bytes/900"), ("GET", "/bytes/900"), ("HEAD", "/bytes/2000")]
        plan += [("HEAD", "/status/404"), ("GET", "/status/404")]
        with Wire(self.server.port) as wire:
            for _ in range(20):
                wire.send(b"".join(request_bytes(m, t) for m, t in plan))
                for method, _ in plan:
                    wire.response(method)
        expected = collections.Counter(
            {
                ("HEAD", "/bytes/{id}", "200"): 40,
                ("GET", "/bytes/{id}", "200"): 20,
                ("HEAD", "/status/{id}", "404"): 20,
                ("GET", "/status/{id}", "404"): 20,
            }
        )
        self.sidelight.assert_counted(expected, self.server.port)


if __name__ == "__main__":
    harness.main()
