# SPDX-License-Identifier: Apache-2.0
"""Header fields: the golden files have them, and segments of single bytes give the same ones."""
import struct

from cases import case
from cases_http2 import END_HEADERS, HEADERS, begin, body, call, frame, head, message

PRIORITY = 0x20


@case("Header fields and trailers of HTTP/1, twice, of which secrets are redacted.",
      "POST /a 200 22/21", "POST /a 200 22/21", args=["--headers", "all"])
def headers_http1(cap):
    conn = cap.open()
    for _ in range(2):
        conn.c(b"POST /a HTTP/1.1\r\nHost: h\r\nX-One:\t1 \r\nx-one: 2\r\nCookie: a=b\r\nX-Empty:\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n"
               b"2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n")
        conn.s(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: /b?token=c\r\n\r\n"
               b"1\r\na\r\n0\r\nX-Sum: 2\r\n\r\n")
    conn.close()


@case("Header fields of HTTP/2 with pseudo-headers, the stream's weight and trailers.",
      "POST /pkg.S/M 200 OK 1:1 8/9", "POST /pkg.S/M 200 OK 1:1 8/9",
      args=["--headers", ":*,x-*,grpc-*"])
def headers_http2(cap):
    conn = begin(cap)
    for stream in (1, 3):
        block = call(stream, "/pkg.S/M")[9:] + head(stream, "x-one=1", "x-token=secret")[9:]
        conn.c(frame(HEADERS, stream, struct.pack(">IB", 0, 15) + block, END_HEADERS | PRIORITY))
        conn.c(body(stream, message(b"abc"), end=True))
        conn.s(head(stream, ":status=200", "x-two=2") + body(stream, message(b"abcd")))
        conn.s(head(stream, "grpc-status=0", "x-cost-bin=AAEC", end=True))
    conn.close()
