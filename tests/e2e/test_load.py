#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Full speed: nothing lost, and what is lost on purpose is counted."""
import collections
import re
import os
import signal

import clients
import harness
import servers
from observer import Sidelight, difference, health

MANY = 100_000


class Load(harness.Case):
    def wrk(self, server, responses, connections, *args):
        """Runs wrk until the server has answered that many; returns how many wrk saw."""
        harness.need("wrk")
        wrk = self.spawn(
            [
                "wrk",
                "-t1",
                f"-c{connections}",
                "-d90s",
                "-s",
                harness.SERVERS / "mix.lua",
                f"http://127.0.0.1:{server.port}",
                "--",
                *args,
            ]
        )
        log = server.dir / server.log_name
        harness.wait_for(
            f"{responses} requests",
            lambda: log.read_bytes().count(b"\n") >= responses,
            80,
            pause=0.2,
        )
        wrk.send(signal.SIGINT)
        self.assertEqual(wrk.wait(), 0, wrk.text())
        self.assertNotIn("Socket errors", wrk.text())
        return int(re.search(r"(\d+) requests in", wrk.text()).group(1))

    def check(self, responses, connections, *args):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        seen = self.wrk(server, responses, connections, *args)
        self.assertGreaterEqual(seen + connections, responses)
        scrape = sidelight.wait_counted(seen, seconds=15)
        scrape = sidelight.settle(server.port)
        counted = scrape.requests()
        # When wrk stops it closes connections with a request on its way. nginx
        # either answers it (and logs it) or meets the reset first (and does not):
        # such a request has no status.
        unanswered = {key: n for key, n in counted.items() if not key[2].isdigit()}
        self.assertLessEqual(sum(unanswered.values()), connections)
        answered = counted - collections.Counter(unanswered)
        expected = server.expected(seen)
        self.assertEqual(answered, expected, difference(answered, expected) + "\n" + health(scrape))
        self.assertEqual(scrape.lost(), {})

    def test_100000_requests_on_64_connections(self):
        self.check(MANY, 64)

    def test_10000_connections(self):
        self.check(MANY // 10, 32, "close")


class Overflow(harness.Case):
    """The ring is small and nobody reads it: sent = counted + lost."""

    def test_what_a_full_ring_lost_is_counted(self):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, "--ring-bytes", "65536", cgroup=server.cgroup)
        os.kill(sidelight.worker, signal.SIGSTOP)
        plan = clients.make_plan(3, 3000, methods=["GET"])
        sent = clients.send_plan(server.port, plan) + clients.send_plan(
            server.port, plan[:500], False
        )
        os.kill(sidelight.worker, signal.SIGCONT)
        scrape = sidelight.settle(server.port)
        counted = scrape.requests()
        lost = scrape.lost_requests()
        self.assertGreater(lost, 0, "the ring did not overflow")
        self.assertEqual(counted.total() + lost, len(sent), f"{scrape.lost()}\n{health(scrape)}")
        # 500 connections ended meanwhile: that is told behind the ring.
        self.assertNotIn("close", [dict(key)["reason"] for key in scrape.lost()])
        self.assertLessEqual(scrape.sum("sidelight_connections_open"), 1)
        expected = server.expected(len(sent))
        self.assertEqual(counted - expected, collections.Counter(), "invented")
        # Its reader is back: what fits is counted again.
        sent += clients.send_plan(server.port, plan[:300])
        scrape = sidelight.settle(server.port)
        self.assertGreater(scrape.requests().total(), counted.total())
        self.assertEqual(scrape.requests().total() + scrape.lost_requests(), len(sent))

    def test_ends_behind_a_full_ring(self):
        """Of connections that are known: they wait beside the ring, and none is forgotten."""
        server = servers.Nginx(self)
        sidelight = Sidelight(self, "--ring-bytes", "65536", cgroup=server.cgroup)
        wires = [self.own(clients.Wire(server.port)) for _ in range(300)]
        for wire in wires:
            wire.send(clients.request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)
        self.assertEqual(sidelight.settle(server.port).sum("sidelight_connections_open"), 300)
        os.kill(sidelight.worker, signal.SIGSTOP)
        clients.send_plan(server.port, [("GET", "/hello")] * 1000)
        for wire in wires:
            wire.close()
        os.kill(sidelight.worker, signal.SIGCONT)
        scrape = sidelight.settle(server.port)
        self.assertGreater(scrape.lost_requests(), 0, "the ring did not overflow")
        self.assertNotIn("close", [dict(key).get("reason") for key in scrape.lost()])
        harness.wait_for(
            "all their ends",
            lambda: sidelight.scrape().sum("sidelight_connections_open") == 0)
        self.assertEqual(scrape.sum("sidelight_connections_evicted_total"), 0)

    def test_heads_cut_short_by_the_loss(self):
        """More head than the ring holds: some are cut, and their responses missed."""
        server = servers.Nginx(self)
        sidelight = Sidelight(self, "--ring-bytes", "65536", cgroup=server.cgroup)
        data = clients.request_bytes("GET", "/hello", *[f"X-{i}: {'a' * 200}" for i in range(100)])
        wires = [self.own(clients.Wire(server.port)) for _ in range(200)]
        for wire in wires:
            wire.send(data[:400])
        sidelight.settle(server.port)
        os.kill(sidelight.worker, signal.SIGSTOP)
        for wire in wires:
            wire.send(data[400:])
            self.assertEqual(wire.response()[0], 200)
        os.kill(sidelight.worker, signal.SIGCONT)
        sidelight.settle(server.port)
        for wire in wires:
            wire.close()
        scrape = sidelight.settle(server.port)
        counted = scrape.requests()
        self.assertEqual(set(counted) - {("GET", "/hello", "200")}, set(), counted)
        lost = scrape.lost_requests()
        self.assertGreater(lost, 0, "the ring did not overflow")
        self.assertEqual(counted.total() + lost, len(wires), f"{scrape.lost()}\n{health(scrape)}")

    def test_connections_that_end_after_the_loss(self):
        """Their responses were lost, not withheld: no request of theirs ended by a close."""
        server = servers.Nginx(self)
        sidelight = Sidelight(self, "--ring-bytes", "65536", cgroup=server.cgroup)
        os.kill(sidelight.worker, signal.SIGSTOP)
        wires = [self.own(clients.Wire(server.port)) for _ in range(300)]
        for wire in wires:
            wire.send(clients.request_bytes("GET", "/hello", "X-Pad: " + "p" * 80))
            self.assertEqual(wire.response()[0], 200)
        os.kill(sidelight.worker, signal.SIGCONT)
        sidelight.settle(server.port)
        for number, wire in enumerate(wires):
            wire.reset()
        scrape = sidelight.settle(server.port)
        counted = scrape.requests()
        self.assertEqual(set(counted), {("GET", "/hello", "200")}, counted)
        lost = scrape.lost_requests()
        self.assertGreater(lost, 0, "the ring did not overflow")
        self.assertEqual(counted.total() + lost, len(wires), f"{scrape.lost()}\n{health(scrape)}")


if __name__ == "__main__":
    harness.main()
