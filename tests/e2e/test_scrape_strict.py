#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""/metrics refuses requests whose head is ambiguous, and closes the connection behind them."""
import ctypes
import pathlib
import re
import socket

import gateway
import harness
from gateway import Driver


def setUpModule():
    gateway.build_driver()


class Strictness(harness.Case):
    def exchange(self, port, request):
        """All that comes back, to the end."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            connection.settimeout(10)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer

    def test_refused(self):
        driver = Driver(self, "--listen", "127.0.0.1:0")
        get = b"GET /healthz HTTP/1.1\r\n"
        for why, head in [
            ("both lengths", get + b"Host: x\r\nContent-Length: 4\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n"),
            ("in the other order", get + b"Host: x\r\nTransfer-Encoding: chunked\r\n"
             b"Content-Length: 4\r\n\r\n"),
            ("two lengths", get + b"Host: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
            ("no Host", get + b"\r\n"),
            ("two Hosts", get + b"Host: x\r\nHost: y\r\n\r\n"),
            ("what is no host", get + b"Host: a@b/c\r\n\r\n"),
            ("two words as a Host", get + b"Host: a b\r\n\r\n"),
            ("a folded Host", get + b"Host: x\r\n y\r\n\r\n"),
            ("a fold before all fields", get + b" Host: x\r\n\r\n"),
            ("a blank before the colon", get + b"Host : x\r\n\r\n"),
            ("a length behind such a blank", get + b"Host: x\r\nContent-Length : 4\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("an encoding in HTTP/1.0", b"GET /healthz HTTP/1.0\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("NUL in a name", get + b"Host: x\r\nX\0: a\r\n\r\n"),
            ("CR in a value", get + b"Host: x\r\nX: a\rb\r\n\r\n"),
            ("a line without a colon", get + b"Host: x\r\nabc\r\n\r\n"),
        ]:
            with self.subTest(why):
                answer = self.exchange(driver.port, head)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        # These the library answers, that of Debian 12 with two heads.
        for length in b"+4", b"-1", b"4, 4", b"", b"0x4":
            with self.subTest(length):
                answer = self.exchange(driver.port, get + b"Host: x\r\nContent-Length: " + length +
                                       b"\r\n\r\nabcd")
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                self.assertNotIn(b"HTTP/1.1 200 ", answer)

    def test_refused_by_the_library(self):
        """Since libmicrohttpd 0.9.77: see httpd_strict.h."""
        driver = Driver(self, "--listen", "127.0.0.1:0")
        maps = pathlib.Path(f"/proc/{driver.process.pid}/maps").read_text()
        library = ctypes.CDLL(re.search(r"/\S*libmicrohttpd\S*", maps)[0])
        library.MHD_get_version.restype = ctypes.c_char_p
        version = [int(n) for n in library.MHD_get_version().split(b".")]
        is_old = version < [0, 9, 77]  # as the headers that it was built with
        get = b"GET /healthz HTTP/1.1\r\n"
        for why, head in [
            ("bare LF", b"GET /healthz HTTP/1.1\nHost: x\n\n"),
            ("bare LF behind a field", get + b"Host: x\nX: y\r\n\r\n"),
            ("bare LF at the end", get + b"Host: x\r\n\n"),
            ("a folded field", get + b"Host: x\r\nX: y\r\n z\r\n\r\n"),
            ("NUL in a value", get + b"Host: x\r\nX: a\0b\r\n\r\n"),
            ("NUL in the target", b"GET /healthz\0x HTTP/1.1\r\nHost: x\r\n\r\n"),
        ]:
            with self.subTest(why, is_old=is_old):
                head = head.replace(b"Host: x", b"Connection: close\r\nHost: x", 1)
                answer = self.exchange(driver.port, head)
                wanted = rb"HTTP/1\.1 200 " if is_old else rb"HTTP/1\.1 400 |$"
                self.assertRegex(answer, b"^(" + wanted + b")")

    def test_taken(self):
        driver = Driver(self, "--listen", "127.0.0.1:0")
        for head in (b"GET /healthz HTTP/1.0\r\n\r\n",
                     b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            answer = self.exchange(driver.port, head)
            self.assertRegex(answer, rb"^HTTP/1\.[01] 200 ")


if __name__ == "__main__":
    harness.main()
