#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The BPF programs among the frames of HTTP/2, with crafted bytes: however they
are cut, every byte reaches user space but payload of DATA frames and whole
frames of no interest, and a record says it starts with a frame only if so.
"""
# tests/run: shares the machine
import random
import socket
import threading

import harness
import network
import rings
from rings import ACK, DATA, EGRESS, END_STREAM, HEADERS, INGRESS, PADDED, PING, PREFACE
from rings import RST_STREAM, SETTINGS, WINDOW, frame

HELLO = PREFACE + frame(SETTINGS) + frame(WINDOW, payload=b"\0\1\0\0")
CLIENT, SERVER = "client", "server"


def request(stream, body=b"", cut=16384):
    """HEADERS, then DATA in frames of that size, the last with END_STREAM."""
    out = frame(HEADERS, 4 | (not body), stream, b"\x82\x86\x84\x41\x0aexample.org")
    for at in range(0, len(body), cut):
        part = body[at : at + cut]
        out += frame(DATA, END_STREAM if at + cut >= len(body) else 0, stream, part)
    return out


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def write(sock, data, cuts):
    """data in pieces of these sizes, one segment each; the last size repeats."""
    at, i = 0, 0
    while at < len(data):
        size = cuts[min(i, len(cuts) - 1)]
        sock.sendall(data[at : at + size])
        at, i = at + size, i + 1


class Frames(harness.Case):
    def setUp(self):
        super().setUp()
        self.group = self.cgroup()
        self.on_one_cpu()

    def attach(self):
        self.ring = rings.Ring(self, self.group)

    def listen(self, family=socket.AF_INET):
        with rings.inside(self.group):
            self.listener = self.own(socket.socket(family))
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)

    def connect(self):
        client = self.own(socket.create_connection(self.listener.getsockname()))
        server = self.own(self.listener.accept()[0])
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(30)
        return client, server

    def exchange(self, plan):
        """
        plan: (who, data, cuts) in turn; what one writes the other has read before the
        next line. Returns the connection and both streams' bytes.
        """
        client, server = self.connect()
        sent = {CLIENT: b"", SERVER: b""}
        for who, data, cuts in plan:
            sock, other = (client, server) if who == CLIENT else (server, client)
            writer = threading.Thread(target=write, args=(sock, data, cuts))
            writer.start()
            left = len(data)
            while left:
                left -= len(other.recv(min(left, 1 << 20)))
            writer.join()
            sent[who] += data
        return client, server, sent

    def check(self, plan, most=None):
        """The plan, on a connection of its own, by what its records must be."""
        client, server, sent = self.exchange(plan)
        ring = self.ring
        connection = ring.of_port(client.getsockname()[1])
        copied = {}
        for direction, who in ((INGRESS, CLIENT), (EGRESS, SERVER)):
            if not sent[who]:
                continue
            stream = rings.Stream(sent[who], who == CLIENT)
            records = connection.records[direction]
            ring.read_until("the first record", lambda: records)
            base = records[0].start
            ring.read_until("all records", lambda: stream.is_told(records, base))
            copied[who] = stream.check(self, records, base)
        self.assertIsNone(connection.muted)
        self.assertEqual(ring.lost(), {})
        client.close()
        server.close()
        ring.forget(connection)
        return copied

    def test_cut_in_two_at_every_byte(self):
        self.attach()
        self.listen()
        data = HELLO + request(1, noise(1, 30)) + request(3) + frame(PING, 0, 0, noise(2, 8))
        for at in range(1, len(data)):
            self.check(
                [
                    (SERVER, frame(SETTINGS), [9]),
                    (CLIENT, data, [at, len(data)]),
                    (SERVER, frame(SETTINGS, ACK) + request(1, noise(3, 20)), [100]),
                ]
            )
        self.assertEqual(self.ring.asked, 0)

    def test_answers_cut_at_every_byte(self):
        self.attach()
        self.listen()
        data = frame(SETTINGS) + request(1, noise(3, 600)) + frame(WINDOW, payload=b"\0\0\0\1")
        for at in list(range(1, 40)) + list(range(600, len(data))):
            self.check([(CLIENT, HELLO + request(1), [1000]), (SERVER, data, [at, 7000])])
        self.assertEqual(self.ring.asked, 0)

    def test_one_byte_at_a_time(self):
        self.attach()
        self.listen()
        self.check(
            [
                (CLIENT, HELLO + request(1, noise(1, 900), 300) + request(3), [1]),
                (SERVER, frame(SETTINGS) + request(1, noise(2, 700)), [1]),
            ]
        )
        self.assertEqual(self.ring.asked, 0)

    def test_many_frames_in_one_write(self):
        self.attach()
        self.listen()
        requests = b"".join(request(2 * i + 1) for i in range(100))
        answers = b"".join(request(2 * i + 1, b"hello") for i in range(100))
        self.check([(CLIENT, HELLO + requests, [9999]), (SERVER, frame(SETTINGS) + answers, [9999])])
        # Of the smallest frames there are, a segment can hold too many: then all is sent.
        self.check([(CLIENT, HELLO + frame(RST_STREAM, 0, 1, b"abcd") * 1500, [30000])])
        self.assertEqual(self.ring.asked, 0)

    def test_large_frames(self):
        self.attach()
        self.listen()
        size = 2**24 - 1
        copied = self.check(
            [
                (CLIENT, HELLO + request(1), [1000]),
                (SERVER, frame(SETTINGS) + request(1, noise(1, 2 * size), size), [1 << 20]),
                (CLIENT, request(3, noise(2, 5 << 20), 1 << 20) + request(5), [65000]),
            ]
        )
        self.assertLess(copied[SERVER], 2000)
        self.assertLess(copied[CLIENT], 2000)

    def test_padding(self):
        self.attach()
        self.listen()
        padded = b"".join(
            frame(DATA, PADDED | END_STREAM, 2 * i + 1, bytes([pad]) + noise(i, 2500) + bytes(pad))
            for i, pad in enumerate((0, 1, 255))
        )
        self.check([(CLIENT, HELLO + padded + request(9), [100000])])

    def test_the_end_of_a_stream_is_told_at_once(self):
        """DATA that ends a segment, in every way it can: alone, cut before, cut within."""
        self.attach()
        self.listen()
        for size in (0, 1, 16, 17, 600, 1900, 2000, 2001, 16384, 70000):
            data = frame(DATA, END_STREAM, 1, noise(size, size))
            for cuts in ([len(data)], [9, len(data)], [8, len(data)], [max(1, len(data) - 1), 1]):
                self.check([(CLIENT, HELLO + request(1), [99]), (SERVER, frame(SETTINGS), [9]),
                            (SERVER, data, cuts)])
        self.assertEqual(self.ring.asked, 0)

    def test_random_frames_cut_at_random(self):
        self.attach()
        self.listen()
        for seed in range(60):
            r = random.Random(seed)

            def frames(count):
                out = b""
                for _ in range(count):
                    kind = r.choice((DATA, DATA, DATA, HEADERS, 2, 3, PING, 7, WINDOW, 9, 0x55))
                    size = r.choice((0, 1, 8, 20, 100, 511, 513, 1999, 2001, 9000, 20000))
                    out += frame(kind, r.randrange(256), 1, r.randbytes(size))
                return out

            cuts = [r.choice((1, 5, 100, 1448, 3000, 9000, 65000)) for _ in range(40)] + [65000]
            self.check(
                [
                    (CLIENT, HELLO + frames(30), cuts),
                    (SERVER, frame(SETTINGS) + frames(30), cuts[::-1]),
                    (CLIENT, frames(10), cuts),
                ]
            )
        self.assertEqual(self.ring.asked, 0)

    def test_server_that_speaks_first(self):
        self.attach()
        self.listen()
        first = frame(SETTINGS, payload=bytes(6)) + frame(WINDOW, payload=b"\0\0\0\1")
        self.check(
            [
                (SERVER, first, [15]),
                (CLIENT, HELLO + request(1), [5]),
                (SERVER, request(1, noise(1, 50_000)), [20_000]),
            ]
        )
        self.assertEqual(self.ring.asked, 0)

    def upgrade(self, after_101, client_data, cut):
        """HTTP/1.1 that asks for h2c; returns the connection, and what was sent behind both heads."""
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
        asking = b"GET /first HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"
        client, _, sent = self.exchange(
            [
                (CLIENT, asking, [1000]),
                (SERVER, head + after_101, [cut]),
                (CLIENT, client_data, [7]),
                (SERVER, request(1, noise(4, 30_000)), [30_000]),
            ]
        )
        connection = self.ring.of_port(client.getsockname()[1])
        return connection, ((sent[CLIENT], True, len(asking)), (sent[SERVER], False, len(head)))

    def test_upgrade(self):
        self.attach()
        self.listen()
        frames = frame(SETTINGS) + request(1, noise(1, 5000))
        for cut in (100_000, 52, 51, 53, 60, 1):
            connection, streams = self.upgrade(frames, HELLO + request(3, noise(2, 3000)), cut)
            for direction, args in enumerate(streams):
                stream = rings.Stream(*args)
                records = connection.records[direction]
                self.ring.read_until("the first record", lambda: records)
                base = records[0].start
                self.ring.read_until("all records", lambda: stream.is_told(records, base))
                stream.check(self, records, base)
            self.assertIsNone(connection.muted)
            self.ring.forget(connection)
        self.assertEqual(self.ring.lost(), {})

    def test_upgrade_to_something_else(self):
        self.attach()
        self.listen()
        for frames, data in ((b"", b"\x81\x85abcdhello"), (b"\x81\x05hello", b"\x81\x85abcdhello")):
            connection, _ = self.upgrade(frames, data, 100_000)
            self.ring.read_until("the connection to be muted", lambda: connection.muted)
            self.assertEqual(connection.muted, "upgrade")
            self.ring.forget(connection)

    def test_http1_that_starts_like_the_preface(self):
        self.attach()
        self.listen()
        body = noise(1, 100_000)
        post = b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + body
        for cuts in ([1, 200_000], [2, 200_000], [1, 1, 200_000]):
            client, _, sent = self.exchange(
                [(CLIENT, post, cuts), (SERVER, b"HTTP/1.1 200 OK\r\n\r\n", [100])]
            )
            connection = self.ring.of_port(client.getsockname()[1])
            records = connection.records[INGRESS]
            self.ring.read_until("the end", lambda: records and
                                 (records[-1].end - records[0].start) % 2**32 == len(post))
            copied = b"".join(r.data for r in records)
            self.assertTrue(copied.startswith(post[:60]))
            self.assertLess(len(copied), 50_000)
            self.assertIsNone(connection.muted)
            self.ring.forget(connection)

    def test_older_connection(self):
        """What is asked is answered from what was written, as user space would from what it sees."""
        self.listen()
        client, server = self.connect()
        written = {INGRESS: b"", EGRESS: b""}

        def send(direction, data, cuts):
            sock, other = (client, server) if direction == INGRESS else (server, client)
            writer = threading.Thread(target=write, args=(sock, data, cuts))
            writer.start()
            left = len(data)
            while left:
                left -= len(other.recv(min(left, 1 << 20)))
            writer.join()
            written[direction] += data

        send(INGRESS, HELLO + request(1), [100])
        send(EGRESS, frame(SETTINGS) + request(1, noise(1, 1000)), [5000])
        self.attach()
        begin = {d: len(data) for d, data in written.items()}

        def answer(connection, direction, seq):
            """The first border at seq or behind it; bases are those of the first records."""
            base = connection.records[direction][0].start - begin[direction]
            stream = rings.Stream(written[direction] + later[direction], direction == INGRESS)
            at = (seq - base) % 2**32
            border = min(b for b in stream.borders if b >= at)
            return base + border

        self.ring.answer = answer
        later = {INGRESS: b"", EGRESS: b""}
        copied = [0, 0]
        for turn in range(20):
            for direction, data in (
                (INGRESS, request(2 * turn + 3)),
                (EGRESS, request(2 * turn + 3, noise(turn, 20_000))),
            ):
                later[direction] = data
                send(direction, data, [70_000])
                later[direction] = b""
                connection = self.ring.of_port(client.getsockname()[1])
                records = connection.records[direction]
                self.ring.read_until("a record", lambda: records)
                base = records[0].start - begin[direction]
                self.ring.read_until("all records", lambda: rings.Stream(
                    written[direction], direction == INGRESS).is_told(records, base))
        self.assertIsNone(connection.muted)
        self.assertIn(self.ring.asked, range(2, 8))
        for direction in (INGRESS, EGRESS):
            records = connection.records[direction]
            base = records[0].start - begin[direction]
            stream = rings.Stream(written[direction], direction == INGRESS)
            copied[direction] = stream.check(self, records, base, begin[direction])
            self.assertIn("F", "".join(r.flags for r in records))
        # One of twenty answers of 20,000 bytes was copied whole, the rest was cut.
        self.assertLess(copied[EGRESS], 70_000)


class Holes(harness.Case):
    """A wire that loses: what the application got is what user space got, payload left out."""

    def setUp(self):
        super().setUp()
        self.wire = network.Veth(self)
        group = self.cgroup()
        self.ring = rings.Ring(self, group)
        with rings.inside(group), rings.network(self.wire.server):
            self.listener = self.own(socket.socket())
            self.listener.bind((network.SERVER, 0))
        self.listener.listen(8)
        data = HELLO + b"".join(
            request(2 * i + 1, noise(i, size))
            for i, size in enumerate((3000, 0, 100_000, 0, 0, 20_000, 16, 0) * 60)
        )
        self.stream = rings.Stream(data, True)

        def answer(connection, direction, seq):
            base = connection.first_seq[direction]
            return base + min(b for b in self.stream.borders if b >= (seq - base) % 2**32)

        self.ring.answer = answer

    def test_lost_segments(self):
        self.wire.drop(0.02)
        copied = [self.check_connection()[0] for _ in range(8)]
        size, asked = len(self.stream.data), self.ring.asked
        print(f"\n    of {size} bytes copied {copied}, asked {asked} times")
        self.assertEqual(self.ring.lost(), {})

    def test_lost_preface(self):
        """What follows it is worth as much as ever, and nobody reads the ring meanwhile."""
        self.wire.drop_one(self.wire.server, 2)  # after SYN and ACK
        records = self.check_connection()[1]
        self.assertIn("H", "".join(r.flags for r in records), "nothing came out of order")
        self.assertEqual(self.ring.lost(), {})

    def check_connection(self):
        ring, stream = self.ring, self.stream
        with rings.network(self.wire.client):
            client = self.own(socket.socket())
        client.connect(self.listener.getsockname())
        server = self.own(self.listener.accept()[0])
        writer = threading.Thread(target=client.sendall, args=(stream.data,))
        writer.start()
        got = bytearray()
        while len(got) < len(stream.data):
            got += server.recv(1 << 20)
        writer.join()
        self.assertEqual(got, stream.data)
        connection = ring.of_port(client.getsockname()[1])
        records, base = connection.records[INGRESS], connection.first_seq[INGRESS]
        have = bytearray(stream.may_skip)
        told = 0

        def is_told():
            """Not by the record that comes to the end: what fills a hole may come after it."""
            nonlocal told
            for r in records[told:]:
                at = (r.seq - base) % 2**32
                have[at : at + len(r.data)] = b"\1" * len(r.data)
            told = len(records)
            return 0 not in have

        ring.read_until("all bytes that matter", is_told)
        return stream.check(self, records, base, has_holes=True), records


if __name__ == "__main__":
    harness.main()
