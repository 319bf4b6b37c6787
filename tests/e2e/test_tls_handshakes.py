#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys and kinds of handshakes: cipher suites, resumed sessions, certificates of clients, and
objects of OpenSSL that several threads, or several connections, use.
"""
# tests/run: shares the machine
import http.client
import socket
import ssl

import clients
import harness
import servers
from observer import Sidelight
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

# Those that nginx offers, by version.
SUITES = {
    "TLSv1.2": (
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "AES128-CCM",
        "ECDHE-RSA-AES128-SHA256",
    ),
    "TLSv1.3": (
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_CCM_SHA256",
    ),
}
VERIFY = """
	ssl_verify_client on; ssl_client_certificate $FOLDER/cert.pem;
"""

# One thread reads requests, another writes answers, on the same object: PORT FOLDER.
THREADS = """
import queue, socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
def write(tls, answers):
    while status := answers.get():
        tls.sendall(b"HTTP/1.1 %s\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n" % status)
def read(tls):
    answers = queue.Queue()
    threading.Thread(target=write, args=(tls, answers), daemon=True).start()
    data = b""
    while more := tls.recv(65536):
        data += more
        *heads, data = data.split(b"\\r\\n\\r\\n")
        for head in heads:
            answers.put(b"404 No" if b"/missing" in head else b"200 OK")
    answers.put(None)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    tls = context.wrap_socket(server.accept()[0], server_side=True)
    threading.Thread(target=read, args=(tls,), daemon=True).start()
"""

# The same object for one connection after the other, which also have the same descriptor: PORT
# FOLDER.
CLEARED = """
import ctypes, socket, sys
library = ctypes.CDLL("libssl.so.3")
def call(name, *args):
    function = getattr(library, name)
    function.restype = ctypes.c_void_p
    return function(*args)
context = ctypes.c_void_p(call("SSL_CTX_new", ctypes.c_void_p(call("TLS_server_method"))))
folder = sys.argv[2].encode()
assert call("SSL_CTX_use_certificate_file", context, folder + b"/cert.pem", 1) == 1
assert call("SSL_CTX_use_PrivateKey_file", context, folder + b"/key.pem", 1) == 1
connection = ctypes.c_void_p(call("SSL_new", context))
buffer = ctypes.create_string_buffer(65536)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer = server.accept()[0]
    assert call("SSL_set_fd", connection, peer.fileno()) == 1
    assert call("SSL_accept", connection) == 1
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        count = call("SSL_read", connection, buffer, len(buffer))
        data += buffer.raw[:count]
    status = b"404 No" if b"/missing" in data else b"200 OK"
    answer = b"HTTP/1.1 %s\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nhello\\n" % status
    call("SSL_write", connection, answer, len(answer))
    call("SSL_shutdown", connection)
    assert call("SSL_clear", connection) == 1
    peer.close()
"""


class Handshakes(TlsCase):
    def get(self, server, context, count=3, session=None):
        """Requests on a connection of their own, which is returned closed."""
        client = http.client.HTTPSConnection("127.0.0.1", server.tls, context=context)
        client.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", server.tls), timeout=20), session=session
        )
        for _ in range(count):
            client.request("GET", "/hello")
            answer = client.getresponse()
            answer.read()
            self.assertEqual(answer.status, 200)
        tls = client.sock
        self.seen = tls.session, tls.session_reused
        client.close()

    def context(self, version):
        context = ssl._create_unverified_context()
        number = ssl.TLSVersion[version.replace(".", "_")]
        context.minimum_version = context.maximum_version = number
        return context

    def assert_counted(self, server, sidelight, count):
        page = sidelight.assert_counted(server.expected(count), server.port)
        self.assert_https(page, count)
        return page

    def test_cipher_suites(self):
        for version, suites in SUITES.items():
            for suite in suites:
                with self.subTest(suite=suite):
                    if version == "TLSv1.3":
                        more = f"ssl_conf_command Ciphersuites {suite};"
                    else:
                        more = f"ssl_ciphers {suite};"
                    server = self.nginx(version, more=more)
                    server.www("file", 100_000)
                    sidelight = self.sidelight(server)
                    plan = [("GET", "/www/file"), ("GET", "/hello")] * 2
                    option = "tls13-ciphers" if version == "TLSv1.3" else "ciphers"
                    clients.curl_plan(
                        server.tls,
                        plan,
                        self.dir,
                        option=f'insecure\n{option} = "{suite}"',
                        scheme="https",
                    )
                    self.assert_counted(server, sidelight, 4)
                    sidelight.stop()
                    server.stop()

    def test_resumption(self):
        """Without a certificate, and in TLS 1.2 with the master secret of an earlier connection."""
        for version in SUITES:
            with self.subTest(version=version):
                server = self.nginx(version)
                sidelight = self.sidelight(server)
                context = self.context(version)
                self.get(server, context)
                for _ in range(5):
                    self.get(server, context, session=self.seen[0])
                    self.assertTrue(self.seen[1])
                page = self.assert_counted(server, sidelight, 18)
                self.assertEqual(page.sum("sidelight_tls_handshakes_total"), 6)
                sidelight.stop()
                server.stop()

    def test_certificates_of_clients(self):
        for version in SUITES:
            with self.subTest(version=version):
                server = self.nginx(version, more=VERIFY)
                sidelight = self.sidelight(server)
                context = self.context(version)
                context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
                for _ in range(3):
                    self.get(server, context)
                self.assert_counted(server, sidelight, 9)
                sidelight.stop()
                server.stop()

    def test_expiry_of_the_certificate(self):
        """Which TLS 1.2 shows in the clear, and TLS 1.3 does not."""
        name = "sidelight_tls_certificate_expiry_timestamp_seconds"
        shown = harness.run(
            ["openssl", "x509", "-enddate", "-noout", "-in", self.folder / "cert.pem"]
        ).stdout
        expiry = ssl.cert_time_to_seconds(shown.strip().split("=")[1])
        for version, values in ("TLSv1.3", []), ("TLSv1.2", [expiry]):
            with self.subTest(version=version):
                server = self.nginx(version)
                sidelight = self.sidelight(server)
                self.get(server, self.context(version))
                page = self.assert_counted(server, sidelight, 3)
                self.assertEqual([value for _, value in page.each(name)], values)
                sidelight.stop()
                server.stop()

    def test_threads_of_one_connection(self):
        self.check_started("libssl", "python3", "-c", THREADS)

    def test_object_used_again(self):
        self.check_started("libssl", "python3", "-c", CLEARED)

    def test_long_header_block(self):
        """Of 60 KB, in four records or more, in HTTP/1 and in HTTP/2."""
        tls = harness.free_port()
        args = (tls, self.folder / "cert.pem", self.folder / "key.pem")
        server = servers.Go(self, args=args)
        sidelight = Sidelight(self, "--tls", "keys", cgroup=server.cgroup)
        self.wait_probed(sidelight)
        field = self.scratch("field")
        field.write_text("X-Long: " + "b~" * 30_000 + "\n")
        paths = ("hello", "made", "missing", "hello")
        urls = [f"https://127.0.0.1:{tls}/{path}" for path in paths]
        for version in "--http1.1", "--http2":
            harness.run(["curl", "-qsk", "-m", "20", version, "-H", f"@{field}", *urls])
        page = sidelight.assert_counted(server.expected(8), server.port)
        self.assert_https(page, 8)
        self.assertEqual(page.requests(network_protocol_version="2").total(), 4)


if __name__ == "__main__":
    harness.main()
