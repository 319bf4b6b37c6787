#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""/metrics refuses requests whose head is ambiguous, and closes the connection behind them."""
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
        ]:
            with self.subTest(why):
                answer = self.exchange(driver.port, head)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)

    def test_taken(self):
        driver = Driver(self, "--listen", "127.0.0.1:0")
        for head in (b"GET /healthz HTTP/1.0\r\n\r\n",
                     b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            answer = self.exchange(driver.port, head)
            self.assertRegex(answer, rb"^HTTP/1\.[01] 200 ")


if __name__ == "__main__":
    harness.main()
