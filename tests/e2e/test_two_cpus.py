#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Segments of one connection that two CPUs hand in at the same time, and copies of them, which may
overtake them: everything is counted once, and nothing is taken for lost.
"""
import collections
import itertools
import mmap
import os
import random
import struct
import time
import traceback

import clients
import frames
import harness
import network
import segments
import servers
from observer import Sidelight, health

ROUNDS = int(os.environ.get("ROUNDS", "2000"))
CONNECTION_ROUNDS = 25
PIECES = 3
# A segment of 28 KB takes the programs some 20 us.
LATE_US = 60
SLOT = 1 << 16  # has room for any packet


class Twin:
    """
    A process on another CPU, which writes packets at a moment that both know. Memory that both
    have: a state, the moment, the number of packets, their lengths, and in slots their bytes.
    """

    IDLE, WANTED, READY, GO = range(4)

    def __init__(self, case, link, cpu):
        self.case = case
        self.link = link
        self.shared = mmap.mmap(-1, (1 + PIECES) * SLOT)
        self.parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            try:
                real_time(cpu)
                while os.getppid() == self.parent:
                    self.serve()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)

    def get(self, place):
        return struct.unpack_from("<Q", self.shared, 8 * place)[0]

    def put(self, place, value):
        struct.pack_into("<Q", self.shared, 8 * place, value)

    def serve(self):
        if self.get(0) != self.WANTED:
            time.sleep(0.0002)
            return
        # Its pages are here before it matters.
        mine = [bytes(self.shared[SLOT * (1 + i) :][: self.get(3 + i)]) for i in range(self.get(2))]
        self.put(0, self.READY)
        while self.get(0) != self.GO and os.getppid() == self.parent:
            pass
        write_at(self.link, self.get(1), mine)
        self.put(0, self.IDLE)

    def write(self, ours, theirs, late_ns):
        """ours from here, theirs by the twin that much later, or earlier."""
        for i, packet in enumerate(theirs):
            self.shared[SLOT * (1 + i) : SLOT * (1 + i) + len(packet)] = packet
            self.put(3 + i, len(packet))
        self.put(2, len(theirs))
        self.put(0, self.WANTED)
        deadline = time.monotonic() + 5
        while self.get(0) != self.READY:
            self.case.assertLess(time.monotonic(), deadline, "the twin is not ready")
        now = time.perf_counter_ns() + 30_000 + max(0, -late_ns)
        self.put(1, now + late_ns)
        self.put(0, self.GO)
        write_at(self.link, now, ours)
        harness.wait_for("the twin", lambda: self.get(0) == self.IDLE, pause=0.0001)


def write_at(link, moment_ns, packets):
    while time.perf_counter_ns() < moment_ns:
        pass
    for packet in packets:
        os.write(link.tun, packet)


def real_time(cpu):
    """This process alone has the CPU when it wants it."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def http1(_stream, pad, path):
    return clients.request_bytes("GET", path, "X-Pad: " + "p" * pad)


START = {http1: b"", frames.request: frames.START}
STATUS = {"/hello": "200", "/missing": "404"}


class TwoCpus(harness.Case):
    def setUp(self):
        super().setUp()
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("this machine has one CPU")
        self.stack.callback(os.sched_setaffinity, 0, cpus)
        self.cpus = cpus

    def play_round(self, peer, twin, rng, requests, at):
        """PIECES segments, each from either CPU or from both. Returns where the stream ends."""
        data = b"".join(requests)
        borders = list(itertools.accumulate(map(len, requests)))[:-1]
        is_whole = len(borders) >= PIECES - 1 and rng.random() < 0.5
        cuts = sorted(rng.sample(borders if is_whole else range(1, len(data)), PIECES - 1))
        packets = [
            peer.packet(at + start, data[start:end])
            for start, end in zip([0, *cuts], [*cuts, len(data)])
        ]
        at += len(data)
        ours = [rng.random() < 0.8 for _ in packets]
        theirs = [not own or rng.random() < 0.8 for own in ours]
        twin.write([p for p, own in zip(packets, ours) if own],
                   [p for p, own in zip(packets, theirs) if own],
                   rng.randrange(-LATE_US, LATE_US) * 1000)
        peer.wait_acked(at)
        return at

    def play_connection(self, peer, twin, rng, request, pads, most):
        """Returns the paths of its requests."""
        at, paths = len(START[request]), []
        if at:
            peer.send(START[request], 0, at)
            peer.wait_received(frames.SETTINGS_ACK)
        for _ in range(CONNECTION_ROUNDS):
            requests = []
            for _ in range(rng.randint(min(most, PIECES), most)):
                stream = 2 * len(paths) + 1
                paths.append(rng.choice(list(STATUS)))
                requests.append(request(stream, rng.choice(pads), paths[-1]))
            at = self.play_round(peer, twin, rng, requests, at)
            ends = lambda: peer.received.count(b"hello\n") + peer.received.count(b"</html>")
            peer.wait_for("the responses", lambda: ends() >= len(paths))
        peer.close()
        return paths

    def check(self, request, pads, most, least_known=0.999, **knobs):
        """Up to most requests at once."""
        link = segments.Link(self)
        server = servers.Nginx(self, host=network.SERVER, netns=link.server, **knobs)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        twin = self.own(Twin(self, link, self.cpus[1]))
        policy = os.sched_getscheduler(0), os.sched_getparam(0)
        self.stack.callback(os.sched_setscheduler, 0, *policy)
        real_time(self.cpus[0])
        rng = random.Random(1)
        sent = collections.Counter()
        for _ in range(ROUNDS // CONNECTION_ROUNDS):
            peer = segments.Peer(link, server.port)
            paths = self.play_connection(peer, twin, rng, request, pads, most)
            sent.update(("GET", path, STATUS[path]) for path in paths)
        os.sched_setscheduler(0, *policy)
        # Of a request that is still sent when a copy of it is answered, the response comes first.
        page = sidelight.wait_counted(least_known * sent.total())
        counted = page.requests()
        unknown = sum(counted.pop(("unknown", "unknown", status), 0) for status in STATUS.values())
        self.assertEqual(counted - sent, {}, health(page))
        self.assertGreaterEqual(counted.total(), least_known * sent.total(), health(page))
        lost = page.sum("sidelight_requests_lost_total")
        self.assertEqual(counted.total() + unknown + lost, sent.total(), health(page))
        for name in ("lost_bytes", "parse_failures"):
            self.assertEqual(page.sum(f"sidelight_{name}_total"), 0, health(page))
        self.assertGreater(page.sum("sidelight_tcp_duplicate_segments_total"), 0)

    def test_http1(self):
        self.check(http1, (1500, 7000), 1)

    def test_http1_pipelined(self):
        """
        What is copied of requests that do not wait is less than 16 KiB. When one is unknown, so are
        all that follow it on their connection.
        """
        self.check(http1, (100, 1500), 8, least_known=0.95)

    def test_http2(self):
        self.check(frames.request, (20, 200, 1500, 7000), 8, HTTP2="http2")


if __name__ == "__main__":
    harness.main()
