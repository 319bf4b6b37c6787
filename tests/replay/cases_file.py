# SPDX-License-Identifier: Apache-2.0
"""Link types, IP headers and file formats."""
import ipaddress
import re
import struct

from cases import case
from cases_http import answer, get
from craft import MS



def talk(cap, path="/x", **kw):
    conn = cap.open(**kw)
    conn.c(get(path))
    conn.s(answer(200, b"hello"))
    conn.close()


def link_case(link, ip6):
    name = "link_%s%s" % (link, "_ip6" if ip6 else "")

    def build(cap):
        cap.link = link
        if ip6:
            talk(cap, client="[2001:db8::1]:40001", server="[2001:db8::2]:80")
        else:
            talk(cap)
    build.__name__ = name
    case("Link type %s carries %s." % (link, "IPv6" if ip6 else "IPv4"), "GET /x 200 0/5",
         recut=0)(build)


for LINK in ("ether", "vlan", "qinq", "sll", "sll2", "raw", "null_le", "null_be", "loop"):
    link_case(LINK, False)
    link_case(LINK, True)
link_case("ipv4", False)
link_case("ipv6", True)


@case("A link type that is not supported is named.", says="link type IEEE802_11 is not supported",
      status=2, recut=0)
def link_unsupported(cap):
    cap.link = "wifi"
    talk(cap)


@case("IPv4 options are stepped over.", "GET /x 200 0/5")
def ip4_options(cap):
    cap.ip_options = b"\x94\x04\0\0" + b"\1" * 4
    talk(cap)


@case("IPv6 extension headers are stepped over, an atomic fragment too (RFC 6946).",
      "GET /x 200 0/5")
def ip6_extensions(cap):
    cap.extensions = [(0, b"\0" + bytes(6)), (60, b"\1" + bytes(14)), (43, b"\0" + bytes(6)),
                      (44, b"\0" + bytes(6)), (51, b"\4" + bytes(22))]
    talk(cap, client="[2001:db8::1]:40001", server="[2001:db8::2]:80")


@case("Padding after a short packet is not data.", "GET /x 200 0/5")
def ether_padding(cap):
    cap.trailer = b"GET /pad HTTP/1.1\r\n\r\n"
    talk(cap)


@case("Fragments are counted, not understood; the rest is.", "GET /x 200 0/5",
      says="2 fragments", recut=0)
def fragments(cap):
    a, b = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.2")
    for fragment in (0x2000, 0x0010):
        cap.add_raw(bytes(12) + b"\x08\0" + cap.ip(a, b, b"GET / HTTP/1.1\r\n", 6, fragment))
    talk(cap)


@case("UDP, ARP, tunnels and packets that lie about their lengths are counted and left alone.",
      "GET /x 200 0/5", says=("3 not TCP", "7 malformed"), recut=0)
def other_packets(cap):
    a, b = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.2")
    ether = bytes(12) + b"\x08\0"
    good = cap.ip(a, b, bytes(12) + b"\x50\x10" + bytes(6))
    cap.add_raw(bytes(12) + b"\x08\x06" + bytes(28))  # ARP
    cap.add_raw(ether + cap.ip(a, b, bytes(8), 17))  # UDP
    cap.add_raw(ether + cap.ip(a, b, bytes(30), 47))  # GRE
    cap.add_raw(b"short")
    cap.add_raw(ether)
    cap.add_raw(ether + b"\x41" + good[1:])  # header length 4
    cap.add_raw(ether + b"\x55" + good[1:])  # version 5
    cap.add_raw(ether + good[:2] + struct.pack(">H", 19) + good[4:])  # total below the header
    cap.add_raw(ether + good[:32] + b"\xf0" + good[33:])  # TCP header beyond the packet
    cap.add_raw(ether + good[:32] + b"\x40" + good[33:])  # TCP header of 16 bytes
    talk(cap)


@case("Total length zero is a segment over 64 KiB, or one for the card to cut.", "GET /x 200 0/5",
      recut=0)
def total_length_zero(cap):
    talk(cap)
    cap.packets = [(t, d[:16] + b"\0\0" + d[18:], n, i) for t, d, n, i in cap.packets]


@case("Microseconds and big-endian files are read.", "GET /x 200 0/5", recut=0)
def pcap_big_endian(cap):
    cap.little, cap.nano = False, False
    talk(cap)


@case("pcapng.", "GET /x 200 0/5", recut=0)
def pcapng(cap):
    cap.format = "pcapng"
    talk(cap)


@case("pcapng of the other byte order.", "GET /x 200 0/5", recut=0)
def pcapng_big_endian(cap):
    cap.format, cap.little = "pcapng", False
    talk(cap)


@case("Several interfaces with clocks of different fineness in one pcapng file.",
      "GET /x 200 0/5", recut=0)
def pcapng_interfaces(cap):
    cap.format, cap.interfaces = "pcapng", [{"tsresol": 6}, {"tsresol": 9}]
    conn = cap.open()
    conn.c(get("/x"))
    cap.interface = 1
    conn.s(answer(200, b"hello"))
    conn.close()


def two_interfaces(cap, **second):
    """The client's packets come from the first interface, the server's from the second."""
    cap.format, cap.interfaces = "pcapng", [{"link": "ether"}, second]
    conn = cap.open()
    for path in ("/x", "/y"):
        cap.interface, cap.link = 0, "ether"
        conn.c(get(path))
        cap.interface, cap.link = 1, second.get("link", "ether")
        conn.s(answer(200, b"hello"))
    conn.close()


@case("Interfaces of different link types in one pcapng file, as of `-i any` beside another.",
      "GET /x 200 0/5", "GET /y 200 0/5", recut=0)
def pcapng_two_links(cap):
    two_interfaces(cap, link="sll")


@case("Interfaces of different snapshot lengths in one pcapng file, as merging makes them.",
      "GET /x 200 0/5", "GET /y 200 0/5", recut=0)
def pcapng_two_snaplens(cap):
    two_interfaces(cap, snaplen=65535)


@case("One of the interfaces cuts packets off: bodies are known by their length.",
      "GET /x 200 0/5", "GET /y 200 0/5", says="lost: 8 bytes cut off by the snapshot length",
      recut=0)
def pcapng_short_snaplen(cap):
    two_interfaces(cap, snaplen=14 + 20 + 32 + len(answer(200, b"hello")) - 4)


@case("Packets of an interface whose link type is not supported are counted, and those of the "
      "other one understood.", says="5 packets of a link type that is not supported", recut=0)
def pcapng_unknown_link(cap):
    two_interfaces(cap, link="wifi")


for TSRESOL, NAME in ((0, "seconds"), (3, "ms"), (9, "ns"), (12, "ps"), (0x80 | 10, "binary"),
                      (0x80 | 30, "fine")):
    def build_clock(cap, resol=TSRESOL):
        two_interfaces(cap, tsresol=resol, tsoffset=1699999999)
    build_clock.__name__ = "pcapng_clock_" + NAME
    case("An interface with a clock of its own: if_tsresol %#x, and an offset." % TSRESOL,
         "GET /x 200 0/5", "GET /y 200 0/5", recut=0)(build_clock)


@case("Sections in both byte orders in one pcapng file, each with interfaces of its own.",
      "GET /x 200 0/5", recut=0)
def pcapng_sections(cap):
    cap.format, cap.sections = "pcapng", [0, 3, 5]
    talk(cap)


@case("The packet block of old pcapng files.", "GET /x 200 0/5", recut=0)
def pcapng_old_blocks(cap):
    cap.format, cap.block = "pcapng", 2
    talk(cap)


@case("Simple packet blocks, which have no time.", "GET /x 200 0/5", recut=0)
def pcapng_simple_blocks(cap):
    cap.format, cap.block = "pcapng", 3
    talk(cap)


@case("A pcapng file that ends inside a block.", "GET /x 200 0/5",
      says="ends too early: truncated inside a block", status=1, recut=0)
def pcapng_truncated(cap):
    cap.format, cap.cut_file = "pcapng", 3
    talk(cap)


@case("A packet of an interface that the file does not describe.",
      says="ends too early: a packet of an interface that the section does not describe",
      status=1, recut=0)
def pcapng_unknown_interface(cap):
    cap.format = "pcapng"
    talk(cap)
    cap.section = lambda order, packets: [
        block.replace(struct.pack("<II", 6, len(block)) + bytes(4),
                      struct.pack("<II", 6, len(block)) + b"\1\0\0\0")
        for block in type(cap).section(cap, order, packets)]


@case("Compressed with gzip.", "GET /x 200 0/5", recut=0)
def gzip_pcap(cap):
    cap.members = 1
    talk(cap)


@case("pcapng compressed with gzip, in several members, as appending makes them.",
      "GET /x 200 0/5", recut=0)
def gzip_members(cap):
    cap.format, cap.members = "pcapng", 5
    talk(cap)


@case("Compressed, and the end is missing.", "GET /x 200 0/5",
      says="ends too early: the compressed data is truncated", status=1, recut=0)
def gzip_truncated(cap):
    cap.members, cap.cut_file = 1, 5
    talk(cap)


@case("Compressed, and what is in it is no capture.", says="unknown file format", status=2,
      recut=0)
def gzip_unknown(cap):
    cap.members, cap.pcap = 1, lambda: b"GET / HTTP/1.1\r\n\r\n" * 9


def one_packet_at(cap, number, shift_ms):
    """The clock of one packet is wrong by so much."""
    conn = cap.open()
    for path in ("/1", "/2", "/3"):
        conn.c(get(path))
        conn.send("s")
        cap.wait(8)
        conn.s(answer(200, b"hello"))
        conn.send("c")
        cap.wait(20)
    conn.close()
    time_ns, data, wire, index = cap.packets[number]
    cap.packets[number] = (time_ns + round(shift_ms * MS), data, wire, index)


for SHIFT, NAME in ((3600000, "future"), (300, "near_future"), (-3600000, "past")):
    for NUMBER, PACKET in ((7, "request"), (9, "response"), (0, "first"), (17, "last")):
        if NAME == "past" and PACKET == "first":
            continue  # it is the one that is believed
        def build_stray(cap, number=NUMBER, shift=SHIFT):
            one_packet_at(cap, number, shift)
        build_stray.__name__ = "clock_%s_%s" % (NAME, PACKET)
        case("One packet with a time far from that of its neighbours (%d ms, the %s) spoils no "
             "duration." % (SHIFT, PACKET), *["GET /%d 200 0/5" % i for i in (1, 2, 3)],
             recut=0, within_ms=(9, 11))(build_stray)


@case("Packets whose times change places by a little, as those of several queues, are ordinary.",
      "GET /1 200 0/5", "GET /2 200 0/5", "GET /3 200 0/5", recut=0,
      says="sidelight: 18 packets, 1 connections, 3 requests")
def clock_reordered(cap):
    one_packet_at(cap, 7, -22)


@case("A clock that is set back lengthens nothing below zero.", "GET /x 200 0/5",
      says="with the clock set back", recut=0)
def clock_set_back(cap):
    conn = cap.open()
    conn.c(get("/x"))
    cap.wait(-10000)
    conn.s(answer(200, b"hello"))
    conn.close()


@case("After a clock is set back, durations are right.", "GET /1 200 0/5", "GET /2 200 0/5",
      says="2 with the clock set back", recut=0, within_ms=(9, 11))
def clock_set_back_between(cap):
    conn = cap.open()
    for path in ("/1", "/2"):
        conn.c(get(path))
        cap.wait(9)
        conn.s(answer(200, b"hello"))
        cap.wait(-10000)
    conn.close()


@case("A file that ends inside a packet: complete packets are shown, and the end is reported.",
      "GET /x 200 0/5", says="ends too early: truncated dump file", status=1, recut=0)
def file_truncated(cap):
    cap.cut_file = 3
    talk(cap)


@case("A file without packets.", says="0 packets, 0 connections, 0 requests")
def file_empty(cap):
    del cap


@case("A file that is no capture.", says="unknown file format", status=2, recut=0)
def file_unknown(cap):
    cap.write = lambda path: open(path, "wb").write(b"GET / HTTP/1.1\r\n\r\n" * 9)


@case("A file shorter than any header.", says="truncated dump file", status=2, recut=0)
def file_short(cap):
    cap.write = lambda path: open(path, "wb").write(b"\xd4\xc3")


@case("As a table: aligned, with what is missing as a dash, and harmless.",
      recut=0, args=["--format", "table"], stdout=re.compile(
          r"TIME \(UTC\) +CLIENT +SERVER +METHOD +STATUS +DURATION +FIRST BYTE +REQUEST +"
          r"RESPONSE +TARGET\n"
          r"22:13:20\.004000  10\.0\.0\.1:40001   10\.0\.0\.2:80   GET     200       1\.000 ms    "
          r"1\.000 ms        0         5  /\\x1b\[2J\n"
          r"22:13:20\.012000  10\.0\.0\.1:40002   10\.0\.0\.2:80   GET     connection_reset    "
          r"1\.000 ms           -        0         0  /gone\n"))
def table(cap):
    talk(cap, "/\x1b[2J")
    conn = cap.open()
    conn.c(get("/gone"))
    conn.rst("s")


@case("A summary as a table on standard error, after the lines.", "GET /x 200 0/5", recut=0,
      args=["--summary"], says=(" 1 request served in 1.00 ms: 1,000.0/s, 0.0 % errors\n\n",
                                "   GET     /x            1  1,000.0"))
def summary(cap):
    talk(cap)


@case("As one JSON array.", recut=0, args=["--format", "json"], stdout=re.compile(
    r'\[\n(\{"time":"2023-11-14T22:13:20.\d{9}Z",.*"target":"/\d".*\},?\n){2}\]\n'))
def json_array(cap):
    talk(cap, "/1")
    talk(cap, "/2")


@case("As metrics.", recut=0, args=["--metrics"], stdout=re.compile(
    r'(?s).*http_server_request_duration_seconds_count\{[^}]*http_route="/x"[^}]*'
    r'http_response_status_code="200"[^}]*\} 2\n.*'))
def metrics(cap):
    talk(cap)
    talk(cap)
