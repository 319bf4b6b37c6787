#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Bytes that are no HTTP where HTTP should be, as tests/replay/cases_garbage.py has them, on live
connections: each request keeps the response that is its own.
"""
# tests/run: shares the machine
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight
from rings import PREFACE, SETTINGS, frame

RESPONSES = {
    "shoutcast": b"ICY 200 OK\r\nicy-name: radio\r\n\r\n",
    "no version": b"HTTP 503 Server Busy\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"<html><p>hello</p></html>\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
}


class Responses(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Scripted(self)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)

    def ask(self, target, first="/hello"):
        with Wire(self.server.port) as wire:
            if first:
                wire.send(request_bytes("GET", first))
                self.assertEqual(wire.response()[0], 200)
            wire.send(request_bytes("GET", target))
            while wire.sock.recv(1 << 16):
                pass

    def test_not_http(self):
        """It is the request's, on a new connection and on one that was used before."""
        for name, data in RESPONSES.items():
            for first in (None, "/hello"):
                with self.subTest(name, first=first):
                    self.ask("/plain/" + data.hex(), first)
        count = len(RESPONSES)
        scrape = self.sidelight.assert_counted(
            {("GET", "/hello", "200"): count,
             ("GET", "/plain/{id}", "malformed_response"): 2 * count}, self.server.port)
        self.assertEqual(scrape.lost(), {})

    def test_status_line_without_head(self):
        self.ask("/half-head/500")
        scrape = self.sidelight.assert_counted(
            {("GET", "/hello", "200"): 1, ("GET", "/half-head/{id}", "500"): 1}, self.server.port)
        self.assertEqual(scrape.lost(), {})

    def test_refused_preface(self):
        """A server that does not speak HTTP/2 answers with 400, in HTTP/1."""
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        with Wire(server.port) as wire:
            wire.send(PREFACE + frame(SETTINGS))
            while wire.sock.recv(1 << 16):
                pass
        scrape = sidelight.assert_counted({("_OTHER", "unknown", "400"): 1}, server.port)
        self.assertEqual(scrape.lost(), {})

    def test_two_spaces(self):
        with Wire(self.server.port) as wire:
            data = b"HTTP/1.1  404 Gone\r\nContent-Length: 0\r\n\r\n"
            wire.send(request_bytes("GET", "/plain/" + data.hex()))
            while wire.sock.recv(1 << 16):
                pass
        self.sidelight.assert_counted({("GET", "/plain/{id}", "404"): 1}, self.server.port)


class Requests(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Nginx(self)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)

    def talk(self, data):
        """All that the server answers."""
        answer = b""
        with Wire(self.server.port) as wire:
            wire.send(data)
            while piece := wire.sock.recv(1 << 16):
                answer += piece
        return answer

    def test_first_line(self):
        lines = (b"hello, who is there?\r\n\r\n", b"GET\r\n\r\n", b"\x01\x02\x03\r\n\r\n")
        statuses = [self.talk(line).split(b" ")[1].decode() for line in lines]
        expected = {}
        for status in statuses:
            expected["_OTHER", "unknown", status] = statuses.count(status)
        self.assertEqual(statuses[0], "400")
        scrape = self.sidelight.assert_counted(expected, self.server.port)
        self.assertEqual(scrape.lost(), {})

    def test_stray_body(self):
        """The server reads it as the next request, and says so."""
        answer = self.talk(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\nlogin=foo&password=bar\r\n\r\n")
        first = answer.split(b" ")[1].decode()
        self.assertIn(b"HTTP/1.1 400 ", answer)
        scrape = self.sidelight.assert_counted(
            {("GET", "/hello", first): 1, ("_OTHER", "unknown", "400"): 1}, self.server.port)
        self.assertEqual(scrape.lost(), {})


if __name__ == "__main__":
    harness.main()
