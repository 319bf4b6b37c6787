#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 600
"""
Deep pipelining: far more requests in flight on one connection than the kernel half copies of an
ordinary flight. What the server's log has is counted with the status that is in the log, or is counted
as lost; of what one write hands over, nothing is lost. How the rest is cut into flights depends on when
the server acknowledges, and so on the machine.
"""
# tests/run: shares the machine
import collections
import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import threading

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight


def chunked(method, target, *chunks):
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return request_bytes(method, target, "Transfer-Encoding: chunked") + body


def padded(method, target, size):
    return request_bytes(method, target, "X-Pad: " + "p" * size)


def body(size):
    """Bytes that are taken for requests when the parser has lost its place."""
    return (request_bytes("GET", "/invented") * (size // 20 + 1))[:size]


# A request is (method, bytes). Targets that follow each other have different statuses, so that a
# response that is given to another request is noticed.
GETS = [
    ("GET", request_bytes("GET", target))
    for target in ("/hello", "/missing", "/made", "/empty", "/users/17")
]
LONG_HEADS = [
    ("GET", padded("GET", "/hello", 1500)),
    ("DELETE", request_bytes("DELETE", "/denied")),
    ("GET", padded("GET", "/missing", 5000)),
    ("HEAD", request_bytes("HEAD", "/moved")),
]
PUTS = [
    ("PUT", request_bytes("PUT", target, body=body(size)))
    for target, size in (("/made", 140), ("/missing", 20), ("/hello", 300), ("/empty", 1))
]
LONG_PUTS = [
    ("PUT", request_bytes("PUT", "/made", body=body(3000))),
    ("POST", request_bytes("POST", "/gateway", body=body(700))),
]
CHUNKED_POSTS = [
    ("POST", chunked("POST", "/late", body(90), b"x")),
    ("POST", chunked("POST", "/missing", body(300))),
]
LONG_CHUNKED_POSTS = [("POST", chunked("POST", "/late", body(9000)))]
MIXED = [GETS[0], PUTS[0], GETS[1], LONG_PUTS[1], LONG_HEADS[3], PUTS[1]]
LONG_MIXED = [GETS[0], PUTS[0], LONG_HEADS[0], GETS[1], LONG_PUTS[0], LONG_PUTS[1], LONG_HEADS[3]]
MIXED_CHUNKED = [CHUNKED_POSTS[0], GETS[0], PUTS[1], LONG_CHUNKED_POSTS[0], GETS[1]]


def repeat(requests, count):
    return (requests * (count // len(requests) + 1))[:count]


def in_one_blob(plan, _):
    yield b"".join(data for _, data in plan)


def in_segments(plan, _):
    """As a network with an MTU of 1500 cuts them."""
    data = b"".join(data for _, data in plan)
    for at in range(0, len(data), 1448):
        yield data[at : at + 1448]


def cut_anywhere(plan, rng):
    data = b"".join(data for _, data in plan)
    at = 0
    while at < len(data):
        size = rng.choice((1, rng.randrange(1, 90), rng.randrange(1, 900), rng.randrange(1, 9000)))
        yield data[at : at + size]
        at += size


def from_all_cpus(plan, rng):
    """
    Each write from another CPU. A busy one still hands in a long segment while the next one comes
    from another CPU.
    """
    data = b"".join(data for _, data in plan)
    cpus = itertools.cycle(sorted(os.sched_getaffinity(0)))
    at = 0
    while at < len(data):
        os.sched_setaffinity(threading.get_native_id(), {next(cpus)})
        size = rng.choice((1, rng.randrange(1, 90), rng.randrange(1, 9000), 60000))
        yield data[at : at + size]
        at += size


def one_by_one(plan, _):
    for _, data in plan:
        yield data


ALL_CUTS = (in_one_blob, in_segments, one_by_one, cut_anywhere)


def route_of(target):
    return "/bytes/{id}" if target.startswith("/bytes/") else clients.route_of(target)


def read_responses(wire, plan):
    for method, _ in plan:
        wire.response(method)


def read_until_closed(wire, _):
    """Returns how many responses came before the server closed or reset the connection."""
    data = b""
    try:
        while piece := wire.sock.recv(1 << 20):
            data += piece
    except ConnectionResetError:
        pass
    return data.count(b"HTTP/1.1 ")


@contextlib.contextmanager
def busy_loop():
    """A process that takes a CPU."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as loop:
        try:
            yield
        finally:
            loop.send_signal(signal.SIGKILL)


class Case(harness.Case):
    def observe(self, server):
        self.server = server
        self.sidelight = Sidelight(self, cgroup=server.cgroup)

    def play(self, plan, cut, read=read_responses, seed=1, is_half_closed=False):
        """
        Sends all of it without waiting for a response. Returns what the server's log has and what
        was counted, as Counters of (method, route, result), how many were counted as lost, the
        metrics, and the result of read().
        """
        before = self.sidelight.scrape()
        logged = len(self.server.log())
        with Wire(self.server.port) as wire:

            def send():
                try:
                    for piece in cut(plan, random.Random(seed)):
                        wire.send(piece)
                    if is_half_closed:
                        wire.sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # the server has closed

            sender = threading.Thread(target=send)
            sender.start()
            received = read(wire, plan)
            sender.join()
        page = self.sidelight.settle(self.server.port)
        if read is read_responses:
            self.server.wait_log(logged + len(plan))
        served = collections.Counter(
            (clients.label_of(method), route_of(target), status)
            for method, target, status in self.server.log()[logged:]
        )
        counted = page.requests()
        counted.subtract(before.requests())
        grown = lambda name: page.sum(name) - before.sum(name)
        self.unpaired = grown("sidelight_responses_unpaired_total")
        self.bytes_lost = grown("sidelight_lost_bytes_total")
        return served, +counted, page.lost_requests() - before.lost_requests(), page, received

    def assert_counted_or_said_to_be_lost(self, plan, cut, may_lose=False, **how):
        served, counted, lost, page, _ = self.play(plan, cut, **how)
        told = f"{lost} lost, {counted}, {page.lost()}"
        self.assertEqual(served.total(), len(plan))
        self.assertFalse(counted - served, f"counted, and not served so; {told}")
        if not may_lose:
            self.assertEqual((counted, lost), (served, 0), told)
        elif self.bytes_lost:
            # Nobody knows how many requests were among them: no room in the ring, or a segment and
            # its duplicate at the same time.
            self.assertTrue(counted == served or lost + self.unpaired, f"a silent loss; {told}")
        else:
            self.assertEqual(counted.total() + lost, len(plan), told)

    def each_cut(self, name, plan, lossless):
        for number, cut in enumerate(ALL_CUTS):
            with self.subTest(plan=name, cut=cut.__name__):
                self.assert_counted_or_said_to_be_lost(plan, cut, cut not in lossless, seed=number)


class Requests:
    def setUp(self):
        super().setUp()
        self.observe(self.make_server())

    def test_requests_without_body(self):
        self.each_cut("4000 GET", repeat(GETS, 4000), lossless=(in_one_blob,))
        self.each_cut("400 with long heads", repeat(LONG_HEADS, 400), lossless=(in_one_blob,))

    def test_bodies_of_known_length(self):
        """
        What one write hands over is whole. Where more is in flight than a socket takes at once, the
        server may acknowledge the middle of a body: what follows looks like a new flight then.
        """
        self.each_cut("100 PUT", repeat(PUTS, 100), lossless=(in_one_blob,))
        self.each_cut("4000 PUT", repeat(PUTS, 4000), lossless=())
        self.each_cut("400 long PUT", repeat(LONG_PUTS, 400), lossless=())
        self.each_cut("2400 mixed", repeat(MIXED, 2400), lossless=())
        self.each_cut("600 long mixed", repeat(LONG_MIXED, 600), lossless=())

    def test_bodies_of_unknown_length(self):
        """The kernel half does not find the end of such a body: requests behind it may be lost."""
        self.each_cut("1000 chunked", repeat(CHUNKED_POSTS, 1000), lossless=())
        self.each_cut(
            "100 long chunked", [*GETS, *repeat(LONG_CHUNKED_POSTS, 100)], lossless=()
        )
        self.each_cut("1000 mixed", repeat(MIXED_CHUNKED, 1000), lossless=())

    def test_large_responses(self):
        """All requests are copied, and their responses may be lost among others' bodies."""
        large = ("GET", request_bytes("GET", self.large))
        mixed = [GETS[0], PUTS[0], large, GETS[1]]
        for plan in ([large] * 600, repeat(mixed, 600)):
            self.assert_counted_or_said_to_be_lost(plan, in_one_blob, may_lose=True)

    def test_http_1_0(self):
        plan = [
            (method, data.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\n"))
            for method, data in repeat(GETS, 4000)
        ]
        self.each_cut("4000 GET of HTTP/1.0", plan, lossless=(in_one_blob,))

    def assert_served_are_counted_or_lost(self, plan, cut, **how):
        """
        The server's log has requests whose responses it could not send any more. Those whose
        responses the client has received are counted, or a counter says that some are lost; others
        have the error that ended them.
        """
        served, counted, lost, page, received = self.play(
            plan, cut, read=read_until_closed, **how
        )
        told = f"{lost} lost, {counted}, {served}, {page.lost()}"
        answered = +collections.Counter({k: n for k, n in counted.items() if k[2].isdigit()})
        self.assertGreater(served.total(), 0)
        self.assertFalse(answered - served, f"counted, and not served so; {told}")
        self.assertGreater(received, 0)
        if counted.total() + lost < received:
            self.assertGreater(lost + self.unpaired, 0, f"a silent loss; {told}")
        self.assertLessEqual(counted.total(), len(plan), told)
        return served

    def test_server_that_closes_in_the_middle(self):
        last = ("GET", request_bytes("GET", "/hello", "Connection: close"))
        for number, cut in enumerate(ALL_CUTS):
            with self.subTest(cut=cut.__name__):
                plan = [*repeat(GETS, 2000), last, *repeat(GETS, 2000)]
                served = self.assert_served_are_counted_or_lost(plan, cut, seed=number)
                self.assertEqual(served.total(), 2001)

    def test_client_that_half_closes(self):
        for number, cut in enumerate(ALL_CUTS):
            with self.subTest(cut=cut.__name__):
                self.assert_served_are_counted_or_lost(
                    repeat(MIXED, 2400), cut, seed=number, is_half_closed=True
                )


class Nginx(Requests, Case):
    large = "/www/large"

    def make_server(self):
        server = servers.Nginx(self)
        server.www("large", 20000)
        return server


class Go(Requests, Case):
    large = "/bytes/20000"

    def make_server(self):
        return servers.Go(self)

    def test_client_that_changes_its_cpu(self):
        with contextlib.ExitStack() as stack:
            for _ in os.sched_getaffinity(0):
                stack.enter_context(busy_loop())
            for seed in range(30):
                with self.subTest(seed=seed):
                    self.assert_counted_or_said_to_be_lost(
                        repeat(MIXED, 2400), from_all_cpus, True, seed=seed
                    )


class Caddy(Requests, Case):
    large = "/www/large"

    def make_server(self):
        server = servers.Caddy(self)
        server.www("large", 20000)
        return server


if __name__ == "__main__":
    harness.main()
