#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
HTTP/2 without TLS of servers and clients nobody here wrote: what is counted
equals what nghttp2's clients saw, or the server's own log, for every method,
status code and route, with up to a thousand streams at once.
"""
import collections
import re
import time

import clients
import harness
import servers
from observer import Sidelight

VERSION = {"network_protocol_version": "2"}
PATHS = ("/hello", "/users/1842", "/missing")


def ask(port, host="127.0.0.1"):
    """For Sidelight.settle(): a request with prior knowledge."""
    command = ["curl", "-qs", "-m", "20", "--http2-prior-knowledge", "-o", "/dev/null"]
    return lambda target: harness.run([*command, f"http://{host}:{port}{target}"])


class Nghttp2(harness.Case):
    """Its server, load generator and client; options make rare frames."""

    def start(self, *args, flags=()):
        self.server = servers.Nghttpd(self, args=args)
        self.sidelight = Sidelight(self, *flags, cgroup=self.server.cgroup)
        self.base = f"http://127.0.0.1:{self.server.port}"

    def assert_counted(self, expected, side="server"):
        scrape = self.sidelight.assert_counted(
            expected, ask(self.server.port), side=side, **VERSION
        )
        self.assertEqual(scrape.requests(side), +expected, "another version was counted")
        self.assertEqual(scrape.lost(), {})
        return scrape

    def h2load(self, count, connections, streams, *args, cgroup=None):
        """Its log, a line for each request, as a Counter of (method, route, status)."""
        uris = self.scratch("uris")
        uris.write_text("".join(f"{self.base}{path}\n" for path in PATHS))
        log = self.scratch("log")
        options = [f"-n{count}", f"-c{connections}", f"-m{streams}", "-i", uris]
        load = self.spawn(["h2load", *options, f"--log-file={log}", *args], cgroup=cgroup)
        self.assertEqual(load.wait(60), 0, load.text())
        self.assertRegex(load.text(), f" {count} done, .* 0 errored, 0 timeout")
        statuses = collections.Counter(line.split("\t")[1] for line in log.read_text().splitlines())
        # Every connection asks for the paths in turn, from the first.
        each = [count // connections + (n < count % connections) for n in range(connections)]
        asked = collections.Counter()
        for number in each:
            for i, path in enumerate(PATHS):
                asked[path] += number // len(PATHS) + (i < number % len(PATHS))
        expected = collections.Counter()
        for path, number in asked.items():
            status = "404" if path == "/missing" else "200"
            expected["GET", clients.route_of(path), status] += number
            statuses[status] -= number
        self.assertEqual(+statuses, {}, "its log tells of other statuses")
        return expected

    def check_streams(self, count, connections, streams):
        self.start(f"-m{streams}")
        self.assert_counted(self.h2load(count, connections, streams, "-w20", "-W24"))

    def test_1_stream(self):
        self.check_streams(3000, 10, 1)

    def test_100_streams(self):
        self.check_streams(20_000, 10, 100)

    def test_1000_streams(self):
        self.check_streams(20_000, 2, 1000)

    def test_1000_connections(self):
        """Both ends of each begin to speak at once."""
        self.check_streams(3000, 1000, 3)

    def test_both_ends(self):
        self.start("-m100")
        expected = self.h2load(5000, 5, 100, cgroup=self.server.cgroup)
        scrape = self.assert_counted(expected)
        self.assertEqual(scrape.requests("client", **VERSION), expected)

    def nghttp(self, *args, paths=PATHS, times=20):
        """One connection; its statistics as a Counter of (method, route, status), pushes left out."""
        uris = [self.base + path for path in paths]
        done = harness.run(["nghttp", "-ns", f"-m{times}", *args, *uris])
        rows = re.findall(
            r"^ *\d+ +\S+ +(\*?) *\S+ +\S+ +(\d+) +\S+ (/\S*)$", done.stdout, re.MULTILINE
        )
        self.assertGreaterEqual(len(rows), len(paths) * times, done.stdout)
        counted = collections.Counter()
        for pushed, status, path in rows:
            if not pushed:
                counted["POST" if "-d" in args else "GET", clients.route_of(path), status] += 1
        self.assertEqual(counted.total(), len(paths) * times, done.stdout)
        return counted, sum(row[0] == "*" for row in rows)

    def test_rare_frames(self):
        """Each row: what it makes, options of the server and of the client."""
        small = "--header-table-size"
        rows = [
            ("frames that are padded", ["-b200"], ["-b200"]),
            ("no table of the decoder", ["-c0"], ["-c0"]),
            ("a small table of the decoder", ["-c64"], ["-c64"]),
            ("a small table of the encoder", ["--encoder-header-table-size=0"], []),
            ("tables that change", ["-c100", "--encoder-header-table-size=50"], ["-c65536"]),
            ("a header block in several frames", [], ["--continuation"]),
            (
                "trailers either way",
                ["--trailer=x-sum: 1"],
                ["--trailer=x-sum: 1", "-d", "/etc/hosts"],
            ),
            ("an interim response", [], ["--expect-continue", "-d", "/etc/hosts"]),
            (
                "no content-length",
                ["--no-content-length"],
                ["--no-content-length", "-d", "/etc/hosts"],
            ),
            ("priorities that depend", [], ["-p7"]),
        ]
        for what, server, client in rows:
            with self.subTest(what):
                # A megabyte of header blocks at once, in some of them.
                self.start(*server, flags=["--ring-bytes", "4M"])
                expected, _ = self.nghttp(*client)
                self.assert_counted(expected)

    def test_server_push(self):
        """Pushed responses are no requests, but they are in the header table."""
        self.start("-p/hello=/users/1842,/users/7")
        expected, pushed = self.nghttp()
        self.assertGreater(pushed, 0)
        self.assert_counted(expected)

    def test_large_bodies(self):
        """Up- and download, of which next to nothing is copied."""
        size = 64 << 20
        self.on_one_cpu()
        # A record for each 16 KiB, faster than a starved reader takes them.
        self.start("-w20", "-W24", "--echo-upload", flags=["--ring-bytes", "16M"])
        self.server.www("large", size)
        before = self.sidelight.scrape()
        expected, _ = self.nghttp("-w20", "-W24", paths=("/large",), times=4)
        more, _ = self.nghttp(
            *("-w20", "-W24", "-d", self.server.dir / "www" / "large"), paths=("/hello",), times=1
        )
        scrape = self.assert_counted(expected + more)
        name = "sidelight_captured_bytes_total"
        copied = (scrape.sum(name) - before.sum(name)) / (6 * size)
        print(f"\nfigure: HTTP/2 bodies: {copied:.3%} of the bytes are copied", flush=True)
        self.assertLess(copied, 0.005)


class Joined(harness.Case):
    """
    Connections that were busy before anybody watched, and whose bodies are many times what is
    read of them until it is known where their frames are.
    """

    SETTLED = 0.5  # seconds until all are followed

    def join(self, side):
        groups = {"server": self.cgroup(), "client": self.cgroup()}
        server = servers.Nghttpd(self, groups["server"])
        server.www("large", 100_000)
        base = f"http://127.0.0.1:{server.port}"
        uris, log = self.scratch("uris"), self.scratch("log")
        uris.write_text("".join(f"{base}{path}\n" for path in (*PATHS, "/large")))
        load = self.spawn(
            ["h2load", "-n120000", "-c4", "-m20", "-i", uris, f"--log-file={log}"],
            cgroup=groups["client"],
        )
        harness.wait_for("the load", lambda: log.exists() and log.stat().st_size > 0)
        before = time.time()
        sidelight = Sidelight(self, "--ring-bytes", "16M", cgroup=groups[side])
        settled = time.time() + self.SETTLED
        self.assertEqual(load.wait(60), 0, load.text())
        spans = []
        for line in log.read_text().splitlines():
            start, _, took = line.split("\t")
            spans.append((int(start) / 1e6, (int(start) + int(took)) / 1e6))
        least = sum(start > settled for start, _ in spans)
        most = sum(end > before for _, end in spans)
        self.assertGreater(least, 3000, "the load had ended before it was joined")
        scrape = sidelight.wait_counted(least, side)
        counted = scrape.requests(side)
        self.assertEqual(set(counted) - {
            ("GET", "/hello", "200"), ("GET", "/users/{id}", "200"),
            ("GET", "/missing", "404"), ("GET", "/large", "200"),
        }, set())
        self.assertGreaterEqual(counted.total(), least, "a connection is not followed")
        self.assertLessEqual(counted.total(), most)
        self.assertEqual(scrape.sum("sidelight_connections_muted_total"), 0)

    def test_served(self):
        for _ in range(2):
            self.join("server")

    def test_made(self):
        for _ in range(2):
            self.join("client")

    def test_many_at_once(self):
        """
        A proxy's connections to its backend that are idle when they are joined, and begin all at
        once. What is read of them until they are followed leaves room in the ring for others.
        """
        backend = servers.Nghttpd(self)
        backend.www("large", 100_000)
        proxy = servers.Haproxy(self, BACKEND=backend.port, PROTO="proto h2")
        count, paths = 3000, (*PATHS, "/large")
        urls = [f"http://127.0.0.1:{proxy.port}{path}" for path in paths]
        load = ["h2load", f"-n{count}", "-c100", "-m100", *urls]
        harness.run(load)
        sidelight = Sidelight(self, cgroup=proxy.cgroup)
        harness.run(load)
        for side in ("server", "client"):
            self.assertEqual(sidelight.wait_counted(count, side).requests(side).total(), count)
        scrape = sidelight.scrape()
        self.assertEqual(scrape.lost_requests(), 0)
        self.assertEqual(scrape.sum("sidelight_events_lost_total"), 0)


class Servers(harness.Case):
    """As for HTTP/1, compared with the server's own access log."""

    def send(self, server):
        """All paths, with every method on a connection of its own, and many at once."""
        base = f"http://127.0.0.1:{server.port}"
        urls = [f"{base}{path.split('#')[0]}" for path, _, _ in clients.PATHS]
        methods = sorted(set(server.methods) - {"CONNECT"})
        for method in methods:
            harness.run(["nghttp", "-n", "-m3", f"-H:method: {method}", *urls])
        uris = self.scratch("uris")
        uris.write_text("\n".join(urls) + "\n")
        harness.run(["h2load", "-n1300", "-c4", "-m25", "-i", uris])
        return len(methods) * 3 * len(urls) + 1300

    def check(self, make):
        server = make(self, HTTP2="http2")
        sidelight = Sidelight(self, cgroup=server.cgroup)
        expected = server.expected(self.send(server))
        scrape = sidelight.assert_counted(expected, ask(server.port))
        self.assertEqual(scrape.requests(**VERSION), expected, "counted as another version")

    def test_nginx(self):
        self.check(servers.Nginx)

    def test_apache(self):
        self.check(servers.Apache)

    def test_apache_upgrade(self):
        """`Upgrade: h2c`: the request came in HTTP/1.1, its answer as the first stream."""
        server = servers.Apache(self, HTTP2="http2")
        sidelight = Sidelight(self, cgroup=server.cgroup)
        plan = clients.make_plan("upgrade", 200, server.methods)
        sent = clients.curl_plan(server.port, plan, self.dir, option="http2")
        expected = server.expected(len(sent))
        scrape = sidelight.assert_counted(expected, ask(server.port))

    def test_caddy(self):
        self.check(servers.Caddy)

    def test_haproxy_both_sides(self):
        backend = servers.Nginx(self, HTTP2="http2")
        proxy = servers.Haproxy(self, BACKEND=backend.port, PROTO="proto h2")
        sidelight = Sidelight(self, cgroup=proxy.cgroup)
        expected = proxy.expected(self.send(proxy))
        scrape = sidelight.assert_counted(expected, ask(proxy.port))
        self.assertEqual(scrape.requests(**VERSION), expected)
        passed_on = expected.total() - sum(
            n for (_, route, _), n in expected.items() if route == "/denied"
        )
        self.assertEqual(scrape.requests("client", **VERSION), backend.expected(passed_on))


if __name__ == "__main__":
    harness.main()
