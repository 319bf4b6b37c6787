#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
sidelight replay on captures that tcpdump made of real software, compared with
the server's own access log, request by request.

Everything runs in a network namespace of its own, which ends with this
process. Needs root, nginx, curl and tcpdump.
"""
import collections
import ctypes
import fcntl
import http.client
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest
import zlib

SIDELIGHT = os.path.abspath(os.environ.get("SIDELIGHT", "build/sidelight"))
DEADLINE_S = 30
PORT = 8080  # in our own namespace every port is free
CLONE_NEWNET = 0x40000000

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ worker_connections 512; }}
http {{
    log_format exact escape=json '{{"method":"$request_method","target":"$request_uri",'
        '"status":$status,"bytes":$body_bytes_sent,"s":$request_time}}';
    access_log access.log exact;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_requests 100000;
    server {{
        listen {port}; listen [::]:{port} ipv6only=on;
        root www;
        location /slow/ {{ alias www/; limit_rate 200k; limit_rate_after 50k; }}
        location /missing/ {{ return 404; }}
        location /upload {{ client_max_body_size 10m; proxy_pass http://127.0.0.1:{port}/sink; }}
        location /sink {{ return 204; }}
    }}
}}
"""


def setUpModule():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET); root is needed")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("no %s within %d s" % (what, DEADLINE_S))
        time.sleep(0.01)  # between two looks


class Fixture(unittest.TestCase):
    """nginx, tcpdump, and the comparison of what both saw."""

    config = NGINX

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.pcap = self.path("capture.pcap")
        os.makedirs(self.path("www"))
        for name, size in (("a", 3), ("k8", 8192), ("m1", 1 << 20), ("k250", 250_000)):
            with open(self.path("www", name), "wb") as file:
                file.write(bytes(i * 7 % 251 for i in range(251)) * (size // 251 + 1))
                file.truncate(size)
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(self.config.format(port=PORT))
        self.start(["nginx", "-p", self.folder, "-c", "nginx.conf", "-e", "error.log"])
        wait_for("nginx", self.is_listening)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, args, **kw):
        process = subprocess.Popen(args, cwd=self.folder, **kw)

        def stop():
            process.kill()
            process.wait()
        self.addCleanup(stop)
        return process

    @staticmethod
    def is_listening():
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", PORT)) == 0

    def capture(self, interface, load, *options):
        """Runs load() under tcpdump; returns what tcpdump says at its end."""
        with open(self.path("tcpdump.log"), "wb") as log:
            tcpdump = self.start(["tcpdump", "-i", interface, "-w", self.pcap, "-U",
                                  "-Z", "root", "-B", "65536", *options, "tcp"], stderr=log)
        wait_for("tcpdump", lambda: b"listening on" in self.read("tcpdump.log"))
        load()
        # A last request marks the end: once its response is in the file, all before it is.
        with socket.create_connection(("127.0.0.1", PORT)) as sock:
            sock.sendall(b"GET /the-end HTTP/1.0\r\n\r\n")
            while sock.recv(4096):
                pass
        wait_for("end of the capture",
                 lambda: b"HTTP/1.1 404" in self.tail().partition(b"/the-end")[2])
        tcpdump.send_signal(signal.SIGINT)
        self.assertEqual(tcpdump.wait(DEADLINE_S), 0)
        self.assertIn(b"0 packets dropped by kernel", self.read("tcpdump.log"))

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def tail(self):
        with open(self.pcap, "rb") as file:
            file.seek(max(0, os.path.getsize(self.pcap) - 65536))
            return file.read()

    def replay(self, *options, status=0):
        done = subprocess.run([SIDELIGHT, "replay", "--query", "--format", "ndjson", *options,
                               self.pcap],
                              capture_output=True, timeout=DEADLINE_S, check=False)
        self.errors = done.stderr.decode()
        self.assertEqual(done.returncode, status, self.errors)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def log(self):
        return [json.loads(line) for line in self.read("access.log").splitlines()]

    def curl(self, *args):
        subprocess.run(["curl", "-sS", "-o", os.devnull, *args], check=True, timeout=DEADLINE_S,
                       cwd=self.folder)

    def assert_same(self, transactions):
        def rows(lines, size):
            return collections.Counter((t["method"], t["target"], t["status"], t[size])
                                       for t in lines)
        seen = rows(transactions, "response_bytes")
        logged = rows(self.log(), "bytes")
        self.assertEqual(seen - logged, collections.Counter(), self.errors)
        self.assertEqual(logged - seen, collections.Counter(), self.errors)
        self.assertNotIn("lost", self.errors)

    def url(self, path, host="127.0.0.1"):
        return "http://%s:%d%s" % (host, PORT, path)


class Replay(Fixture):
    def test_many(self):
        """2,000 requests on eight connections, status codes mixed."""
        def load():
            self.curl("-Z", "--parallel-max", "8", self.url("/{a,k8,missing/x}?n=[1-700]"),
                      "-o", "#1#2.out")
        self.capture("lo", load)
        transactions = self.replay()
        self.assert_same(transactions)
        self.assertGreaterEqual(len(transactions), 2000)

    def test_connection_each(self):
        """A new connection for each request, as `Connection: close` makes them."""
        self.capture("lo", lambda: self.curl("-H", "Connection: close", self.url("/a?n=[1-300]")))
        transactions = self.replay()
        self.assert_same(transactions)
        self.assertEqual(len({t["conn"] for t in transactions}), 301)

    def test_any_interface(self):
        """With a cooked header; some versions of libpcap show each loopback packet twice."""
        self.capture("any", lambda: self.curl(self.url("/k8?n=[1-50]")))
        self.assert_same(self.replay())

    def test_ip6(self):
        self.capture("lo", lambda: self.curl("-g", self.url("/a", "[::1]")))
        transactions = self.replay()
        self.assert_same(transactions)
        self.assertTrue(transactions[0]["client"].startswith("[::1]:"), transactions)

    def test_methods_and_sizes(self):
        def load():
            self.curl("-I", self.url("/m1"))
            self.curl(self.url("/m1"))
            self.curl("-r", "0-99", self.url("/m1"))
            self.curl("-X", "PROPFIND", self.url("/a"))
        self.capture("lo", load)
        self.assert_same(self.replay())

    def test_snapshot_length(self):
        """512 bytes of each packet are enough: heads are whole, bodies are counted."""
        self.capture("lo", lambda: self.curl(self.url("/m1?n=[1-5]")), "-s", "512")
        transactions = self.replay()
        seen = collections.Counter((t["target"], t["response_bytes"]) for t in transactions)
        del seen["/the-end", 153]
        self.assertEqual(seen, {("/m1?n=%d" % n, 1 << 20): 1 for n in range(1, 6)}, self.errors)

    def test_pipelining(self):
        def load():
            with socket.create_connection(("127.0.0.1", PORT)) as sock:
                for i in range(20):
                    sock.sendall(b"GET /a?p=%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
        self.capture("lo", load)
        transactions = self.replay()
        self.assert_same(transactions)
        self.assertEqual([t["target"] for t in transactions],
                         ["/a?p=%d" % i for i in range(20)] + ["/the-end"])

    def test_upload_both_sides(self):
        """nginx before nginx: the same capture from either end, uploads with their sizes."""
        def load():
            conn = http.client.HTTPConnection("127.0.0.1", PORT, timeout=DEADLINE_S)
            for size in (0, 1, 1000, 300_000):
                conn.request("POST", "/upload", b"u" * size)
                conn.getresponse().read()
            conn.close()
        self.capture("lo", load)
        for side in "server", "client":
            transactions = [t for t in self.replay("--side", side) if t["method"] == "POST"]
            self.assertEqual({t["role"] for t in transactions}, {side})
            self.assertEqual({t["status"] for t in transactions}, {204})
            sizes = {target: sorted(t["request_bytes"] for t in transactions
                                    if t["target"] == target) for target in ("/upload", "/sink")}
            self.assertEqual(sizes["/upload"], [0, 1, 1000, 300_000])
            # It answers before the upload has ended: what was sent until then is counted.
            self.assertEqual(sizes["/sink"][:3], [0, 1, 1000])
            self.assertTrue(1000 < sizes["/sink"][3] <= 300_000, sizes)

    def test_duration(self):
        """250,000 bytes at 200 KB/s after the first 50 KB: about a second, as nginx says too."""
        self.capture("lo", lambda: self.curl(self.url("/slow/k250")))
        slow = [t for t in self.replay() if t["target"] == "/slow/k250"]
        logged = [line["s"] for line in self.log() if line["target"] == "/slow/k250"]
        self.assertEqual((len(slow), len(logged)), (1, 1))
        self.assertAlmostEqual(slow[0]["duration_ns"] / 1e9, logged[0], delta=0.02)
        self.assertLess(slow[0]["first_byte_ns"] / 1e9, 0.2)

    def test_lines_flow(self):
        """While standard input is a pipe that goes on, each request is printed as it ends."""
        self.capture("lo", lambda: self.curl(self.url("/a?n=[1-3]")))
        for packed in (False, True):
            with self.subTest(packed=packed):
                replay = self.start([SIDELIGHT, "replay", "--query", "--format", "ndjson", "-"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, bufsize=0)
                self.addCleanup(replay.stdin.close)
                self.addCleanup(replay.stdout.close)
                data = self.read("capture.pcap")
                if packed:
                    packer = zlib.compressobj(wbits=31)
                    data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
                replay.stdin.write(data)
                replay.stdin.flush()
                for target in ("/a?n=1", "/a?n=2", "/a?n=3", "/the-end"):
                    ready = select.select([replay.stdout], [], [], DEADLINE_S)[0]
                    self.assertTrue(ready, "no line within %d s" % DEADLINE_S)
                    self.assertEqual(json.loads(replay.stdout.readline())["target"], target)
                replay.stdin.close()
                self.assertEqual(replay.wait(DEADLINE_S), 1 if packed else 0)

    def test_tables_fit_the_terminal(self):
        self.capture("lo", lambda: self.curl(self.url("/a/" + "x" * 100 + "?n=[1-3]")))
        terminal, inner = pty.openpty()
        self.addCleanup(os.close, terminal)
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        replay = self.start([SIDELIGHT, "replay", "--summary", self.pcap], stdout=inner,
                            stderr=inner)
        os.close(inner)
        text = b""
        try:
            while data := os.read(terminal, 4096):
                text += data
        except OSError:
            pass  # the other end is closed
        self.assertEqual(replay.wait(DEADLINE_S), 0)
        lines = text.decode().splitlines()
        self.assertEqual([line for line in lines if len(line) > 80 and "packets" not in line], [])
        self.assertTrue(lines[0].startswith("TIME (UTC)"), lines)
        self.assertTrue(any(line.startswith("   method  route") for line in lines), lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
