# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol before HTTP/1 and HTTP/2."""
import struct

from cases import case
from cases_http import answer, get
from cases_http2 import PREFACE, SETTINGS, call, frame, head

V1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n"
V1_IP6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 80\r\n"


def v2(family=0x11, addresses=None, tlvs=b"", command=0x21, length=None):
    """A header of version 2; by default the same client as in V1."""
    if addresses is None:
        addresses = bytes([203, 0, 113, 7, 10, 0, 0, 1]) + struct.pack(">HH", 5555, 80)
    body = addresses + tlvs
    length = len(body) if length is None else length
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", length) + body


TLV = b"\x02" + struct.pack(">H", 3000) + b"GET / HTTP/1.1\r\n\r\n" + b"x" * 2982
INET6 = bytes(15) + b"\x07" + bytes(15) + b"\x01" + struct.pack(">HH", 5555, 80)


def headers(cap, *values):
    """For each header two connections: the first request is in its segment, or behind it."""
    for i, header in enumerate(values):
        for is_joint in (True, False):
            conn = cap.open()
            path = "/%d%s" % (i, "joint" if is_joint else "alone")
            if is_joint:
                conn.c(header + get(path))
            else:
                conn.c(header)
                conn.send("s")
                conn.c(get(path))
            conn.s(answer(200, b"hello"))
            conn.c(get("/next"))
            conn.s(answer(204))
            conn.close()


def both(count):
    return [line for i in range(count) for how in ("joint", "alone")
            for line in ("GET /%d%s 200 0/5" % (i, how), "GET /next 204 0/0")]


@case("The PROXY header is none of the first request's, and names the client.", *both(4))
def proxy_header(cap):
    headers(cap, V1, V1_IP6, v2(), v2(0x21, INET6))


@case("A header without an address, or whose TLVs look like a request, is a header.", *both(5))
def proxy_nobody(cap):
    headers(cap, b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ::1 1 2\r\n",
            v2(command=0x20, family=0, addresses=b""), v2(0x31, bytes(216)), v2(tlvs=TLV))


MALFORMED = [
    b"PROXY TCP4 203.0.113.7 10.0.0.1 5555\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80 9\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n",
    b"PROXY TCP4 203.0.113.7  10.0.0.1 1 80\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 80\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\n",
    b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    v2(length=11),
    v2(command=0x11),
    v2(command=0x22),
    v2(0x21),
]


@case("A malformed header is refused by every server: nothing behind it is a request.")
def proxy_malformed(cap):
    for header in MALFORMED:
        for is_joint in (True, False):
            conn = cap.open()
            conn.c(header + (get("/invented") if is_joint else b""))
            if not is_joint:
                conn.send("s")
                conn.c(get("/invented"))
            conn.fin("s")
            conn.rst("c")


@case("What only begins like a header is an ordinary request.", "PROXY /x 405 0/0",
      "GET /y 200 0/0", "POST /z 200 2/0")
def proxy_lookalike(cap):
    conn = cap.open()
    conn.c(b"PROXY /x HTTP/1.1\r\nHost: h\r\n\r\n")
    conn.s(answer(405))
    conn.close()
    conn = cap.open()
    conn.c(b"\r\n" + get("/y"))
    conn.s(answer(200))
    conn.close()
    conn = cap.open()
    conn.c(b"P")
    conn.c(b"OST /z HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok")
    conn.s(answer(200))
    conn.close()


@case("Likewise before HTTP/2 and gRPC, with the preface in its segment or behind it.",
      *["POST /pkg.S/M 200 OK 0:0 0/0", "GET /x 204 0/0"] * 4)
def proxy_http2(cap):
    for header in (V1, v2(tlvs=TLV)):
        for is_joint in (True, False):
            conn = cap.open()
            start = PREFACE + frame(SETTINGS) + call(1, end=True)
            if is_joint:
                conn.c(header + start)
            else:
                conn.c(header)
                conn.c(start)
            conn.s(frame(SETTINGS))
            conn.s(head(1, ":status=200", "content-type=application/grpc", "grpc-status=0",
                        end=True))
            conn.c(head(3, ":method=GET", ":path=/x", end=True))
            conn.s(head(3, ":status=204", end=True))
            conn.close()


@case("Joined before its header: the whole header is taken off, and nothing is held back.",
      "GET /x 200 0/0", "GET /y 200 0/0", recut=0)
def proxy_joined(cap):
    for path, header in (("/x", V1), ("/y", v2())):
        conn = cap.conn().joined()
        conn.c(header + get(path))
        conn.s(answer(200))
        conn.close()
