# SPDX-License-Identifier: Apache-2.0
"""Link types, IP headers and file formats."""
import ipaddress
import re
import struct

from cases import case
from cases_http import answer, get



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


@case("A clock that is set back lengthens nothing below zero.", "GET /x 200 0/5",
      says="with the clock set back", recut=0)
def clock_set_back(cap):
    conn = cap.open()
    conn.c(get("/x"))
    cap.wait(-10000)
    conn.s(answer(200, b"hello"))
    conn.close()


@case("A file that ends inside a packet: what is whole is shown, and the end is told.",
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
          r"TIME \(UTC\) +CLIENT +SERVER +METHOD +STATUS +DURATION +FIRST-BYTE +REQ-BODY +"
          r"RESP-BODY +ERROR +TARGET\n"
          r"22:13:20\.004000  10\.0\.0\.1:40001   10\.0\.0\.2:80   GET        200     1\.000ms     "
          r"1\.000ms         0          5  -      /\\x1b\[2J\n"
          r"22:13:20\.012000  10\.0\.0\.1:40002   10\.0\.0\.2:80   GET          -     1\.000ms     "
          r"      -         0          0  connection_reset  /gone\n"))
def table(cap):
    talk(cap, "/\x1b[2J")
    conn = cap.open()
    conn.c(get("/gone"))
    conn.rst("s")


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
