#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Segments in orders that a network seldom gives: whatever the application got
is counted, exactly.
"""
# tests/run: shares the machine
import random

import clients
import frames
import harness
import network
import segments
import servers
from observer import Sidelight, health

# Servers close the connection after 400.
PATHS = [entry for entry in clients.PATHS if entry[2] != 400]


class Order(harness.Case):
    """
    The stream of a connection is a list of requests. A script says which of its bytes arrive, pair
    by pair; a number waits until so many were answered.
    """

    def start(self, make):
        self.link = segments.Link(self)
        self.server = make(self, host=network.SERVER, netns=self.link.server)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)
        self.total = 0

    def play(self, requests, script):
        stream = b"".join(requests)
        peer = segments.Peer(self.link, self.server.port)
        for step in script:
            if isinstance(step, int):
                peer.wait_received(b"HTTP/1.1 ", step)
            else:
                peer.send(stream, *step)
        peer.wait_acked(len(stream))
        peer.wait_received(b"HTTP/1.1 ", len(requests))
        peer.close()
        self.total += len(requests)

    def check(self):
        # The sentinel is a connection of its own over the same wire.
        scrape = self.sidelight.assert_counted(self.server.expected(self.total), self.ask)
        self.assertEqual(scrape.lost(), {})
        self.assertEqual(scrape.sum("sidelight_parse_failures_total"), 0)
        self.assertEqual(scrape.sum("sidelight_responses_unpaired_total"), 0)

    def ask(self, target):
        request = clients.request_bytes("GET", target)
        peer = segments.Peer(self.link, self.server.port)
        peer.send(request, 0, len(request))
        peer.wait_received(b"HTTP/1.1 ")
        peer.close()

    def test_body_before_its_head(self):
        """With deferred accept both may be seen on the listener, or one of them."""
        for make in servers.Apache, servers.Nginx:
            with self.subTest(make.__name__):
                self.start(make)
                upload = clients.request_bytes("PUT", "/made", body=b"k=v&n=1")
                head = len(upload) - 7
                more = clients.request_bytes("PATCH", "/denied", body=b"k=v&n=1")
                end = len(upload) + len(more)
                late = (len(upload), end)
                self.play([upload, more], [(head, len(upload)), (0, head), 1, late])
                self.play([upload, more], [(head, len(upload)), (0, head), late])
                self.check()

    def test_http2_starts_before_its_socket(self):
        """
        Its first bytes come with the end of the handshake, and then more than is copied of a flight
        whose protocol is not known, before the server has said anything.
        """
        link = segments.Link(self)
        server = servers.Nginx(self, host=network.SERVER, netns=link.server, HTTP2="http2")
        sidelight = Sidelight(self, cgroup=server.cgroup)
        count, connections = 7, 20
        stream = frames.START + b"".join(frames.request(1 + 2 * i, 7000) for i in range(count))
        half = len(frames.START) + (len(stream) - len(frames.START)) // 2
        for _ in range(connections):
            peer = segments.Peer(link, server.port)
            peer.send(stream, 0, len(frames.START))
            peer.send(stream, len(frames.START), half)
            peer.send(stream, half, len(stream))
            peer.wait_received(b"hello\n", count)
            peer.close()
        page = sidelight.wait_counted(count * connections)
        self.assertEqual(page.requests(), {("GET", "/hello", "200"): count * connections})
        self.assertEqual(page.lost(), {})
        self.assertEqual(page.sum("sidelight_parse_failures_total"), 0, health(page))

    def test_last_byte_first(self):
        """One byte out of order, behind which nothing comes that shows that it is no FIN."""
        for make in servers.Apache, servers.Nginx:
            with self.subTest(make.__name__):
                self.start(make)
                get = clients.request_bytes("GET", "/hello")
                end = 2 * len(get)
                last = [(end - 1, end), (len(get), end - 1)]
                self.play([get, get], [(0, len(get)), 1, *last])
                self.play([get], [(len(get) - 1, len(get)), (0, len(get) - 1)])
                self.check()

    def shuffled(self, rng, length):
        """Cuts that overlap, some of them twice, near enough to where they belong."""
        cuts = sorted(rng.sample(range(1, length), min(rng.randrange(12), length - 1)))
        pieces = list(zip([0, *cuts], [*cuts, length]))
        for start, end in list(pieces):
            if rng.random() < 0.4:
                other = rng.randrange(length)
                pieces.append((min(start, other), max(end, other, 1)))
        return sorted(pieces, key=lambda piece: piece[0] + rng.gauss(0, length / 4))

    def test_any_order(self):
        """Requests pipelined, cut anywhere, in any order, overlapping, twice."""
        for number, make in enumerate((servers.Apache, servers.Nginx)):
            with self.subTest(make.__name__):
                self.start(make)
                rng = random.Random(number)
                for _ in range(60):
                    plan = clients.make_plan(rng.random(), rng.randrange(1, 6), paths=PATHS)
                    requests = [
                        clients.request_bytes(
                            method,
                            target,
                            "X-Pad: " + "p" * rng.randrange(rng.choice((20, 3000))),
                            body=b"k=v&n=1" if method in ("POST", "PUT", "PATCH") else b"",
                        )
                        for method, target in plan
                    ]
                    length = sum(map(len, requests))
                    self.play(requests, self.shuffled(rng, length))
                self.check()


if __name__ == "__main__":
    harness.main()
