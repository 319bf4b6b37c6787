#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Segments that nobody who is connected has sent, 2,000 on each connection. The
socket drops them, or what comes in order wins over them: nothing changes what
is counted, and nothing is asked.
"""
# tests/run: shares the machine
import collections

import harness
import network
import segments
import servers
from clients import request_bytes
from observer import Sidelight
from rings import DATA, END_STREAM, HEADERS, PREFACE, SETTINGS, frame
from segments import ACK, FIN, PSH, RST, SYN

EACH = 100
TURNS = 20  # each after EACH forged segments
END_HEADERS = 4
FIELDS = b"\x82\x86\x04\x06/hello\x01\x04test"

# Where it is, from the next byte on; its flags; how many bytes too many it acknowledges.
FORGED = [
    ("half of the sequence numbers ahead", 1 << 31, ACK | PSH, 0),
    ("a gigabyte ahead", 1 << 30, ACK | PSH, 0),
    ("just beyond every window", 64 << 20, ACK | PSH, 0),
    ("beyond the window of this socket", 8 << 20, ACK | PSH, 0),
    ("behind all that was sent", -(1 << 30), ACK | PSH, 0),
    ("next, acknowledging what was not sent", 0, ACK | PSH, 100_000),
    ("ahead, acknowledging what was not sent", 30, ACK | PSH, 100_000),
    ("next, without an acknowledgement", 0, PSH, 0),
    ("next, a SYN", 0, SYN | ACK, 0),
    ("an end, ahead", 64 << 20, ACK | FIN, 0),
    ("an end that is not next", 700, FIN, 0),
    ("a reset that is not next", 700, RST | ACK, 0),
    ("a reset behind", -5, RST | ACK, 0),
    ("in the window: what comes in order wins", 7, ACK | PSH, 0),
]


def has_ended(peer, stream):
    """Was a frame received with which the stream ends?"""
    at = 0
    while at + 9 <= len(peer.received):
        head = peer.received[at : at + 9]
        if head[4] & END_STREAM and head[3] in (DATA, HEADERS):
            if int.from_bytes(head[5:], "big") == stream:
                return True
        at += 9 + int.from_bytes(head[:3], "big")
    return False


class Forged(harness.Case):
    def start(self, make):
        self.link = segments.Link(self)
        self.server = make(self, host=network.SERVER, netns=self.link.server)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)

    def forge(self, peer, sent):
        for i in range(EACH):
            _, offset, flags, ack = FORGED[i % len(FORGED)]
            peer.forge(sent + offset, b"x", flags, ack)

    def check(self, expected, **version):
        scrape = self.sidelight.wait_counted(expected.total())
        self.assertEqual(scrape.requests(**version), expected, self.sidelight.process.text())
        self.assertEqual(scrape.lost(), {})
        for name in (
            "sidelight_requests_lost_total",
            "sidelight_lost_bytes_total",
            "sidelight_parse_failures_total",
            "sidelight_responses_unpaired_total",
            "sidelight_http2_resyncs_total",
            "sidelight_http2_unknown_fields_total",
        ):
            self.assertEqual(scrape.sum(name), 0, name)
        self.assertGreater(scrape.sum("sidelight_segments_ignored_total"), EACH)

    def test_http1(self):
        self.start(servers.Nginx)
        peer = segments.Peer(self.link, self.server.port)
        stream = b""
        for turn in range(TURNS):
            if turn:
                self.forge(peer, len(stream))
            start, stream = len(stream), stream + request_bytes("GET", "/hello")
            peer.send(stream, start, len(stream))
            peer.wait_received(b"HTTP/1.1 200", turn + 1)
        peer.close()
        self.check(collections.Counter({("GET", "/hello", "200"): TURNS}))

    def test_http2(self):
        self.start(servers.Nghttpd)
        peer = segments.Peer(self.link, self.server.port)
        stream = PREFACE + frame(SETTINGS)
        peer.forge(0, b"", ACK)  # else the listener's socket sees the preface
        peer.send(stream, 0, len(stream))
        for turn in range(TURNS):
            peer.wait_acked(len(stream))
            self.forge(peer, len(stream))
            start = len(stream)
            stream += frame(HEADERS, END_STREAM | END_HEADERS, 2 * turn + 1, FIELDS)
            peer.send(stream, start, len(stream))
            peer.wait_for(f"stream {2 * turn + 1}", lambda: has_ended(peer, 2 * turn + 1))
        self.check(
            collections.Counter({("GET", "/hello", "200"): TURNS}), network_protocol_version="2"
        )

    def test_nobody_is_connected(self):
        """Data to the listener that belongs to no handshake."""
        self.start(servers.Nginx)
        peer = segments.Peer(self.link, self.server.port)
        stream = b""
        ports = peer.local_port, peer.local_port ^ 1
        for turn in range(TURNS):
            peer.local_port = ports[1]
            for i in range(EACH):
                peer.forge(7919 * i * turn, request_bytes("GET", "/forged"))
            peer.local_port = ports[0]
            start, stream = len(stream), stream + request_bytes("GET", "/hello")
            peer.send(stream, start, len(stream))
            peer.wait_received(b"HTTP/1.1 200", turn + 1)
        self.check(collections.Counter({("GET", "/hello", "200"): TURNS}))
        self.assertEqual(self.sidelight.scrape().sum("sidelight_connections_total"), 1)

    def test_preface_to_a_server_of_http1(self):
        """It makes the connection look like HTTP/2, whatever the server says to that."""
        self.start(servers.Scripted)
        liar = segments.Peer(self.link, self.server.port)
        honest = segments.Peer(self.link, self.server.port)
        liar.send(PREFACE, 0, 10)
        stream = b""
        for turn in range(TURNS):
            for _ in range(EACH):
                liar.forge(10 + (64 << 20))
                liar.forge(10 + (1 << 20))
            start, stream = len(stream), stream + request_bytes("GET", "/hello")
            honest.send(stream, start, len(stream))
            honest.wait_received(b"HTTP/1.1 200", turn + 1)
        self.check(collections.Counter({("GET", "/hello", "200"): TURNS}))


if __name__ == "__main__":
    harness.main()
