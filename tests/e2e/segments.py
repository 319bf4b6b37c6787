# SPDX-License-Identifier: Apache-2.0
"""
A TCP peer whose every segment is written by hand, behind a TUN device: for
orders of arrival that a real network gives once in thousands of connections.

Nothing is sent again by itself; what comes is acknowledged at once.
"""
import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import threading
import time

import harness
import network

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
WAIT_S = 5


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Link(network.Namespaces):
    """One namespace with the server; its client is us, through tun0."""

    def __init__(self, case):
        super().__init__(case)
        if not os.path.exists("/dev/net/tun"):
            raise harness.unittest.SkipTest("no /dev/net/tun")
        maker = threading.Thread(target=self._make_tun)  # setns() is per thread
        maker.start()
        maker.join()
        case.stack.callback(os.close, self.tun)
        self.ip(self.server, "addr", "add", f"{network.SERVER}/24", "dev", "tun0")
        self.ip(self.server, "link", "set", "tun0", "up")

    def _make_tun(self):
        with open(f"/run/netns/{self.server}") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        self.tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))


class Peer:
    """One connection to port. Offsets count the bytes we send, from 0."""

    def __init__(self, link, port, local_port=None):
        self.link = link
        self.port = port
        self.local_port = local_port or random.randrange(20000, 60000)
        self.first = random.randrange(1 << 32)
        self.there = 0  # the next sequence number of the server
        self.acked = 0  # how many of our bytes it has acknowledged
        self.received = b""
        self._write(self.first - 1, SYN)
        self.wait_for("an answer to SYN", lambda: self.there)

    def _packet(self, seq, flags, data):
        src, dst = socket.inet_aton(network.CLIENT), socket.inet_aton(network.SERVER)
        tcp = struct.pack(
            "!HHIIBBHHH",
            self.local_port,
            self.port,
            seq % (1 << 32),
            self.there if flags & ACK else 0,
            5 << 4,
            flags,
            65535,
            0,
            0,
        )
        pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp) + len(data))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + data)) + tcp[18:]
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0, 64, 6, 0, src, dst
        )
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        return ip + tcp + data

    def _write(self, seq, flags, data=b""):
        os.write(self.link.tun, self._packet(seq, flags, data))

    def packet(self, offset, data):
        """A segment that is not sent yet."""
        return self._packet(self.first + offset, ACK | PSH, data)

    def forge(self, offset, data=b"x", flags=ACK | PSH, ack=0):
        """A segment that we did not send: at that offset, acknowledging so many bytes too many."""
        there, self.there = self.there, (self.there + ack) % (1 << 32)
        self._write(self.first + offset, flags, data)
        self.there = there

    def send(self, stream, start, end, flags=ACK | PSH):
        """One segment with stream[start:end]."""
        self._write(self.first + start, flags, stream[start:end])

    def close(self):
        """By RST: there is no answer to wait for."""
        self._write(self.first + self.acked, RST | ACK)

    def wait_acked(self, count):
        self.wait_for(f"{count} bytes to be acknowledged", lambda: self.acked >= count)

    def wait_received(self, mark, count=1):
        self.wait_for(f"{mark} {count} times", lambda: self.received.count(mark) >= count)

    def wait_for(self, what, event):
        deadline = time.monotonic() + WAIT_S
        while not event():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.link.tun], [], [], left)[0]:
                raise AssertionError(f"waited {WAIT_S} s in vain for {what}")
            self._read(os.read(self.link.tun, 65536))

    def _read(self, packet):
        if packet[0] != 0x45 or packet[9] != 6:
            return
        tcp = packet[20:]
        sport, dport, seq, ack, off, flags = struct.unpack("!HHIIBB", tcp[:14])
        if (sport, dport) != (self.port, self.local_port):
            return
        data = tcp[(off >> 4) * 4 :]
        if flags & SYN:
            self.there = (seq + 1) % (1 << 32)
            return
        if flags & ACK:
            self.acked = max(self.acked, (ack - self.first) % (1 << 32))
        if seq == self.there:
            self.received += data
            self.there = (seq + len(data) + (flags & FIN)) % (1 << 32)
        if data or flags & FIN:
            self._write(self.first + self.acked, ACK)
