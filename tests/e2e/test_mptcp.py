#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
MPTCP: a connection with one subflow is counted exactly, a connection with several is muted with the
reason "mptcp", and a TCP connection to an MPTCP listener is counted exactly.
"""
import os

import harness
import network
from observer import Sidelight

SECOND = "10.213.0.3"

# Arguments HOST PORT. The path of a request says how many bytes the response has.
SERVER = """
import socket, sys, threading
IPPROTO_MPTCP = 262
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen(64)

def serve(sock):
    data = b""
    while True:
        while b"\\r\\n\\r\\n" not in data:
            part = sock.recv(65536)
            if not part:
                sock.close()
                return
            data += part
        head, data = data.split(b"\\r\\n\\r\\n", 1)
        target = head.split()[1]
        if target == b"/drop":
            sock.close()
            return
        size = int(target.split(b"/")[2]) if target.startswith(b"/bytes/") else 2
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + b"x" * size)

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# Arguments PROTOCOL HOST PORT CONNECTIONS REQUESTS HOW FILE. Each connection sends its requests one
# after the other; with HOW=drop, it sends one more, which gets no response. With HOW=first, the second
# request is not sent before FILE exists.
CLIENT = """
import os, socket, sys, threading, time
protocol, host, port, connections, requests = (arg if "." in arg else int(arg)
                                               for arg in sys.argv[1:6])
how = sys.argv[6]
failed = []
answered = threading.Barrier(connections)

def ask(number):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    sock.settimeout(30)
    sock.connect((host, port))
    stream = sock.makefile("rb")
    for i in range(requests):
        size = 400000 if i % 2 else 10
        sock.sendall(b"GET /bytes/%d HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n" % size)
        while stream.readline() != b"\\r\\n":
            pass
        if len(stream.read(size)) != size:
            failed.append(number)
        if i == 0 and how == "first" and answered.wait() == 0:
            print("answered", flush=True)
            while not os.path.exists(sys.argv[7]):
                time.sleep(0.01)
            answered.wait()
        elif i == 0 and how == "first":
            answered.wait()
    if how == "drop":
        sock.sendall(b"GET /drop HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
        stream.read()
    sock.close()

threads = [threading.Thread(target=ask, args=(i,)) for i in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(f"wrong responses: {failed}" if failed else 0)
"""

TCP, MPTCP = 0, 262
CONNECTIONS, REQUESTS = 8, 40


class Mptcp(harness.Case):
    def setUp(self):
        super().setUp()
        self.wire = network.Veth(self)
        enabled = "/proc/sys/net/mptcp/enabled"
        if not os.path.exists(enabled):
            raise harness.unittest.SkipTest("the kernel has no MPTCP")
        for name in self.wire.names:
            self.wire.inside(name, "sysctl", "-qw", "net.mptcp.enabled=1")
            self.wire.ip(name, "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4")
        self.wire.ip(self.wire.client, "addr", "add", f"{SECOND}/24", "dev", "e0")
        self.port = harness.free_port()
        self.go_on = self.scratch("go-on")
        self.server = self.cgroup()
        self.client = self.cgroup()
        self.spawn(
            ["python3", "-c", SERVER, "0.0.0.0", self.port],
            cgroup=self.server,
            netns=self.wire.server,
        )
        harness.wait_for("the server to listen", self.listens)

    def listens(self):
        """The list of TCP sockets also contains MPTCP listeners."""
        with_port = f":{self.port:04X} 00000000:0000 0A"
        return with_port in self.wire.inside(self.wire.server, "cat", "/proc/net/tcp").stdout

    def second_subflow(self):
        self.wire.ip(
            self.wire.client, "mptcp", "endpoint", "add", SECOND, "dev", "e0", "subflow"
        )

    def counter(self, name):
        text = self.wire.inside(self.wire.server, "cat", "/proc/net/netstat").stdout
        lines = [line.split() for line in text.splitlines() if line.startswith("MPTcpExt:")]
        return int(dict(zip(*lines))[name])

    def start(self, protocol, how="all"):
        argv = ["python3", "-c", CLIENT, protocol, network.SERVER, self.port, CONNECTIONS]
        return self.spawn(
            [*argv, REQUESTS, how, self.go_on], cgroup=self.client, netns=self.wire.client
        )

    def finish(self, client):
        harness.wait_for("the client to end", lambda: not client.is_running(), seconds=60)
        self.assertEqual(client.popen.returncode, 0, client.text())

    def observers(self):
        return (
            ("server", Sidelight(self, cgroup=self.server)),
            ("client", Sidelight(self, cgroup=self.client)),
        )

    def check_exact(self, protocol, how="all"):
        observers = self.observers()
        self.finish(self.start(protocol, how))
        for side, sidelight in observers:
            sidelight.wait_counted(CONNECTIONS * REQUESTS, side=side)
            page = sidelight.scrape()
            expected = {("GET", "/bytes/{id}", "200"): CONNECTIONS * REQUESTS}
            if how == "drop":
                sidelight.wait_counted(CONNECTIONS * (REQUESTS + 1), side=side)
                page = sidelight.scrape()
                expected["GET", "/drop", "connection_closed"] = CONNECTIONS
            self.assertEqual(page.requests(side), expected, side)
            self.assertEqual(page.lost(), {})
            self.assertEqual(page.sum("sidelight_connections_muted_total"), 0)

    def check_muted(self, observers, subflows):
        """Each subflow is muted, and no request is counted with a wrong result."""
        muted = CONNECTIONS * subflows

        for side, sidelight in observers:

            def ended():
                page = sidelight.scrape()
                is_over = page.sum("sidelight_tcp_closed_total") >= muted
                return page if is_over and not page.sum("sidelight_connections_open") else None

            page = harness.wait_for("all subflows to end", ended, seconds=20)
            counts = page.requests(side)
            self.assertLessEqual(set(counts), {("GET", "/bytes/{id}", "200")}, side)
            self.assertLessEqual(counts.total(), CONNECTIONS * REQUESTS)
            self.assertEqual(
                page.sum("sidelight_connections_muted_total", reason="mptcp"), muted, side
            )
            self.assertEqual(page.sum("sidelight_parse_failures_total"), 0)
            self.assertEqual(page.sum("sidelight_responses_unpaired_total"), 0)
            self.assertEqual(page.lost(), {})

    def test_one_subflow(self):
        self.check_exact(MPTCP)
        self.assertGreaterEqual(self.counter("MPCapableACKRX"), CONNECTIONS)
        self.assertEqual(self.counter("MPJoinAckRx"), 0)

    def test_one_subflow_that_ends_without_response(self):
        self.check_exact(MPTCP, "drop")
        self.assertGreaterEqual(self.counter("MPCapableACKRX"), CONNECTIONS)

    def test_tcp_to_an_mptcp_listener(self):
        self.check_exact(TCP)
        self.assertEqual(self.counter("MPCapableACKRX"), 0)

    def test_two_subflows(self):
        self.second_subflow()
        observers = self.observers()
        self.finish(self.start(MPTCP))
        self.assertEqual(self.counter("MPJoinAckRx"), CONNECTIONS)
        self.check_muted(observers, 2)

    def test_two_subflows_that_end_without_response(self):
        self.second_subflow()
        observers = self.observers()
        self.finish(self.start(MPTCP, "drop"))
        self.assertEqual(self.counter("MPJoinAckRx"), CONNECTIONS)
        self.check_muted(observers, 2)

    def test_older_than_the_watch(self):
        """Their number of subflows is unknown, so they are muted."""
        client = self.start(MPTCP, "first")
        harness.wait_for("first responses", lambda: "answered" in client.text())
        observers = self.observers()
        self.go_on.touch()
        self.finish(client)
        for side, sidelight in observers:

            def muted():
                page = sidelight.scrape()
                count = page.sum("sidelight_connections_muted_total", reason="mptcp")
                return page if count >= CONNECTIONS else None

            page = harness.wait_for("connections to be muted", muted)
            self.assertEqual(page.requests(side).total(), 0)
            self.assertEqual(page.lost(), {})

    def test_one_subflow_after_connections_with_two(self):
        """Connections with one subflow are counted after others had several."""
        self.second_subflow()
        observers = self.observers()
        self.finish(self.start(MPTCP))
        self.check_muted(observers, 2)
        self.wire.ip(self.wire.client, "mptcp", "endpoint", "flush")
        before = {side: s.scrape().requests(side).total() for side, s in observers}
        self.finish(self.start(MPTCP))
        self.assertEqual(self.counter("MPJoinAckRx"), CONNECTIONS)
        for side, sidelight in observers:
            total = before[side] + CONNECTIONS * REQUESTS
            page = sidelight.wait_counted(total, side=side)
            self.assertEqual(page.requests(side), {("GET", "/bytes/{id}", "200"): total})
            self.assertEqual(page.lost(), {})


if __name__ == "__main__":
    harness.main()
