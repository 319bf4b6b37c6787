#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What the kernel keeps for each connection is charged to our memory cgroup: it
has a bound for each connection, and one for all of them.
"""
import contextlib
import os
import pathlib
import resource
import socket

import harness
import rings
from observer import Sidelight

COUNT = 2000
MOST = 5500
FOLLOWED_BYTES, MUTED_BYTES = 768, 400
REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TLS_HELLO = b"\x16\x03\x01\x00\x05hello"


class MemoryCgroup:
    """A memory cgroup for one process; version 1 tells the kernel's part apart."""

    def __init__(self):
        with open("/proc/mounts") as f:
            mounts = [line.split() for line in f]
        roots = [m[1] for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
        if not roots or not os.path.exists(f"{roots[0]}/memory.kmem.usage_in_bytes"):
            raise harness.unittest.SkipTest("no memory controller of version 1 is mounted")
        name = f"sidelight-e2e-{os.getpid()}-{harness.next_number()}"
        self.path = pathlib.Path(roots[0]) / name
        self.path.mkdir()

    def enter(self):
        """Words of a program that becomes another, in it."""
        return ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs; exec "$0" "$@"']

    def limit(self, size):
        (self.path / "memory.limit_in_bytes").write_text(str(size))

    def kernel_bytes(self):
        return int((self.path / "memory.kmem.usage_in_bytes").read_text())

    def bytes(self):
        return int((self.path / "memory.usage_in_bytes").read_text())

    def close(self):
        self.path.rmdir()


class Memory(harness.Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * MOST:
            self.skipTest(f"only {hard} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.memory = self.own(MemoryCgroup())
        self.group = self.cgroup()
        with rings.inside(self.group):
            self.listener = self.own(socket.socket())
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)

    def observe(self, *args):
        self.sidelight = Sidelight(
            self, *args, cgroup=str(self.group), before=self.memory.enter()
        )

    def connect(self, count, data, answer):
        """Connections on which so much was said; owned by the stack that is returned."""
        stack = self.own(contextlib.ExitStack())
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(self.listener.getsockname()))
            server = stack.enter_context(self.listener.accept()[0])
            client.sendall(data)
            server.recv(1000)
            server.sendall(answer)
            client.recv(1000)
        return stack

    def check_each(self, data, answer, most):
        self.observe()
        self.connect(100, data, answer)
        before = self.memory.kernel_bytes()
        self.connect(COUNT, data, answer)

        def each():
            return (self.memory.kernel_bytes() - before) / COUNT

        # What was replaced is freed after a grace period of RCU.
        harness.wait_for(f"{most} bytes for each, at most", lambda: each() <= most, pause=0.1)
        print(f"\n    {each():.0f} bytes are charged for a connection")
        self.assertGreater(each(), 100)

    def test_followed(self):
        self.check_each(REQUEST, RESPONSE, FOLLOWED_BYTES)
        self.assertEqual(self.sidelight.scrape().lost(), {})

    def test_muted(self):
        self.check_each(TLS_HELLO, TLS_HELLO, MUTED_BYTES)
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum("sidelight_connections_muted_total", reason="tls"), COUNT + 100)

    def lost_to_the_cap(self):
        return self.sidelight.scrape().sum("sidelight_events_lost_total", reason="connection_cap")

    def test_cap_of_connections(self):
        """Four times --conn-cap; when some have ended, others are followed."""
        self.observe("--conn-cap", "50")
        first = self.connect(200, REQUEST, RESPONSE)
        self.assertEqual(self.lost_to_the_cap(), 0)
        second = self.connect(1, REQUEST, RESPONSE)
        lost = self.lost_to_the_cap()
        self.assertGreater(lost, 0)
        second.close()
        first.close()
        counted = self.sidelight.scrape().requests().total()
        self.assertEqual(counted, 200)
        self.connect(100, REQUEST, RESPONSE)
        scrape = self.sidelight.wait_counted(300)
        self.assertEqual(scrape.requests().total(), 300)
        self.assertEqual(self.lost_to_the_cap(), lost)

    def test_cap_of_the_memory_limit(self):
        """A quarter of 16 MiB holds 5,461 connections of 768 bytes."""
        self.memory.limit(16 << 20)
        self.observe("--ring-bytes", "64K")
        self.connect(5461, b"a", b"b")
        self.assertEqual(self.lost_to_the_cap(), 0)
        self.connect(3, b"a", b"b")
        self.assertGreater(self.lost_to_the_cap(), 0)

    def test_gauge(self):
        self.observe()
        gauge = self.sidelight.scrape().sum("sidelight_cgroup_memory_bytes")
        self.assertAlmostEqual(gauge, self.memory.bytes(), delta=1 << 20)


if __name__ == "__main__":
    harness.main()
