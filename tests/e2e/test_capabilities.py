#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough to watch a cgroup, and each
of them is needed: without it `run` says so in one line.
"""
import collections
import socket

import clients
import harness
import servers
from observer import Sidelight
from rings import DATA, END_STREAM, HEADERS, PREFACE, SETTINGS, frame

NEEDED = {"bpf": 39, "net_admin": 12, "perfmon": 38}
END_HEADERS = 4
# GET, http, and two literals that enter no table: /hello at an authority (RFC 7541 section 6.2.2)
FIELDS = b"\x82\x86\x04\x06/hello\x01\x04test"
PATHS = ("/hello", "/users/1842", "/missing")


def having(names):
    """A command that executes its arguments with these capabilities and no others."""
    bounds = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all"]


def ask(port, *options):
    """For Sidelight.settle()."""
    command = ["curl", "-qs", "-m", "20", "-o", "/dev/null", *options]
    return lambda target: harness.run([*command, f"http://127.0.0.1:{port}{target}"])


class LeastCapabilities(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("setpriv", "curl")

    def observe(self, server, *flags):
        self.sidelight = Sidelight(
            self,
            *flags,
            cgroup=server.cgroup,
            before=having(NEEDED),
        )
        held = harness.status_at_rest(self.sidelight.process.pid)["CapPrm"]
        self.assertEqual(int(held, 16), sum(1 << bit for bit in NEEDED.values()), "capabilities held")

    def h2load(self, server, count, *options):
        """Requests for the paths in turn, on one connection: a Counter of what was asked."""
        uris = self.scratch("uris")
        base = f"http://127.0.0.1:{server.port}"
        uris.write_text("".join(f"{base}{path}\n" for path in PATHS))
        done = harness.run(["h2load", f"-n{count}", "-c1", "-i", str(uris), *options])
        self.assertRegex(done.stdout, f" {count} done, .* 0 errored, 0 timeout")
        asked = collections.Counter()
        for i in range(count):
            path = PATHS[i % len(PATHS)]
            status = "404" if path == "/missing" else "200"
            asked["GET", clients.route_of(path), status] += 1
        return asked

    def check(self, expected, server, version, *options):
        scrape = self.sidelight.assert_counted(
            expected, ask(server.port, *options), network_protocol_version=version
        )
        self.assertEqual(scrape.requests(), expected, "another version was counted")
        self.assertEqual(scrape.lost(), {})

    def test_each_is_needed(self):
        run = [harness.BINARY, "run", "--cgroup", self.cgroup()]
        for missing in NEEDED:
            done = harness.run([*having(set(NEEDED) - {missing}), *run], check=False)
            self.assertEqual(done.returncode, 2, missing)
            self.assertIn(f"CAP_{missing.upper()} is needed and missing", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_http1(self):
        harness.need("h2load")
        server = servers.Nginx(self)
        self.observe(server)
        self.check(self.h2load(server, 3000, "--h1"), server, "1.1")

    def test_http2(self):
        harness.need("h2load", "nghttpd")
        server = servers.Nghttpd(self)
        self.observe(server)
        expected = self.h2load(server, 3000, "-m20")
        self.check(expected, server, "2", "--http2-prior-knowledge")

    def test_http2_upload(self):
        harness.need("nghttpd")
        server = servers.Nghttpd(self)
        self.observe(server)
        body = self.scratch("body")
        body.write_bytes(bytes(range(256)) * 1024)
        expected = self.h2load(server, 30, "-m4", "-d", str(body))
        expected = collections.Counter({("POST", *key[1:]): n for key, n in expected.items()})
        self.check(expected, server, "2", "--http2-prior-knowledge")

    def test_http2_older_connection(self):
        server = servers.Nghttpd(self)
        sock = self.own(socket.create_connection(("127.0.0.1", server.port)))
        sock.settimeout(10)
        sock.sendall(PREFACE + frame(SETTINGS))
        stream = sock.makefile("rb")
        numbers = iter(range(1, 1000, 2))

        def get(times):
            asked = [next(numbers) for _ in range(times)]
            for number in asked:
                sock.sendall(frame(HEADERS, END_STREAM | END_HEADERS, number, FIELDS))
            while asked:
                head = stream.read(9)
                stream.read(int.from_bytes(head[:3], "big"))
                if head[4] & END_STREAM and head[3] in (DATA, HEADERS):
                    asked.remove(int.from_bytes(head[5:], "big"))

        get(5)
        self.observe(server)
        for _ in range(10):
            get(5)
        expected = {("GET", "/hello", "200"): 50}
        self.check(expected, server, "2", "--http2-prior-knowledge")


if __name__ == "__main__":
    harness.main()
