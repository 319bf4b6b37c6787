#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
sidelight replay --keylog on captures that tcpdump made of curl and nginx over TLS, compared with
the server's own access log, request by request.

Needs root, nginx, curl, openssl and tcpdump.
"""
import collections
import os
import re
import subprocess
import unittest

from test_replay import DEADLINE_S, NGINX, PORT, SIDELIGHT, Fixture, setUpModule  # noqa: F401

TLS, HTTP2 = 8443, 8444
PLAIN = "    server {{\n        listen {port};"
SECURE = """
    ssl_certificate cert.pem; ssl_certificate_key key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:cache:1m;
    server {{
        listen {port}; listen [::]:{port} ipv6only=on; listen %d ssl; listen %d ssl http2;
""" % (TLS, HTTP2)


class ReplayTls(Fixture):
    config = NGINX.replace(PLAIN + " listen [::]:{port} ipv6only=on;", SECURE.lstrip("\n"))

    def start(self, args, **kw):
        if args[0] == "nginx":
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                            "2", "-subj", "/CN=a", "-keyout", self.path("key.pem"), "-out",
                            self.path("cert.pem")], check=True, capture_output=True)
        return super().start(args, **kw)

    def curl(self, *args):
        subprocess.run(["curl", "-sSk", "-o", os.devnull, *args], check=True, timeout=DEADLINE_S,
                       cwd=self.folder, env={**os.environ, "SSLKEYLOGFILE": self.path("keys")})

    def url(self, path, port=TLS):
        return "https://127.0.0.1:%d%s" % (port, path)

    def replay(self, *options):
        transactions = super().replay("--keylog", self.path("keys"), *options)
        secrets = set(re.findall(r"[0-9a-f]{64,}", self.read("keys").decode()))
        self.assertTrue(secrets)
        self.assertFalse([s for s in secrets if s[:32] in self.errors])
        return transactions

    def assert_https(self, transactions):
        self.assert_same(transactions)
        schemes = collections.Counter(t.get("scheme", "http") for t in transactions)
        self.assertEqual(schemes["http"], 1, "the end of the capture, and nothing else")

    def test_many(self):
        """2,000 requests on eight connections, status codes mixed, both versions."""
        for version in "1.2", "1.3":
            with self.subTest(version=version):
                open(self.path("access.log"), "w", encoding="utf-8").close()
                self.capture("lo", lambda v=version: self.curl(
                    "--tls-max", v, "-Z", "--parallel-max", "8", "--http1.1",
                    self.url("/{a,k8,missing/x}?n=[1-700]"), "-o", "#1#2.out"))
                transactions = self.replay()
                self.assert_https(transactions)
                self.assertGreaterEqual(len(transactions), 2000)
                self.assertLess(len({t["conn"] for t in transactions}), 30)

    def test_connection_each(self):
        """A handshake for each request; most of them resume a session."""
        self.capture("lo", lambda: self.curl("-H", "Connection: close", self.url("/a?n=[1-200]")))
        transactions = self.replay()
        self.assert_https(transactions)
        self.assertEqual(len({t["conn"] for t in transactions}), 201)

    def test_http2(self):
        """A thousand streams that overlap."""
        self.capture("lo", lambda: self.curl(
            "-Z", "--parallel-max", "50", "--http2", self.url("/{a,k8}?n=[1-500]", HTTP2),
            "-o", "#1#2.out"))
        transactions = self.replay()
        self.assert_https(transactions)
        self.assertEqual(sum(t["version"] == "2" for t in transactions), 1000)

    def test_large(self):
        """A megabyte is some 64 records of 16 KiB."""
        for version in "1.2", "1.3":
            open(self.path("access.log"), "w", encoding="utf-8").close()
            self.capture("lo", lambda v=version: self.curl("--tls-max", v,
                                                           self.url("/m1?n=[1-5]")))
            self.assert_https(self.replay())

    def test_metrics(self):
        self.capture("lo", lambda: self.curl(self.url("/a?n=[1-20]")))
        done = subprocess.run([SIDELIGHT, "replay", "--metrics", "--keylog", self.path("keys"),
                               self.pcap], capture_output=True, timeout=DEADLINE_S, check=True)
        counts = re.findall(r'http_server_request_duration_seconds_count{.*'
                            r'url_scheme="(https?)".*} (\d+)', done.stdout.decode())
        self.assertEqual(sorted(counts), [("http", "1"), ("https", "20")])

    def test_without_secrets(self):
        """All is counted, nothing is guessed."""
        self.capture("lo", lambda: self.curl("-H", "Connection: close", self.url("/a?n=[1-9]")))
        with open(self.path("keys"), "w", encoding="utf-8") as file:
            file.write("# nothing\n")
        transactions = Fixture.replay(self, "--keylog", self.path("keys"), status=1)
        self.assertEqual([t["target"] for t in transactions], ["/the-end"])
        self.assertIn("9 TLS connections dark: no_secret", self.errors)

    def test_bad_files(self):
        self.capture("lo", lambda: self.curl(self.url("/a")))
        with open(self.path("words"), "w", encoding="utf-8") as file:
            file.write("GET / HTTP/1.1\n" * 3)
        for path, says in (("nothing-there", "No such file or directory"), ("", "Is a directory"),
                           ("words", "is not a key log")):
            done = subprocess.run([SIDELIGHT, "replay", "--keylog", self.path(path), self.pcap],
                                  capture_output=True, timeout=DEADLINE_S, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertEqual(done.stderr.count(b"\n"), 1)
            self.assertIn(says, done.stderr.decode())
            self.assertIn("--keylog", done.stderr.decode())


if __name__ == "__main__":
    assert PORT not in (TLS, HTTP2)
    unittest.main(verbosity=2)
