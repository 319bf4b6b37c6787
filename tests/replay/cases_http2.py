# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 and gRPC: crafted captures, and some that tcpdump made of real servers."""
import os
import re
import struct

from cases import case
from craft import LINKS

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures")
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value, index=False):
    """A field that is (not) added to the table (RFC 7541 sections 6.2.1 and 6.2.2)."""
    return (b"\x40" if index else b"\0") + b"".join(
        bytes([len(s)]) + s.encode() for s in (name, value))


def head(stream, *fields, end=False, index=False):
    """Fields are texts "name=value", or the bytes of an encoded field."""
    block = b"".join(f if isinstance(f, bytes) else literal(*f.split("=", 1), index=index)
                     for f in fields)
    return frame(HEADERS, stream, block, END_HEADERS | (END_STREAM if end else 0))


def body(stream, payload, end=False):
    return frame(DATA, stream, payload, END_STREAM if end else 0)


def message(payload):
    return struct.pack(">BI", 0, len(payload)) + payload


def call(stream, path="/pkg.S/M", **kw):
    return head(stream, ":method=POST", ":scheme=http", ":path=" + path,
                "content-type=application/grpc", "te=trailers", **kw)


def begin(cap):
    conn = cap.open()
    conn.c(PREFACE + frame(SETTINGS))
    conn.s(frame(SETTINGS))
    return conn


def load(cap, name):
    """The packets of a file that tcpdump wrote."""
    with open(os.path.join(CAPTURES, name + ".pcap"), "rb") as file:
        data = file.read()
    magic, link = struct.unpack("<I16xI", data[:24])
    assert magic == 0xA1B2C3D4 and link == LINKS["ether"][0]
    at = 24
    while at < len(data):
        sec, usec, there, wire = struct.unpack("<IIII", data[at:at + 16])
        assert there == wire
        cap.now_ns = sec * 10**9 + usec * 1000
        cap.add_raw(data[at + 16:at + 16 + there])
        at += 16 + there


@case("Requests of HTTP/2 overlap; each has its own time.",
      "GET /b 404 0/0", "GET /a 200 0/5")
def http2(cap):
    conn = begin(cap)
    conn.c(head(1, ":method=GET", ":path=/a", end=True))
    cap.wait(10)
    conn.c(head(3, ":method=GET", ":path=/b", end=True))
    cap.wait(100)
    conn.s(head(3, ":status=404", end=True))
    conn.s(head(1, ":status=200"))
    cap.wait(1000)
    conn.s(body(1, b"hello", end=True))
    conn.close()


@case("A call of gRPC lasts until its trailers; what streams meanwhile is counted.",
      "POST /pkg.S/M 200 OK 2:3 14/24")
def grpc_stream(cap):
    conn = begin(cap)
    conn.c(call(1))
    conn.c(body(1, message(b"ab")))
    conn.s(head(1, ":status=200", "content-type=application/grpc"))
    for _ in range(3):
        cap.wait(60000)
        conn.s(body(1, message(b"xyz")))
    conn.c(body(1, message(b"cd"), end=True))
    conn.s(head(1, "grpc-status=0", end=True))
    conn.close()


@case("Errors of gRPC: in a head without a body, by a reset of either side, by the connection.",
      "POST /pkg.S/No 200 UNIMPLEMENTED 0:0 0/0",
      "POST /pkg.S/M - CANCELLED 0:0 request_cancelled 0/0",
      "POST /pkg.S/M - UNAVAILABLE 0:0 stream_reset 0/0",
      "POST /pkg.S/M - UNAVAILABLE 0:0 connection_closed 0/0")
def grpc_errors(cap):
    conn = begin(cap)
    conn.c(call(1, "/pkg.S/No", end=True))
    conn.s(head(1, ":status=200", "content-type=application/grpc", "grpc-status=12", end=True))
    conn.c(call(3) + call(5) + call(7))
    conn.c(frame(RST_STREAM, 3, struct.pack(">I", 8)))
    conn.s(frame(RST_STREAM, 5, struct.pack(">I", 7)))
    conn.close()


@case("A server of HTTP/1 refuses the preface: that is a request, if none follows it.",
      "_OTHER - 400 0/3", "GET /now - connection_closed 0/0", recut=0)
def preface_refused(cap):
    conn = cap.open()
    conn.c(PREFACE + frame(SETTINGS))
    conn.s(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")
    conn.close("s")
    conn = cap.open()
    conn.c(PREFACE + frame(SETTINGS) +
           head(1, ":method=GET", ":scheme=http", ":path=/now", end=True))
    conn.s(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")
    conn.close("s")


@case("A query behind a method of gRPC is no part of its name, and is not shown.",
      "POST /pkg.S/M 200 OK 0:0 0/0")
def grpc_query(cap):
    conn = begin(cap)
    conn.c(call(1, "/pkg.S/M?token=secret", end=True))
    conn.s(head(1, ":status=200", "content-type=application/grpc", "grpc-status=0", end=True))
    conn.close()


@case("Joined mid-stream: what the lost header table held is unknown, what comes again is not.",
      "POST - 200 unknown 1:1 6/6",
      "POST /pkg.S/M 200 OK 1:1 6/6",
      "POST /pkg.S/M 200 OK 1:1 6/6", recut=0)
def http2_joined(cap):
    conn = cap.conn().joined()
    table = b"\x83\x86\xc0\xbf"  # POST, http, and two fields of the table
    for stream, request in ((7, head(7, table)), (9, call(9, index=True)),
                            (11, head(11, b"\x83\x86\xbf\xc0\xbe"))):
        again = stream == 7
        conn.c(request + body(stream, message(b"a"), end=True))
        conn.s(head(stream, b"\x88", b"\xbe" if again else "content-type=application/grpc") +
               body(stream, message(b"b")) +
               head(stream, b"\xc1" if again else "grpc-status=0", end=True))


@case("A header block that the capture misses costs what the table knew, and that call.",
      "GET /a 200 0/0", "GET - 200 0/0", "GET /c 200 0/0", recut=0, status=1)
def http2_missed_block(cap):
    conn = begin(cap)
    conn.c(head(1, ":method=GET", ":path=/a", index=True, end=True))
    conn.s(head(1, b"\x88", end=True))
    conn.c(head(3, b"\x82", ":path=/b", index=True, end=True), seen=False)
    conn.s(head(3, b"\x88", end=True))
    conn.c(head(5, b"\x82\xbe", end=True) + frame(WINDOW_UPDATE, 0, b"\0\0\1\0"))
    conn.s(head(5, b"\x88", end=True))
    conn.c(head(7, b"\x82", ":path=/c", end=True))
    conn.s(head(7, b"\x88", end=True))
    conn.close()


@case("h2load, two connections with ten streams each, and nghttpd.",
      says="40 requests", recut=0, wants={"GET /index.html 200 0/6": 20, "GET /none 404 0/148": 20})
def real_nghttpd(cap):
    load(cap, "nghttpd")


@case("h2load and curl, and nginx, which answers a POST before its body comes.", recut=0,
      wants={"GET /index.html 200 0/6": 10, "GET /old 301 0/169": 10, "GET /gone 410 0/143": 10,
             "POST /index.html 405 0/157": 1, "HEAD /big 200 0/0": 1, "GET /big 200 0/30000": 1})
def real_nginx(cap):
    load(cap, "nginx")


@case("nghttp and curl ask Apache for h2c; it closes one connection before it answers all.",
      recut=0, wants={"GET /index.html 200 0/6": 3, "GET /none - connection_closed 0/0": 1})
def real_upgrade(cap):
    load(cap, "apache_upgrade")


@case("Python's grpcio with itself: every status once, and OK.", recut=0, wants={
    "OK": 7, "CANCELLED": 2, "UNKNOWN": 1, "INVALID_ARGUMENT": 1, "DEADLINE_EXCEEDED": 1,
    "NOT_FOUND": 1, "ALREADY_EXISTS": 1, "PERMISSION_DENIED": 1, "RESOURCE_EXHAUSTED": 1,
    "FAILED_PRECONDITION": 1, "ABORTED": 1, "OUT_OF_RANGE": 1, "UNIMPLEMENTED": 2, "INTERNAL": 1,
    "UNAVAILABLE": 1, "DATA_LOSS": 1, "UNAUTHENTICATED": 1})
def real_grpcio(cap):
    load(cap, "grpcio")


@case("An extended CONNECT (RFC 8441) has a path, and its route is that of the path.",
      recut=0, args=["--routes", "/chat/{room}"], stdout=re.compile(
          r'(?s)\{.*"method":"CONNECT","target":"/chat/blue","route":"/chat/\{room\}",.*'
          r'"status":200,.*\}\n\{.*"method":"CONNECT","target":null,'
          r'"route":"\{authority\}",.*\}\n'))
def http2_extended_connect(cap):
    conn = begin(cap)
    conn.c(head(1, ":method=CONNECT", ":protocol=websocket", ":scheme=http", ":path=/chat/blue",
                ":authority=x"))
    conn.s(head(1, ":status=200"))
    conn.c(head(3, ":method=CONNECT", ":authority=api.example:443"))
    conn.s(head(3, ":status=200"))
    conn.close()


@case("Invented codes are what the server sent; as labels of metrics they are few.",
      *["POST /pkg.S/M 200 %s 0:0 0/0" % status
        for status in (*range(17, 37), 36, "OK", 17, "UNAUTHENTICATED", 9998)])
def grpc_invented_statuses(cap):
    conn = begin(cap)
    for i, status in enumerate((*range(17, 37), 36, 0, 17, 16, 9998)):
        conn.c(call(2 * i + 1, end=True))
        conn.s(head(2 * i + 1, ":status=200", "content-type=application/grpc",
                    "grpc-status=%d" % status, end=True))
    conn.close()
