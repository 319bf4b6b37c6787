#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP Fast Open: a request in the SYN is counted on both sides, and what follows it."""
# tests/run: shares the machine
import harness
import network
import servers
from observer import Sidelight, health

# Client and server, without a cookie, for listeners that did not ask for it
# (Documentation/networking/ip-sysctl.rst, tcp_fastopen).
EVERYWHERE = 0x1 | 0x2 | 0x4 | 0x200 | 0x400

# HOST PORT COUNT: prints how many bytes of the first request went out with the SYN.
CLIENT = """
import socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
POST = b"POST /hello HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 9000\\r\\n\\r\\n" + b"x" * 9000

def answer(sock, end):
    data = b""
    while not data.endswith(end):
        part = sock.recv(65536)
        if not part:
            sys.exit("closed early")
        data += part

def begin(first):
    sock = socket.socket()
    sent = sock.sendto(first, socket.MSG_FASTOPEN, (host, port))
    sock.sendall(first[sent:])
    return sock

def get(method, path):
    return b"%s /%s HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n" % (method, path)

for i in range(count):
    for first, end in ((get(b"GET", b"hello"), b"hello\\n"), (get(b"HEAD", b"hello"), b"\\r\\n\\r\\n"),
                       (POST, b"hello\\n")):
        sock = begin(first)
        answer(sock, end)
        sock.sendall(get(b"GET", b"made"))
        answer(sock, b"made\\n")
        sock.close()
"""
COUNT = 10
EXPECTED = {
    ("GET", "/hello", "200"): COUNT,
    ("HEAD", "/hello", "200"): COUNT,
    ("POST", "/hello", "200"): COUNT,
    ("GET", "/made", "201"): 3 * COUNT,
}


class FastOpen(harness.Case):
    def check(self, flags, has_syn_data, is_local=False):
        """flags of the server; of the client, always both."""
        wire = network.Veth(self)
        for name, value in ((wire.client, EVERYWHERE), (wire.server, flags)):
            wire.inside(name, "sysctl", "-qw", f"net.ipv4.tcp_fastopen={value}")
        server = servers.Nginx(self, host=network.SERVER, netns=wire.server)
        cgroup = self.cgroup()
        sidelight = Sidelight(self, cgroup=server.cgroup)
        observer = Sidelight(self, cgroup=cgroup)
        client = self.spawn(
            ["python3", "-c", CLIENT, network.SERVER, server.port, COUNT],
            cgroup=cgroup,
            netns=wire.server if is_local else wire.client,
        )
        harness.wait_for("the client to end", lambda: not client.is_running(), seconds=30)
        self.assertEqual(client.popen.returncode, 0, client.text())
        statistics = wire.inside(wire.server, "cat", "/proc/net/netstat").stdout
        lines = [line.split() for line in statistics.splitlines() if line.startswith("TcpExt:")]
        opened = int(dict(zip(*lines))["TCPFastOpenPassive"])
        self.assertEqual(opened, 3 * COUNT if has_syn_data else 0)

        page = sidelight.assert_counted(EXPECTED, wire.ask(server.port))
        self.assertEqual(page.lost(), {})
        self.assertEqual(page.sum("sidelight_responses_unpaired_total"), 0)
        observer.wait_counted(6 * COUNT, side="client")
        page = observer.scrape()
        self.assertEqual(page.requests("client"), EXPECTED, health(page))
        self.assertEqual(page.lost(), {})
        return page

    def test_data_in_the_syn(self):
        self.check(EVERYWHERE, True)

    def test_data_that_the_server_does_not_take(self):
        self.check(0, False)

    def test_more_than_is_kept(self):
        """On loopback a SYN takes the whole request: its body is longer than what is kept."""
        self.check(EVERYWHERE, True, is_local=True)


if __name__ == "__main__":
    harness.main()
