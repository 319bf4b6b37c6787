#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`sidelight trace` and `top` where no sidecar runs: a capture of their own, which answers nobody else
and leaves nothing.
"""
# tests/run: shares the machine
import collections
import json
import os
import pathlib
import signal
import socket

import clients
import harness
import servers
from observer import links_of

ALL_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def children(pid):
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def listeners():
    """Abstract Unix sockets at which somebody listens."""
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {row[7] for row in rows if len(row) == 8 and row[7][0] == "@" and int(row[3], 16)}


def requests_in(text):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return collections.Counter((line["method"], line["target"], str(line["status"])) for line in lines)


class OwnCapture(harness.Case):
    PLAN = [("GET", "/hello"), ("GET", "/missing"), ("POST", "/made"), ("GET", "/users/17")]

    def setUp(self):
        super().setUp()
        self.server = servers.Nginx(self)

    def spawn_sidelight(self, *args, **more):
        process = self.spawn([harness.BINARY, *args], **more)
        harness.wait_for(
            "the capture",
            lambda: "watch" in process.text() and links_of(self.server.cgroup),
            seconds=15,
        )
        return process

    def trace(self, *args, **more):
        where = args or ("--cgroup", self.server.cgroup)
        return self.spawn_sidelight("trace", "--format=ndjson", *where, **more)

    def assert_traced(self, process, end=signal.SIGINT):
        clients.send_plan(self.server.port, self.PLAN)
        log = collections.Counter(self.server.wait_log(len(self.PLAN)))
        harness.wait_for("the lines", lambda: len(requests_in(process.text())) == len(log))
        process.send(end)
        self.assertEqual(process.wait(), 0, process.text())
        self.assertEqual(requests_in(process.text()), log)
        self.assert_nothing_left()

    def assert_nothing_left(self):
        harness.wait_for("the end of all programs", lambda: not links_of(self.server.cgroup))

    def test_equals_the_log(self):
        for end in ALL_SIGNALS:
            with self.subTest(end=end.name):
                self.assert_traced(self.trace(), end)
                self.server = servers.Nginx(self)

    def test_of_a_process(self):
        self.assert_traced(self.trace("--pid", self.server.process.pid))

    def test_exports_nothing(self):
        """Whatever the environment says for `run`."""
        port = harness.free_port()
        env = {
            "SIDELIGHT_METRICS_LISTEN": f"127.0.0.1:{port}",
            "SIDELIGHT_PUSH": f"http://127.0.0.1:{port}",
            "SIDELIGHT_OTLP": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "SIDELIGHT_RECORDER": "off",
            "SIDELIGHT_CONTROL": str(self.dir / "other.sock"),
        }
        process = self.trace(env=env)
        self.assertFalse(harness.is_listening(port))
        self.assertFalse((self.dir / "other.sock").exists())
        self.assert_traced(process)
        for word in ("push:", "otlp:"):
            self.assertNotIn(word, process.text())

    def test_top(self):
        process = self.spawn_sidelight(
            "top", "--once", "--format=json", "--for=3s", "--cgroup", self.server.cgroup
        )
        clients.send_plan(self.server.port, self.PLAN)
        self.assertEqual(process.wait(), 0, process.text())
        window = json.loads(process.text().splitlines()[-1])
        self.assertEqual(window["requests"], len(self.PLAN))
        self.assert_nothing_left()

    def test_top_that_is_interrupted_prints_what_it_has(self):
        process = self.spawn_sidelight(
            "top", "--once", "--format=json", "--for=1h", "--cgroup", self.server.cgroup
        )
        clients.send_plan(self.server.port, self.PLAN)
        self.server.wait_log(len(self.PLAN))
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0, process.text())
        self.assertEqual(
            json.loads(process.text().splitlines()[-1])["requests"], len(self.PLAN)
        )

    def test_strangers_are_not_answered(self):
        before = listeners()
        process = self.trace()
        (name,) = listeners() - before
        for _ in range(40):  # more than there are places
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.settimeout(10)
                stranger.connect("\0" + name[1:])
                try:
                    stranger.sendall(b"GET /requests HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertEqual(stranger.recv(100), b"")
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assert_traced(process)

    def test_reader_of_strangers_bytes_has_no_capability(self):
        process = self.trace()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        self.assertIn("CapPrm:\t0000000000000000", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assert_traced(process)

    def test_killed_trace_leaves_nothing(self):
        process = self.trace()
        (capture,) = children(process.pid)
        process.send(signal.SIGKILL)
        process.wait()
        harness.wait_for("the end of the capture", lambda: not harness.is_alive(capture))
        self.assert_nothing_left()

    def test_killed_capture_is_said(self):
        process = self.trace()
        (capture,) = children(process.pid)
        os.kill(capture, signal.SIGKILL)
        self.assertEqual(process.wait(), 2, process.text())
        self.assertIn("the capture was ended by signal 9", process.text())
        self.assert_nothing_left()

    def test_what_cannot_be_watched_gets_one_line(self):
        missing = self.dir / "missing"
        for args, why in (
            (("trace", "--pid", "2147483647"), "2147483647"),
            (("trace", "--cgroup", missing), str(missing)),
            (("trace", "--cgroup", missing, "--last=5m"), "has recorded anything here"),
            (("trace", "--cgroup", missing, "--pid=1"), "more than one thing"),
            (("top", "--once", "--control=/x", "--pid=1"), "more than one thing"),
        ):
            with self.subTest(args=args):
                done = harness.run([harness.BINARY, *args], check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(why, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_reader_that_has_enough_ends_the_capture(self):
        process = self.trace("--cgroup", self.server.cgroup, "--count=2")
        clients.send_plan(self.server.port, self.PLAN)
        self.assertEqual(process.wait(), 0, process.text())
        self.assertEqual(requests_in(process.text()).total(), 2)
        self.assert_nothing_left()


if __name__ == "__main__":
    harness.main()
