#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys between two network namespaces that lose, double, delay and reorder packets: the position
of each record follows from the bytes before it, so nothing may be missing, twice or out of order.
"""
# tests/run: shares the machine
import harness
import network
from test_fastopen import EVERYWHERE
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

VERSIONS = "TLSv1.2", "TLSv1.3"
# Everything is copied: the ring has room for all that comes while this machine is busy.
OPTIONS = ("--route-cap", "200", "--ring-bytes", str(64 << 20))

# Two requests on each of COUNT connections, whose ClientHello is in the SYN: HOST PORT COUNT.
FAST_OPEN = """
import socket, ssl, sys
SYN_DATA = 32  # of tcpi_options, the sixth byte of struct tcp_info
context = ssl._create_unverified_context()

class Connection:
    def __init__(self, address):
        self.address, self.sock = address, None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)

    def send(self, data):
        if not self.sock:
            self.sock = socket.socket()
            sent = self.sock.sendto(data, socket.MSG_FASTOPEN, self.address)
            data = data[sent:]
        self.sock.sendall(data)

    def call(self, function, *args):
        while True:
            try:
                done = function(*args)
            except ssl.SSLWantReadError:
                done = None
            if data := self.outgoing.read():
                self.send(data)
            if done is not None:
                return done
            self.incoming.write(self.sock.recv(65536) or sys.exit("closed early"))

for _ in range(int(sys.argv[3])):
    connection = Connection((sys.argv[1], int(sys.argv[2])))
    connection.call(lambda: connection.tls.do_handshake() or True)
    for path in b"hello", b"hello?a=1":
        connection.call(connection.tls.write, b"GET /%s HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n" % path)
        data = b""
        while not data.endswith(b"hello\\n"):
            data += connection.call(connection.tls.read, 65536)
    info = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    if not info[5] & SYN_DATA:
        sys.exit("the SYN had no data")
    connection.sock.close()
"""


class FastOpen(TlsCase):
    def test_client_hello_in_syn(self):
        for version in VERSIONS:
            with self.subTest(version=version):
                wire = network.Veth(self)
                for name in wire.client, wire.server:
                    wire.inside(name, "sysctl", "-qw", f"net.ipv4.tcp_fastopen={EVERYWHERE}")
                server = self.nginx(version, host=network.SERVER, netns=wire.server)
                sidelight = self.sidelight(server)
                client = self.spawn(
                    ["python3", "-c", FAST_OPEN, network.SERVER, server.tls, 20], netns=wire.client
                )
                self.assertEqual(client.wait(30), 0, client.text())
                page = sidelight.assert_counted(server.expected(40), wire.ask(server.port))
                self.assert_https(page, 40)
                sidelight.stop()
                server.stop()


class BadWire(TlsCase):
    def server(self, wire, version, http2=""):
        server = self.nginx(version, http2, host=network.SERVER, netns=wire.server)
        # More than is copied of one answer.
        server.www("file", 200_000)
        return server

    def check(self, make_wire, connections, count):
        pages = []
        for version in VERSIONS:
            with self.subTest(version=version):
                wire = make_wire()
                server = self.server(wire, version)
                sidelight = self.sidelight(server, *OPTIONS)
                # A quarter of the connections is for one request each.
                sent = wire.send_plans(
                    server.tls, 21, connections, count, paths=["/www/file"], scheme="https"
                )
                self.assertEqual(len(sent), connections * count)
                page = self.assert_exact(sidelight, server, len(sent), wire.ask(server.port))
                sidelight.stop()
                server.stop()
                self.assertGreater(page.sum("sidelight_tls_connections_total"), connections)
                pages.append(page)
        return pages

    def assert_exact(self, sidelight, server, count, ask):
        expected = server.expected(count)
        self.assertEqual(expected.total(), count)
        page = sidelight.assert_counted(expected, ask)
        self.assert_https(page, count)
        self.assertEqual(page.lost(), {})
        self.assertEqual(page.lost_requests(), 0)
        return page

    def lossy(self, share):
        wire = network.Veth(self)
        wire.drop(share)
        return wire

    def test_no_faults(self):
        self.check(lambda: network.Veth(self), 4, 40)

    def test_one_percent_lost(self):
        pages = self.check(lambda: self.lossy(0.01), 12, 60)
        self.assertGreater(sum(p.sum("sidelight_tcp_retransmits_total") for p in pages), 0)

    def test_five_percent_lost(self):
        self.check(lambda: self.lossy(0.05), 12, 20)

    def test_reordered_and_doubled(self):
        self.check(lambda: network.Shim(self, seed=4, drop=0, double=0.05, delay=0.10), 6, 40)

    def test_reordered_doubled_and_lost(self):
        self.check(lambda: network.Shim(self, seed=5, drop=0.01, double=0.03, delay=0.05), 6, 30)

    def test_http2(self):
        """Ten streams at once on each connection, among them answers of 13 records."""
        harness.need("h2load")
        for version in VERSIONS:
            with self.subTest(version=version):
                wire = self.lossy(0.02)
                server = self.server(wire, version, "http2")
                sidelight = self.sidelight(server, *OPTIONS)
                base, count = f"https://{network.SERVER}:{server.tls}", 300
                urls = [base + path for path in ("/www/file", "/missing", "/hello")]
                done = wire.inside(wire.client, "h2load", f"-n{count}", "-c20", "-m10", *urls)
                self.assertRegex(done.stdout, f" {count} done, .* 0 errored, 0 timeout")
                page = self.assert_exact(sidelight, server, count, wire.ask(server.port))
                self.assertEqual(
                    page.duration(network_protocol_version="2", url_scheme="https")[0], count
                )
                sidelight.stop()
                server.stop()


if __name__ == "__main__":
    harness.main()
