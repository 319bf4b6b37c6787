#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Segments in orders that a network seldom gives: whatever the application got
is counted, exactly.
"""
import clients
import harness
import network
import segments
import servers
from observer import Sidelight

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


if __name__ == "__main__":
    harness.main()
