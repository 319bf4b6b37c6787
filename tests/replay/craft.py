# SPDX-License-Identifier: Apache-2.0
"""
Captures made by hand: TCP connections as a script of segments, packed into the
link types and file formats that capture files come in.

    cap = Capture()
    conn = cap.open()                   # SYN, SYN-ACK, ACK
    conn.c(b"GET / HTTP/1.1\r\n\r\n")   # the client sends
    conn.s(b"HTTP/1.1 204 x\r\n\r\n")   # the server sends
    conn.close()
    cap.write("x.pcap")

Each packet comes one millisecond after the one before it (`tick_ns`). With
`recut=N` every segment is cut into segments of N bytes, one microsecond apart.
Nothing here knows HTTP, and nothing here is used by the program under test.
"""
import gzip
import ipaddress
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MS = 1_000_000
START_NS = 1_700_000_000 * 1_000_000_000  # 2023-11-14T22:13:20Z

# link name: (LINKTYPE_ number, bytes before IPv4, bytes before IPv6)
MAC = bytes.fromhex("020000000001020000000002")
SLL = struct.pack(">HHH8s", 0, 1, 6, MAC[:8])
SLL2 = struct.pack(">HIHBB8s", 0, 1, 1, 0, 6, MAC[:8])
LINKS = {
    "ether": (1, MAC + b"\x08\x00", MAC + b"\x86\xdd"),
    "vlan": (1, MAC + b"\x81\x00\x00\x07\x08\x00", MAC + b"\x81\x00\x00\x07\x86\xdd"),
    "qinq": (1, MAC + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00",
             MAC + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd"),
    "sll": (113, SLL + b"\x08\x00", SLL + b"\x86\xdd"),
    "sll2": (276, b"\x08\x00" + SLL2, b"\x86\xdd" + SLL2),
    "raw": (101, b"", b""),
    "ipv4": (228, b"", b""),
    "ipv6": (229, b"", b""),
    "null_le": (0, struct.pack("<I", 2), struct.pack("<I", 10)),
    "null_be": (0, struct.pack(">I", 2), struct.pack(">I", 30)),
    "loop": (108, struct.pack(">I", 2), struct.pack(">I", 28)),
    "wifi": (105, b"", b""),  # not supported, on purpose
}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    """One TCP segment; bytes only once it is captured."""

    def __init__(self, conn, side, seq, ack, flags, data, option):
        self.conn, self.side, self.seq, self.ack = conn, side, seq, ack
        self.flags, self.data, self.option = flags, data, option

    def tcp(self):
        src, dst = self.conn.ends if self.side == "c" else self.conn.ends[::-1]
        options = b"\x01\x01\x08\x0a" + bytes(8)  # as Linux does: a timestamp on each
        options += self.option
        head = struct.pack(">HHIIBBHHH", src[1], dst[1], self.seq, self.ack,
                           (20 + len(options)) // 4 << 4, self.flags, 65535, 0, 0)
        return src[0], dst[0], head + options + self.data


class Conn:
    """One connection; `next` is the next sequence number of each side."""

    def __init__(self, cap, client, server, isn):
        self.cap = cap
        self.ends = (self._end(client), self._end(server))
        self.isn = dict(zip("cs", isn))
        self.next = dict(self.isn)

    @staticmethod
    def _end(text):
        host, port = text.rsplit(":", 1)
        return ipaddress.ip_address(host.strip("[]")), int(port)

    def open(self):
        self.send("c", flags=SYN, ack=0)
        self.send("s", flags=SYN | ACK)
        self.send("c")
        return self

    def joined(self):
        """As if the handshake had been long ago."""
        self.next = {k: (v + 1) % 2**32 for k, v in self.isn.items()}
        return self

    def send(self, side, data=b"", flags=ACK, seen=True, seq=None, ack=None,
             option=b""):
        """
        Returns the segments, so that they can be captured (again) later with
        cap.add(). seen=False: the capture misses them, the network does not. option: a TCP
        option that their headers contain; its length is a multiple of four bytes.
        """
        peer = "s" if side == "c" else "c"
        at = self.next[side] if seq is None else seq % 2**32
        ack = self.next[peer] if ack is None else ack % 2**32
        step = self.cap.recut or max(len(data), 1)
        parts = [data[i:i + step] for i in range(0, len(data), step)] or [b""]
        segments = []
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            part_flags = flags if last else flags & ~(FIN | PSH)
            if i and flags & SYN:
                part_flags &= ~SYN
            segments.append(Segment(self, side, at, ack, part_flags, part, option))
            at = (at + len(part) + bool(part_flags & SYN) + bool(part_flags & FIN)) % 2**32
        if seq is None:
            self.next[side] = at
        if seen:
            self.cap.add(segments)
        return segments

    def c(self, data, **kw):
        return self.send("c", data, ACK | PSH, **kw)

    def s(self, data, **kw):
        return self.send("s", data, ACK | PSH, **kw)

    def fin(self, side, data=b"", **kw):
        return self.send(side, data, ACK | FIN, **kw)

    def rst(self, side, **kw):
        return self.send(side, b"", RST | ACK, **kw)

    def close(self, first="c"):
        other = "s" if first == "c" else "c"
        self.fin(first)
        self.fin(other)
        self.send(first)


class Capture:
    def __init__(self, link="ether", recut=0):
        self.link, self.recut = link, recut
        self.now_ns, self.tick_ns = START_NS, MS
        self.packets = []  # (time_ns, bytes, bytes on the wire, interface)
        self.snaplen = 262144
        self.interface = 0
        self.copies = 1
        self.ip_options = b""
        self.extensions = []  # IPv6: (next-header number of this one, its bytes after the first)
        self.trailer = b""
        self.format = "pcap"
        self.interfaces = [{}]  # pcapng: link, snaplen, tsresol (if_tsresol), tsoffset (seconds)
        self.sections = [0]  # pcapng: the packets with which one begins, alternately little and big
        self.block = 6  # pcapng: of each packet; 2: the old one, 3: the simple one
        self.members = 0  # as so many members of gzip
        self.little = True
        self.nano = True
        self.cut_file = 0  # bytes missing at the end of the file
        self.ports = 40000

    # --- connections

    def conn(self, client=None, server="10.0.0.2:80", isn=(1000, 5000)):
        if not client:
            self.ports += 1
            client = "10.0.0.1:%d" % self.ports
        return Conn(self, client, server, isn)

    def open(self, *args, **kw):
        return self.conn(*args, **kw).open()

    def wait(self, ms):
        self.now_ns += round(ms * MS)

    # --- packets

    def add(self, segments):
        for segment in segments:
            self.now_ns += 1000 if self.recut and len(segments) > 1 else self.tick_ns
            self.add_ip(*segment.tcp())

    def add_ip(self, src, dst, tcp, protocol=6):
        packet = self.ip(src, dst, tcp, protocol)
        before = LINKS[self.link][1 if src.version == 4 else 2]
        self.add_raw(before + packet + self.trailer)

    def add_raw(self, frame):
        for _ in range(self.copies):
            self.packets.append((self.now_ns, frame[:self.snaplen], len(frame), self.interface))

    def ip(self, src, dst, payload, protocol=6, fragment=0):
        if src.version == 4:
            size = 20 + len(self.ip_options)
            head = struct.pack(">BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(payload), 1,
                               fragment, 64, protocol, 0, src.packed, dst.packed)
            head += self.ip_options
            return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload
        numbers = [number for number, _ in self.extensions] + [protocol]
        chain = b"".join(bytes([numbers[i + 1]]) + body
                         for i, (_, body) in enumerate(self.extensions))
        return struct.pack(">IHBB16s16s", 6 << 28, len(chain) + len(payload), numbers[0], 64,
                           src.packed, dst.packed) + chain + payload

    # --- files

    def write(self, path):
        data = self.pcapng() if self.format == "pcapng" else self.pcap()
        if self.members:
            step = -(-len(data) // self.members)
            data = b"".join(gzip.compress(data[i:i + step]) for i in range(0, len(data), step))
        with open(path, "wb") as file:
            file.write(data[:len(data) - self.cut_file] if self.cut_file else data)

    def pcap(self):
        order = "<" if self.little else ">"
        unit = 1 if self.nano else 1000
        out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if self.nano else 0xA1B2C3D4, 2, 4, 0, 0,
                           self.snaplen, LINKS[self.link][0])]
        for time_ns, data, wire, _ in self.packets:
            out.append(struct.pack(order + "IIII", time_ns // 10**9, time_ns % 10**9 // unit,
                                   len(data), wire) + data)
        return b"".join(out)

    def pcapng(self):
        out = []
        ends = self.sections[1:] + [len(self.packets)]
        for number, (first, end) in enumerate(zip(self.sections, ends)):
            out += self.section("<" if self.little == (number % 2 == 0) else ">",
                                self.packets[first:end])
        return b"".join(out)

    def section(self, order, packets):
        def pack(layout, *values):
            return struct.pack(order + layout, *values)

        def block(kind, body):
            body += bytes(-len(body) % 4)
            size = pack("I", len(body) + 12)
            return pack("I", kind) + size + body + size

        def option(code, value):
            return pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

        yield block(0x0A0D0D0A, pack("IHHq", 0x1A2B3C4D, 1, 0, -1) + option(4, b"craft"))
        for i in self.interfaces:
            yield block(1, pack("HHI", LINKS[i.get("link", self.link)][0], 0,
                                i.get("snaplen", self.snaplen)) +
                        option(2, b"eth0") + option(9, bytes([i.get("tsresol", 6)])) +
                        option(14, pack("q", i.get("tsoffset", 0))) + option(0, b""))
            yield block(5, bytes(12))  # statistics
        for time_ns, data, wire, index in packets:
            interface = self.interfaces[index]
            resol = interface.get("tsresol", 6)
            unit = 2 ** (resol & 127) if resol & 128 else 10 ** resol
            ticks = (time_ns - interface.get("tsoffset", 0) * 10**9) * unit // 10**9
            ticks = (ticks >> 32, ticks & 0xFFFFFFFF)
            data = data[:interface.get("snaplen", self.snaplen)]
            if self.block == 3:
                yield block(3, pack("I", wire) + data)
            elif self.block == 2:
                yield block(2, pack("HHIIII", index, 0, *ticks, len(data), wire) + data)
            else:
                yield block(6, pack("IIIII", index, *ticks, len(data), wire) + data +
                            bytes(-len(data) % 4) + option(1, b"seen") + option(0, b""))
