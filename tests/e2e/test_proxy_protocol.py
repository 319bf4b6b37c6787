#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The PROXY protocol before HTTP/1 and HTTP/2: the BPF programs find the end of the header in whatever
segments it comes.
"""
# tests/run: shares the machine
import struct

import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = bytes([203, 0, 113, 7, 10, 0, 0, 1]) + struct.pack(">HH", 5555, 80)
TLV = b"\x02" + struct.pack(">H", 45) + b"HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n"
V1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n"
V2 = SIGNATURE + b"\x21\x11" + b"\0" + bytes([len(ADDRESSES + TLV)]) + ADDRESSES + TLV
LONG_V2 = SIGNATURE + b"\x21\x11" + struct.pack(">H", 3515) + ADDRESSES + bytes(3503)
HEADERS = (V1, b"PROXY UNKNOWN\r\n", V2)

# The client's preface, SETTINGS, and a request for / on stream 1, all but ":authority: x" from the
# static table (RFC 7541 appendix A).
HTTP2 = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    + bytes([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1])
    + b"x"
)


def cuts(header):
    """All places of the signature and the length, those around the end, some between."""
    last = len(header)
    return sorted({*range(1, 18), last // 2, last - 2, last - 1, last, last + 1} & {*range(last + 2)})


class ProxyProtocol(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = harness.free_port()  # of nginx, with the PROXY protocol
        listen = f"listen 127.0.0.1:{self.port} proxy_protocol;"
        self.nginx = servers.Nginx(self, EXTRA_LISTEN=listen)
        self.server = servers.Proxied(self, self.nginx.cgroup)
        self.sidelight = Sidelight(self, cgroup=self.nginx.cgroup)

    def exchange(self, header, cut):
        """HEAD, and a GET of the same connection, which shows where the BPF programs take it."""
        data = header + request_bytes("HEAD", "/hello")
        with Wire(self.server.port) as wire:
            wire.send_cut(data, [data[:cut], data[cut:]])
            self.assertEqual(wire.response("HEAD")[0], 200)
            wire.send(request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)

    def test_http1_in_any_segments(self):
        count = 0
        for header in (*HEADERS, LONG_V2):
            for cut in cuts(header):
                self.exchange(header, cut)
                count += 1
        for port, header in ((self.server.port, LONG_V2), (self.port, V1), (self.port, V2)):
            with Wire(port) as wire:
                wire.send(header + request_bytes("GET", "/hello"))
                self.assertEqual(wire.response()[0], 200)
        self.sidelight.assert_counted(
            {("HEAD", "/hello", "200"): count, ("GET", "/hello", "200"): count + 3},
            self.nginx.port,
        )

    def test_http1_byte_by_byte(self):
        for header in HEADERS:
            data = header + request_bytes("GET", "/hello")
            with Wire(self.server.port) as wire:
                wire.send_cut(data, [data[i : i + 1] for i in range(len(data))])
                self.assertEqual(wire.response()[0], 200)
        self.sidelight.assert_counted({("GET", "/hello", "200"): 3}, self.nginx.port)

    def test_http2_in_any_segments(self):
        count = 0
        for header in HEADERS:
            data = header + HTTP2
            for cut in cuts(header):
                with Wire(self.server.port) as wire:
                    wire.send_cut(data, [data[:cut], data[cut:]])
                    wire.read_until(b"hello\n")
                    count += 1
        self.sidelight.assert_counted({("GET", "/", "200"): count}, self.nginx.port)

    def test_a_malformed_header_is_no_request(self):
        request = request_bytes("GET", "/hello")
        for header in (
            b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80 x\r\n",
            b"PROXY TCP4 " + b"1" * 100 + b"\r\n",
            SIGNATURE + b"\x31\x11\0\x0c" + ADDRESSES,
            SIGNATURE + b"\x21\x11\0\x01\0",
        ):
            split = [header[:13], header[13:], request]
            for pieces in ([header + request], [header, request], split):
                with Wire(self.port) as wire:
                    try:
                        for piece in pieces:
                            wire.send(piece)
                        wire.read_end()
                    except ConnectionError:
                        pass  # nginx has closed it before all was read
        page = self.sidelight.assert_counted({}, self.nginx.port)
        self.assertEqual(page.sum("sidelight_parse_failures_total", reason="start_line"), 12)


if __name__ == "__main__":
    harness.main()
