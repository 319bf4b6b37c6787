#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
HTTP/1 as it can be written on a wire: cut anywhere, pipelined, interim
responses, odd methods and targets. Every case is a row: what is sent, what
must be counted.
"""
# tests/run: shares the machine
import collections

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight


class Messages(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Scripted(self)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)

    def assert_counted(self, *rows):
        """rows: (method, route, result) or (method, route, result, times)."""
        expected = collections.Counter()
        for method, route, result, *times in rows:
            expected[method, route, str(result)] += times[0] if times else 1
        return self.sidelight.assert_counted(expected, self.server.port)

    def test_pipelining_20_deep(self):
        for depth, target, route in ((20, "/hello", "/hello"), (20, "/bytes/8192", "/bytes/{id}")):
            with self.subTest(target=target), Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", target) * depth)
                for _ in range(depth):
                    self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("GET", "/hello", 200, 20), ("GET", "/bytes/{id}", 200, 20))

    def test_pipelining_of_different_requests(self):
        plan = [
            ("GET", "/status/404"),
            ("POST", "/hello"),
            ("HEAD", "/bytes/70000"),
            ("GET", "/chunks/3/900/0"),
            ("PUT", "/hello"),
            ("GET", "/status/204"),
            ("DELETE", "/hints"),
            ("GET", "/trailers"),
        ] * 5
        body = b"GET /not-a-request HTTP/1.1\r\n\r\n"
        with Wire(self.server.port) as wire:
            wire.send(
                b"".join(
                    request_bytes(m, t, body=body if m in ("POST", "PUT") else b"") for m, t in plan
                )
            )
            for method, _ in plan:
                wire.response(method)
        self.assert_counted(
            ("GET", "/status/{id}", 404, 5),
            ("POST", "/hello", 200, 5),
            ("HEAD", "/bytes/{id}", 200, 5),
            ("GET", "/chunks/{id}/{id}/{id}", 200, 5),
            ("PUT", "/hello", 200, 5),
            ("GET", "/status/{id}", 204, 5),
            ("DELETE", "/hints", 200, 5),
            ("GET", "/trailers", 200, 5),
        )

    def test_pipelining_behind_skipped_bodies(self):
        """Heads may hide in what is not copied of large bodies: then they are lost, not wrong."""
        plan = [("GET", "/chunks/3/30000/0"), ("GET", "/status/404"), ("HEAD", "/bytes/70000")] * 12
        with Wire(self.server.port) as wire:
            wire.send(b"".join(request_bytes(m, t) for m, t in plan))
            for method, _ in plan:
                wire.response(method)
        counted = collections.Counter()
        for target, route, method in (
            ("/chunks/3/30000/0", "/chunks/{id}/{id}/{id}", "GET"),
            ("/status/404", "/status/{id}", "GET"),
            ("/bytes/70000", "/bytes/{id}", "HEAD"),
        ):
            counted[method, route, "404" if "status" in target else "200"] = 12
        scrape = self.sidelight.settle(self.server.port)
        self.assertFalse(scrape.requests() - counted, "invented")
        lost = scrape.sum("sidelight_requests_lost_total")
        self.assertEqual(scrape.requests().total() + lost, len(plan))

    def test_head_cut_at_every_byte(self):
        data = request_bytes("POST", "/users/1842", "X-Pad: abc", body=b"k=v")
        with Wire(self.server.port) as wire:
            for cut in range(1, len(data)):
                wire.send_cut(data, [data[:cut], data[cut:]])
                self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("POST", "/users/{id}", 200, len(data) - 1))

    def test_head_one_byte_at_a_time(self):
        data = request_bytes("PROPFIND", "/hello", "User-Agent: e2e")
        with Wire(self.server.port) as wire:
            for _ in range(3):
                wire.send_cut(data, [data[i : i + 1] for i in range(len(data))])
                self.assertEqual(wire.response()[0], 200)
        # And on connections of its own: the first bytes decide what it is.
        for _ in range(3):
            with Wire(self.server.port) as wire:
                wire.send_cut(data, [data[i : i + 1] for i in range(len(data))])
                self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("_OTHER", "/hello", 200, 6))

    def test_response_one_byte_at_a_time(self):
        with Wire(self.server.port) as wire:
            for _ in range(5):
                wire.send(request_bytes("GET", "/pieces"))
                self.assertEqual(wire.response(), (200, b"hello\n"))
        self.assert_counted(("GET", "/pieces", 200, 5))

    def test_body_that_looks_like_requests(self):
        body = request_bytes("GET", "/not-a-request") * 400
        with Wire(self.server.port) as wire:
            for _ in range(3):
                wire.send_cut(
                    b"",
                    [
                        request_bytes("POST", "/hello", body=body)[:60],
                        request_bytes("POST", "/hello", body=body)[60:],
                    ],
                )
                self.assertEqual(wire.response()[0], 200)
            head = request_bytes("PUT", "/hello", f"Content-Length: {len(body)}")
            wire.send_cut(b"", [head] + [body[at : at + 48] for at in range(0, len(body), 48)])
            self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("POST", "/hello", 200, 3), ("PUT", "/hello", 200))

    def test_chunked_upload(self):
        chunk = b"GET / HTTP/1.1\r\n\r\n" * 100
        data = request_bytes("POST", "/hello", "Transfer-Encoding: chunked")
        data += (b"%x;ext=1\r\n" % len(chunk) + chunk + b"\r\n") * 30 + b"0\r\nTrailer: 1\r\n\r\n"
        with Wire(self.server.port) as wire:
            wire.send(data.replace(b"Trailer: 1\r\n", b""))
            self.assertEqual(wire.response()[0], 200)
            wire.send(request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("POST", "/hello", 200), ("GET", "/hello", 200))

    def test_chunked_trailers_and_folded_heads(self):
        with Wire(self.server.port) as wire:
            for target in ("/trailers", "/folded", "/trailers"):
                wire.send(request_bytes("GET", target, "X-Folded: a", " b", "\tc"))
                if target == "/folded":
                    wire.read_until(b"hello\n")
                else:
                    self.assertEqual(
                        wire.read_until(b"X-More: HTTP/1.1 500 no\r\n\r\n").split()[1], b"200"
                    )
        self.assert_counted(("GET", "/trailers", 200, 2), ("GET", "/folded", 200))

    def test_bare_lf_and_empty_lines_between_requests(self):
        with Wire(self.server.port) as wire:
            wire.send(b"\r\n\r\nGET /hello HTTP/1.1\nHost: e2e\n\n")
            self.assertEqual(wire.response()[0], 200)
            wire.send(b"\r\n" + request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("GET", "/hello", 200, 2))

    def test_interim_responses(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/hints"))
            self.assertEqual(wire.response()[0], 200)
            body = b"x" * 300_000
            head = request_bytes(
                "PUT", "/upload", "Expect: 100-continue", f"Content-Length: {len(body)}"
            )
            wire.send(head)
            self.assertIn(b"100 Continue", wire.read_until(b"\r\n\r\n"))
            wire.send(body)
            self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("GET", "/hints", 200), ("PUT", "/upload", 200))

    def test_head_and_bodiless_statuses(self):
        with Wire(self.server.port) as wire:
            for method, target, status in (
                ("HEAD", "/bytes/1000000", 200),
                ("GET", "/status/204", 204),
                ("GET", "/status/304", 304),
                ("HEAD", "/status/404", 404),
                ("GET", "/hello", 200),
            ):
                wire.send(request_bytes(method, target))
                self.assertEqual(wire.response(method)[0], status)
        self.assert_counted(
            ("HEAD", "/bytes/{id}", 200),
            ("GET", "/status/{id}", 204),
            ("GET", "/status/{id}", 304),
            ("HEAD", "/status/{id}", 404),
            ("GET", "/hello", 200),
        )

    def test_methods(self):
        with Wire(self.server.port) as wire:
            for method in (
                "GET",
                "PUT",
                "PROPFIND",
                "MKCOL",
                "REPORT",
                "M-SEARCH",
                "PURGE",
                "BREW",
                "X_Y",
                "get",
            ):
                wire.send(request_bytes(method, "/hello"))
                self.assertEqual(wire.response()[0], 200)
        self.assert_counted(
            ("GET", "/hello", 200), ("PUT", "/hello", 200), ("_OTHER", "/hello", 200, 8)
        )

    def test_targets(self):
        rows = [
            ("GET", f"http://e2e:80/users/7?x=1", "/users/{id}"),
            ("GET", "/a//b/", "/a/b/"),
            ("GET", "/hello?next=/users/9#frag", "/hello"),
            ("GET", "http://e2e", "/"),
        ]
        with Wire(self.server.port) as wire:
            for method, target, _ in rows:
                wire.send(request_bytes(method, target))
                self.assertEqual(wire.response()[0], 200)
            wire.send(request_bytes("OPTIONS", "*"))
            self.assertEqual(wire.response()[0], 200)
        self.assert_counted(*[(m, route, 200) for m, _, route in rows], ("OPTIONS", "*", 200))

    def test_connect_is_a_tunnel(self):
        inner = servers.Scripted(self)
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("CONNECT", f"127.0.0.1:{inner.port}"))
            self.assertEqual(wire.read_until(b"\r\n\r\n").split()[1], b"200")
            for _ in range(5):
                wire.send(request_bytes("GET", "/inside"))
                self.assertEqual(wire.response()[0], 200)
        # The proxy's own connection to the inner server is HTTP that it carries.
        scrape = self.sidelight.settle(self.server.port)
        self.assertEqual(self.connect_results(scrape), {"200": 1})
        self.assertEqual(
            scrape.sum("http_server_request_duration_seconds_count", http_route="/inside"), 0
        )
        self.assertEqual(scrape.requests("client"), {("GET", "/inside", "200"): 5})

    def connect_results(self, scrape):
        return {r: n for (m, _, r), n in scrape.requests().items() if m == "CONNECT"}

    def test_upgrade_ends_http(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/hello"))
            wire.response()
            wire.send(request_bytes("GET", "/upgrade", "Connection: upgrade", "Upgrade: echo"))
            self.assertEqual(wire.response()[0], 101)
            for _ in range(5):
                data = request_bytes("GET", "/inside") + b"HTTP/1.1 500 No\r\n\r\n"
                wire.send(data)
                self.assertEqual(wire.read(len(data)), data)
        self.assert_counted(("GET", "/hello", 200), ("GET", "/upgrade", 101))

    def test_probes_are_counted_apart(self):
        for _ in range(4):
            clients.get(self.server.port, "/healthz", headers={"User-Agent": "kube-probe/1.36"})
        clients.get(self.server.port, "/healthz", headers={"User-Agent": "curl/8"})
        scrape = self.assert_counted(("GET", "/healthz", 200))
        self.assertEqual(scrape.sum("sidelight_probe_requests_total"), 4)

    def test_large_heads(self):
        for size, count in ((8_000, 2), (15_000, 2), (65_536, 2)):
            with Wire(self.server.port) as wire:
                for _ in range(count):
                    wire.send(request_bytes("GET", "/hello", "X-Large: " + "a" * size))
                    self.assertEqual(wire.response()[0], 200)
        self.assert_counted(("GET", "/hello", 200, 6))


if __name__ == "__main__":
    harness.main()
