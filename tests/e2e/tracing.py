# SPDX-License-Identifier: Apache-2.0
"""
The control socket of a running sidecar, and `sidelight trace` as its client.
"""
import json
import socket

import harness
import servers
from observer import SENTINEL, Sidelight

READERS = "sidelight_control_readers"


class Unix:
    """A client of the control socket whose every read is chosen by the test."""

    def __init__(self, path, question, buffer=None):
        self.sock = socket.socket(socket.AF_UNIX)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.settimeout(20)
        self.sock.connect(str(path))
        self.sock.sendall(f"GET {question} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def read(self, until):
        """Bytes until `until` holds of them, or the end."""
        data = b""
        while not until(data):
            piece = self.sock.recv(1 << 16)
            if not piece:
                break
            data += piece
        return data

    def close(self):
        self.sock.close()


def body_of(data):
    """Of an answer in chunks, as far as they came whole."""
    rest = data.split(b"\r\n\r\n", 1)[1]
    body = b""
    while b"\r\n" in rest:
        size, rest = rest.split(b"\r\n", 1)
        n = int(size, 16)
        if n == 0 or len(rest) < n + 2:
            break
        body, rest = body + rest[:n], rest[n + 2 :]
    return body


def lines_of(text):
    return [json.loads(line) for line in text.splitlines() if line]


def seen(lines):
    """As the log of a server: (method, target, status), sentinels left out."""
    return [
        (line["method"], line["target"], str(line["status"]))
        for line in lines
        if line["target"] != SENTINEL
    ]


class Traced(harness.Case):
    server_class = servers.Nginx

    def setUp(self):
        super().setUp()
        self.server = self.server_class(self)
        self.path = self.dir / "control.sock"

    def start(self, *args, **more):
        self.sidelight = Sidelight(
            self, "--control", self.path, *args, cgroup=self.server.cgroup, **more
        )

    def trace(self, *args, status=0):
        """(what it printed, what it said on standard error)"""
        done = harness.run([harness.BINARY, "trace", "--control", self.path, *args], check=False)
        self.assertEqual(done.returncode, status, done.stdout[-500:] + done.stderr)
        return done.stdout, done.stderr

    def past(self, *args):
        return lines_of(self.trace("--last", "1h", "--format", "ndjson", *args)[0])

    def follow(self, *args):
        """`sidelight trace`, once it reads."""
        before = self.sidelight.scrape().sum(READERS)
        argv = [harness.BINARY, "trace", "--control", self.path, "--format", "ndjson", *args]
        process = self.spawn(argv)
        harness.wait_for(
            "the reader", lambda: self.sidelight.scrape().sum(READERS) > before, pause=0.05
        )
        return process
