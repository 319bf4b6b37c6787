#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
sidelight-webhook inside the memory limit of its manifest: nothing that
strangers send, and hold, ends it, and reviews are answered meanwhile.

The limit is a memory cgroup's where the controller is there (v1 or v2);
elsewhere the peak of its resident memory is held against it.
"""
import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import threading

import harness
from admission import Server, pod, review
from harness import Case, main, wait_for

MIB = 1 << 20
HEAD = ("POST /mutate-pod HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: %d\r\n\r\n")


def manifest_limit():
    text = (harness.ROOT / "webhook-manifests" / "deployment.yaml").read_text()
    return int(re.search(r"limits:\s+memory: (\d+)Mi", text).group(1)) * MIB


class MemoryCgroup:
    """Of version 1 or 2; None from make() if there is no controller to use."""

    V1 = pathlib.Path("/sys/fs/cgroup/memory")
    V2 = pathlib.Path("/sys/fs/cgroup")

    def __init__(self, path, limit_file, peak_file, limit):
        self.path = path
        self.peak_file = peak_file
        path.mkdir()
        (path / limit_file).write_text(str(limit))

    @classmethod
    def make(cls, limit):
        name = f"sidelight-e2e-{os.getpid()}-{harness.next_number()}"
        with contextlib.suppress(OSError):
            if (cls.V1 / "memory.limit_in_bytes").exists():
                return cls(cls.V1 / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes",
                           limit)
            if "memory" in (cls.V2 / "cgroup.subtree_control").read_text().split():
                return cls(cls.V2 / name, "memory.max", "memory.peak", limit)
        return None

    def peak(self):
        return int((self.path / self.peak_file).read_text())

    def close(self):
        wait_for("the cgroup to be empty",
                 lambda: not (self.path / "cgroup.procs").read_text().split())
        self.path.rmdir()


class Memory(Case):
    def setUp(self):
        super().setUp()
        self.limit = manifest_limit()
        self.group = MemoryCgroup.make(self.limit)
        if self.group:
            self.own(self.group)
        self.server = Server(self, cgroup=self.group and self.group.path)
        self.tls = ssl._create_unverified_context()
        self.held = []
        self.addCleanup(lambda: [c.close() for c in self.held])

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        self.held.append(self.tls.wrap_socket(plain))
        return self.held[-1]

    def hold_body(self, announced, sent):
        with contextlib.suppress(OSError):  # it may be evicted while it is sent
            self.connect().sendall((HEAD % announced).encode() + b" " * sent)

    def post(self, body):
        connection = self.connect()
        connection.sendall((HEAD % len(body)).encode() + body)
        return int(connection.recv(4096).split(b" ")[1])

    def assert_alive(self):
        self.assertTrue(self.server.process.is_running(), self.server.process.text())
        self.assertTrue(self.server.review(pod()).patch)
        with open(f"/proc/{self.server.process.pid}/status") as f:
            peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) << 10
        print(f"{self.id().rsplit('.', 1)[1]}: resident peak {peak / MIB:.1f} MiB, cgroup "
              f"{self.group.peak() / MIB if self.group else 0:.1f} MiB")
        self.assertLess(peak, self.limit * 7 // 8)

    def trees(self):
        """Texts that are small, and large as trees."""
        for item in (b"0,", b"[],", b"{},", b'{"":0},', b'"",', b"[[]],"):
            for size in (MIB // 4, MIB, 3 * MIB - 64):
                yield b'{"a":[' + item * ((size - 16) // len(item)) + b"0]}"

    def test_unfinished_bodies(self):
        for _ in range(300):
            self.hold_body(2900000, 130000)
        self.assert_alive()
        self.assertGreater(self.server.metric(
            'sidelight_webhook_connections_dropped_total{reason="memory"}'), 0)
        self.assertLess(self.server.metric("sidelight_webhook_request_bytes"), 11 * MIB)

    def test_few_large_bodies(self):
        for _ in range(40):
            self.hold_body(3 * MIB, 3 * MIB - 1)
        self.assert_alive()

    def test_trees(self):
        for body in self.trees():
            self.assertIn(self.post(body), (400, 503))
        self.assert_alive()
        self.assertLess(self.server.metric("sidelight_webhook_json_bytes"), 64 << 10)
        self.assertGreater(self.server.metric(
            'sidelight_webhook_memory_refused_total{share="json"}'), 0)

    def test_all_at_once(self):
        """Silent connections, handshakes, bodies and trees."""
        for _ in range(1200):
            self.held.append(socket.create_connection(("127.0.0.1", self.server.port)))
        threads = [threading.Thread(target=lambda: [self.hold_body(2900000, 100000)
                                                    for _ in range(75)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for body in self.trees():
            with contextlib.suppress(OSError):  # evicted, like any newcomer
                self.assertIn(self.post(body), (400, 503))
        for thread in threads:
            thread.join()
        self.assert_alive()

    def test_large_review_among_slow_ones(self):
        """An API server's review of 1 MiB finds memory while others hold theirs."""
        self.server.review(pod())  # on the connection that it keeps
        for _ in range(100):
            self.hold_body(2900000, 130000)
        large = pod({"note": "x" * MIB})
        self.assertTrue(self.server.review(large).patch)
        self.assert_alive()

    def test_answers_that_nobody_reads(self):
        """Pipelined reviews with large patches."""
        text = json.dumps(review(pod({"note": "x" * 60000}))).encode()
        request = (HEAD % len(text)).encode() + text
        for _ in range(60):
            connection = self.connect()
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(50):
                    connection.send(request)
        self.assert_alive()


if __name__ == "__main__":
    main()
