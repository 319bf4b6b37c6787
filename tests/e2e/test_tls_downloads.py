#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 300
"""
--tls keys and long bodies: requests before and behind them on the same connection are counted, and
so are they. Of HTTP/1 with a Content-Length or long chunks almost nothing is copied, where record
numbers can be found behind what was left out: in TLS 1.3, and with AES-GCM in TLS 1.2.
"""
import collections

import clients
import harness
import servers
from observer import Sidelight
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

MIB = 1 << 20
# Has room for all, where all is copied.
LARGE_RING = "--ring-bytes", str(64 * MIB)
# Mostly what passes until user space has answered, which on a busy machine takes its time.
SHARE_MAX = 0.05
CHUNKED = """
	location /chunked/ { alias $FOLDER/; ssi on; ssi_types *; }
"""

# Answers one request with one chunk: SIZE PORT FOLDER.
CHUNK = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3] + "/cert.pem", sys.argv[3] + "/key.pem")
size = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
while True:
    tls = context.wrap_socket(server.accept()[0], server_side=True)
    while b"\\r\\n\\r\\n" not in tls.recv(65536):
        pass
    tls.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n%x\\r\\n" % size)
    tls.sendall(bytes(size))
    tls.sendall(b"\\r\\n0\\r\\n\\r\\n")
"""


class Downloads(TlsCase):
    def observe(self, server, probes):
        args = ["--tls", "keys", "--body-sizes", *LARGE_RING]
        sidelight = Sidelight(self, *args, cgroup=server.cgroup)
        self.wait_probed(sidelight, probes)
        return sidelight

    def check(self, server, sidelight, target, size, option=""):
        """The share of a download that is copied."""
        plan = [("GET", "/hello"), ("GET", target), ("GET", "/hello")] * 2
        before = sidelight.scrape().sum("sidelight_captured_bytes_total")
        sent = clients.curl_plan(
            server.tls, plan, self.dir, option="insecure" + option, scheme="https"
        )
        expected = collections.Counter()
        for (method, path, status), count in server.expected(len(sent)).items():
            expected[method, path.replace(str(size), "{id}"), status] += count
        page = sidelight.assert_counted(expected, server.port)
        self.assert_https(page, len(sent))
        self.assertEqual(page.lost_requests(), 0)
        self.assertEqual(page.lost(), {})
        # Chunks and frames have heads, which are not counted.
        name = "http_server_response_body_size_bytes_sum"
        self.assertEqual(page.sum(name, url_scheme="https") // size, 2)
        copied = page.sum("sidelight_captured_bytes_total") - before
        print(f"figure: {target}: {copied / 2 / size:.3%} is copied", flush=True)
        return copied / 2 / size

    def check_nginx(self, version, target, size, http2="", more="", option=""):
        server = self.nginx(version, http2, more=CHUNKED + more)
        server.www("file", size)
        with open(self.folder / "file", "wb") as file:
            file.truncate(size)
        return self.check(server, self.observe(server, 3), target, size, option)

    def test_content_length(self):
        """Of several sizes, which end anywhere in a record."""
        for version in "TLSv1.2", "TLSv1.3":
            for size in 200 * MIB, 300 * MIB + 7, 3 * MIB + 16300:
                with self.subTest(version=version, size=size):
                    share = self.check_nginx(version, "/www/file", size)
                    if size > 100 * MIB:
                        self.assertLess(share, SHARE_MAX)

    def test_very_long(self):
        """Two of them are more than sequence numbers have room for; each is skipped in steps."""
        share = self.check_nginx("TLSv1.3", "/www/file", 2200 * MIB, option="\nmax-time = 100")
        self.assertLess(share, SHARE_MAX)

    def test_long_chunk(self):
        size = 100 * MIB
        sidelight, port = self.start("libssl", "python3", "-c", CHUNK, size, options=LARGE_RING)
        harness.run(["curl", "-qsk", "-m", "60", "-o", "/dev/null", f"https://127.0.0.1:{port}/a"])
        page = sidelight.wait_counted(1)
        self.assert_https(page, 1)
        self.assertEqual(page.lost(), {})
        copied = page.sum("sidelight_captured_bytes_total") / size
        print(f"figure: one chunk: {copied:.3%} is copied", flush=True)
        self.assertLess(copied, SHARE_MAX)

    def test_copied_whole(self):
        for version, target, http2, more in (
            ("TLSv1.2", "/www/file", "", "ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305;"),
            ("TLSv1.2", "/www/file", "", "ssl_ciphers ECDHE-RSA-AES128-SHA256;"),
            ("TLSv1.3", "/chunked/file", "", ""),
            ("TLSv1.2", "/www/file", "http2", ""),
            ("TLSv1.3", "/www/file", "http2", ""),
        ):
            with self.subTest(version=version, target=target, http2=http2, more=more):
                self.check_nginx(version, target, 20 * MIB + 5, http2, more)

    def test_go(self):
        """Its records are short at first, and its frames are records of their own."""
        for size, option in (
            (200 * MIB, "\nhttp1.1"),
            (200 * MIB, "\nhttp1.1\ntls-max = 1.2"),
            (20 * MIB, ""),
        ):
            with self.subTest(option=option):
                tls = harness.free_port()
                args = (tls, self.folder / "cert.pem", self.folder / "key.pem")
                server = servers.Go(self, args=args)
                server.tls = tls
                sidelight = self.observe(server, 1)
                share = self.check(server, sidelight, f"/bytes/{size}?length", size, option)
                if option:
                    self.assertLess(share, SHARE_MAX)


if __name__ == "__main__":
    harness.main()
