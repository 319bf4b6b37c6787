#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Segments of one connection that two CPUs hand in at the same time, and copies of them, which may
overtake them: everything is counted once, and nothing is taken for lost.
"""
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

    def __init__(self, link, cpu):
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
        while self.get(0) != self.GO:
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
        while self.get(0) != self.READY:
            pass
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


def http1(_stream, pad):
    return clients.request_bytes("GET", "/hello", "X-Pad: " + "p" * pad)


START = {http1: b"", frames.request: frames.START}


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
        places = borders if rng.random() < 0.5 else range(1, len(data))
        cuts = sorted(rng.sample(places, PIECES - 1))
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

    def check(self, request, pads, **knobs):
        link = segments.Link(self)
        server = servers.Nginx(self, host=network.SERVER, netns=link.server, **knobs)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        twin = self.own(Twin(link, self.cpus[1]))
        policy = os.sched_getscheduler(0), os.sched_getparam(0)
        self.stack.callback(os.sched_setscheduler, 0, *policy)
        real_time(self.cpus[0])
        rng = random.Random(1)
        total = 0
        for _ in range(ROUNDS // CONNECTION_ROUNDS):
            peer = segments.Peer(link, server.port)
            at, number, answers = len(START[request]), 1, 0
            if at:
                peer.send(START[request], 0, at)
                peer.wait_received(frames.SETTINGS_ACK)
            for _ in range(CONNECTION_ROUNDS):
                requests = []
                for _ in range(rng.randrange(PIECES, 9)):
                    requests.append(request(number, rng.choice(pads)))
                    number += 2
                at = self.play_round(peer, twin, rng, requests, at)
                answers += len(requests)
                peer.wait_received(b"hello\n", answers)
            total += answers
            peer.close()
        os.sched_setscheduler(0, *policy)
        page = sidelight.wait_counted(0.999 * total)
        # Of a request that is still sent when a copy of it is answered, the response comes first.
        known = page.requests()["GET", "/hello", "200"]
        unknown = page.requests()["unknown", "unknown", "200"]
        lost = page.sum("sidelight_requests_lost_total")
        self.assertEqual(known + unknown + lost, total, health(page))
        self.assertGreaterEqual(known, 0.999 * total, health(page))
        for name in ("lost_bytes", "parse_failures"):
            self.assertEqual(page.sum(f"sidelight_{name}_total"), 0, health(page))
        self.assertGreater(page.sum("sidelight_tcp_duplicate_segments_total"), 0)

    def test_http1(self):
        # What is copied of requests that do not wait for a response is less than 16 KiB.
        self.check(http1, (100, 1500))

    def test_http2(self):
        self.check(frames.request, (20, 200, 1500, 7000), HTTP2="http2")


if __name__ == "__main__":
    harness.main()
