#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What strangers make sidelight hold stays within --memory, whatever its shape, and an honest client
beside them is counted exactly, or counted as lost.
"""
import collections
import threading

import clients
import harness
import network
import segments
import servers
from clients import Wire, request_bytes
from observer import Sidelight, difference, health

# Beside the budget: libraries, series, a page of metrics, and pages of the heap that hold little.
BESIDE = 14 << 20
HEADS = 8000
HEAD_BYTES = 16000
GAPS = 700
SEGMENT = 1400
WINDOW = 44 * SEGMENT


class Memory(harness.Case):
    def resident(self):
        with open(f"/proc/{self.sidelight.worker}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) << 10

    def observe(self, server, memory):
        self.server = server
        self.memory = memory
        self.sidelight = Sidelight(self, "--memory", memory, cgroup=server.cgroup)
        self.largest = 0

    def look(self):
        self.largest = max(self.largest, self.resident())

    def check(self, scrape):
        self.assertEqual(scrape.sum("sidelight_memory_budget_bytes"), self.memory)
        self.assertLessEqual(scrape.sum("sidelight_memory_used_bytes"), self.memory + 64)
        self.assertGreater(scrape.sum("sidelight_memory_evicted_connections_total"), 0)
        self.assertEqual(scrape.sum("sidelight_connections_evicted_total"), 0)
        self.assertLess(self.largest, self.memory + BESIDE)

    def wait_given_back(self, ask=None):
        """When the strangers have gone, so has their memory."""
        harness.wait_for(
            "an empty budget",
            lambda: self.sidelight.scrape().sum("sidelight_memory_used_bytes") < self.memory / 20,
        )
        self.assertLess(self.resident(), self.memory / 4 + BESIDE)

    def test_unfinished_heads(self):
        self.observe(servers.Nginx(self), 24 << 20)
        fields = [f"X-{i}: {'a' * 200}" for i in range(HEAD_BYTES // 200)]
        head = request_bytes("GET", "/x", *fields)[:HEAD_BYTES]
        plan = [("GET", "/api/hello.world")] * 2000
        sent = []
        honest = threading.Thread(
            target=lambda: sent.extend(clients.send_plan(self.server.port, plan))
        )
        honest.start()
        strangers = []
        for i in range(HEADS):
            strangers.append(self.own(Wire(self.server.port)))
            strangers[-1].send(head)
            if i % 500 == 0:
                self.look()
        honest.join()
        self.look()
        self.assertEqual(len(sent), len(plan))
        scrape = self.sidelight.settle(self.server.port)
        self.check(scrape)
        expected = collections.Counter(
            (clients.label_of(m), clients.route_of(t), str(s)) for m, t, s in sent
        )
        counted = scrape.requests()
        self.assertFalse(counted - expected, difference(counted, expected))
        found = counted.total() + scrape.lost_requests()
        told = f"{difference(counted, expected)}\n{scrape.lost()}\n{health(scrape)}"
        self.assertGreaterEqual(found, len(sent), told)
        if not scrape.lost():
            self.assertEqual(found, len(sent), told)
        for wire in strangers:
            wire.close()
        self.wait_given_back()

    def test_sequence_gaps(self):
        """One request, then a byte is missing, and a whole window of requests follows it."""
        link = segments.Link(self)
        server = servers.Nginx(self, host=network.SERVER, netns=link.server)
        self.observe(server, 12 << 20)
        request = request_bytes("GET", "/hello")
        first = len(request)
        stream = request * (WINDOW // first + 2)
        honest = segments.Peer(link, self.server.port, 20000)
        asked = 0
        peers = []
        for i in range(GAPS):
            peers.append(segments.Peer(link, self.server.port, 20001 + i))
            peers[-1].send(stream, 0, first)
            for at in range(first + 1, WINDOW, SEGMENT):
                peers[-1].send(stream, at, at + SEGMENT)
            peers[-1].wait_acked(first)  # and what came before is read
            if i % 50 == 0:
                honest.send(request * (asked + 1), asked * len(request), (asked + 1) * len(request))
                asked += 1
                honest.wait_received(b"HTTP/1.1 ", asked)
                self.look()
        self.look()
        harness.wait_for(
            "the honest requests",
            lambda: self.sidelight.scrape().requests().total()
            + self.sidelight.scrape().lost_requests()
            >= asked + GAPS,
        )
        scrape = self.sidelight.scrape()
        self.check(scrape)
        self.assertEqual(set(scrape.requests()), {("GET", "/hello", "200")})
        if not scrape.lost():
            self.assertEqual(scrape.requests().total() + scrape.lost_requests(), asked + GAPS)
        for peer in peers:
            peer.close()
        self.wait_given_back()


if __name__ == "__main__":
    harness.main()
