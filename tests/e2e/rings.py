# SPDX-License-Identifier: Apache-2.0
"""
The BPF programs alone (ring_driver.c), HTTP/2 frames, and what records of a
stream of frames must look like.
"""
import collections
import contextlib
import ctypes
import os
import select
import socket
import subprocess
import time

import harness

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "ring_driver"
INGRESS, EGRESS = 0, 1
COUNTERS = (
    "segments records bytes_seen bytes_sent retransmitted lost_open lost_request lost_data "
    "lost_close lost_mute lost_helper lost_storage lost_cap lost_chain out_of_window followed "
    "released asked accepted connected connect_failed closed reset"
).split()
MUTED = {1: "tls", 2: "unknown", 3: "upgrade", 4: "mptcp", 5: "tls_dark"}

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, PADDED = 1, 1, 8
IGNORED = (PRIORITY, PING, WINDOW)
DATA_KEPT = 16  # bytes of a cut payload that are sent: padding length and a gRPC prefix at least


def frame(kind, flags=0, stream=0, payload=b""):
    return (
        len(payload).to_bytes(3, "big")
        + bytes((kind, flags))
        + stream.to_bytes(4, "big")
        + payload
    )


Record = collections.namedtuple("Record", "flags start seq end data")


class Connection:
    def __init__(self, words):
        self.role, self.is_early, self.port, self.remote_port, *self.first_seq = map(int, words)
        self.records = {INGRESS: [], EGRESS: []}
        self.muted = None
        self.is_closed = False


class Ring:
    """A ring_driver on a cgroup; answers what it asks if there is somebody who can."""

    def __init__(self, case, cgroup, netns=None):
        argv = [str(DRIVER), str(cgroup)]
        self.popen = subprocess.Popen(
            (["ip", "netns", "exec", netns] if netns else []) + argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        case.own(self)
        self.buffer = b""
        self.connections = {}
        self.counters = None
        self.answer = None  # function of (connection, direction, seq): the answer, or None
        self.asked = 0
        self.shared = None
        self.taken = []
        self.is_ready = False
        self.read_until("the driver to attach", lambda: self.is_ready)

    def close(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        self.popen.wait(10)

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def read_until(self, what, event, seconds=10):
        deadline = time.monotonic() + seconds
        while not event():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
                raise AssertionError(f"waited {seconds:g} s in vain for {what}")
            data = os.read(self.popen.stdout.fileno(), 1 << 20)
            if not data:
                raise AssertionError(f"the driver ended with {self.popen.wait(5)}")
            lines = (self.buffer + data).split(b"\n")
            self.buffer = lines.pop()
            for line in lines:
                self.take(line.decode().split(" "))

    def take(self, words):
        kind = words[0]
        if kind == "ready":
            self.is_ready = True
        elif kind == "open":
            self.connections.setdefault(words[1], Connection(words[2:]))
        elif kind == "data":
            connection = self.connections[words[1]]
            direction, flags = int(words[2]), words[3]
            start, seq, end = map(int, words[4:7])
            record = Record(flags, start, seq, end, bytes.fromhex(words[7]))
            connection.records[direction].append(record)
            if "A" in flags:
                self.asked += 1
                seq = self.answer and self.answer(connection, direction, seq)
                if seq is not None:
                    self.tell(f"answer {words[1]} {direction} {seq % 2**32}")
        elif kind == "mute":
            self.connections[words[1]].muted = MUTED[int(words[2])]
        elif kind == "close":
            self.connections[words[1]].is_closed = True
        elif kind == "counters":
            self.counters = dict(zip(COUNTERS, map(int, words[1:])))
        elif kind == "shared":
            self.shared = int(words[1])
        elif kind == "taken":
            self.taken.append(int(words[1], 16))

    def of_port(self, port):
        """The connection with that port at the other end."""

        def find():
            for connection in self.connections.values():
                if connection.remote_port == port:
                    return connection
            return None

        self.read_until(f"a connection of port {port}", find)
        return find()

    def forget(self, connection):
        """Its port will be another's."""
        connection.remote_port = None

    def count(self):
        self.counters = None
        self.tell("counters")
        self.read_until("counters", lambda: self.counters)
        return self.counters

    def lost(self):
        return {k: v for k, v in self.count().items() if k.startswith("lost") and v}


@contextlib.contextmanager
def inside(cgroup):
    """Sockets that are made here belong to the cgroup."""
    before = harness.cgroup2_root()
    pid = str(os.getpid())
    (cgroup.path / "cgroup.procs").write_text(pid)
    try:
        yield
    finally:
        (before / "cgroup.procs").write_text(pid)


@contextlib.contextmanager
def network(name):
    """Sockets that are made here belong to the network namespace of that name."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as before, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(before.fileno(), 0)


class Stream:
    """What was written to one direction, as frames, for comparison with its records."""

    def __init__(self, data, has_preface=False, begin=0):
        self.data = data
        self.borders = {begin}
        self.may_skip = bytearray(len(data))  # 1 where a byte need not be sent
        self.must_tell = []  # ends of DATA frames that end a stream
        at = begin
        if has_preface:
            at += len(PREFACE)
            self.borders.add(at)
        while at < len(data):
            size = int.from_bytes(data[at : at + 3], "big")
            kind, flags = data[at + 3], data[at + 4]
            end = at + 9 + size
            if kind == DATA:
                skip = range(at + 9 + DATA_KEPT, end)
                if flags & END_STREAM:
                    self.must_tell.append(end)
            else:
                skip = range(at, end) if kind in IGNORED else range(0)
            for i in (skip.start, skip.stop) if len(skip) else ():
                assert i <= len(data)
            if len(skip):
                self.may_skip[skip.start : skip.stop] = b"\1" * len(skip)
            at = end
            self.borders.add(at)
        assert at == len(data), "the test ends with half a frame"

    def check(self, case, records, base, begin=0, has_holes=False):
        """
        Every byte from begin on came once, except those that may be skipped. base is the
        sequence number of the first byte. Returns how many bytes were copied.
        """
        at, copied = begin, 0
        for r in records:
            start, seq, end = ((x - base) % 2**32 for x in (r.start, r.seq, r.end))
            if not has_holes:
                case.assertEqual(start, at, "records follow one another")
            case.assertLessEqual(seq + len(r.data), end)
            case.assertEqual(self.data[seq : seq + len(r.data)], r.data)
            for lo, hi in ((start, seq), (seq + len(r.data), end)):
                case.assertEqual(
                    self.may_skip[lo:hi].count(0), 0, f"bytes {lo} to {hi} are not to be skipped"
                )
            if "F" in r.flags:
                case.assertIn(seq, self.borders, "a frame starts where one is said to")
            at, copied = end, copied + len(r.data)
        return copied

    def is_told(self, records, base):
        """Is all there that has to be?"""
        told = (records[-1].end - base) % 2**32 if records else 0
        ends = self.must_tell[-1:] if self.must_tell else [0]
        rest = self.may_skip[told:].count(0)
        return told >= ends[0] and rest == 0
