#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Another program on the cgroup clears the sock_ops callback flags of all sockets: no state callback
tells of the end of a connection.
"""
# tests/run: shares the machine
import socket

import foreign
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight

COUNT = 20

# PORT COUNT: one request on each connection, which ends in each of the ways there are.
CLIENT = """
import socket, struct, sys
for i in range(int(sys.argv[2])):
    for target in ("/status/200", "/close", "/reset", "/until-close/5000", "ours"):
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        if target == "ours":
            sock.sendall(b"POST /status/200 HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 9\\r\\n\\r\\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            continue
        sock.sendall(b"GET %s HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n" % target.encode())
        try:
            while sock.recv(65536) and target != "/status/200":
                pass
        except ConnectionResetError:
            pass
        sock.close()
"""


class Case(harness.Case):
    def observe(self, cgroup, *flags):
        self.sidelight = Sidelight(self, *flags, cgroup=cgroup)
        foreign.ClearsCallbackFlags(self, cgroup)

    def wait_ended(self, begun):
        """All connections have ended, for the kernel half and for user space."""

        def event():
            page = self.sidelight.scrape()
            count = page.sum(f"sidelight_tcp_{begun}_total")
            closed = page.sum("sidelight_tcp_closed_total")
            return page if closed == count and not page.sum("sidelight_connections_open") else None

        return harness.wait_for("all connections to end", event)


class AsServer(Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Scripted(self)
        self.observe(self.server.cgroup)

    def ask(self, port, target):
        with Wire(port) as wire:
            wire.send(request_bytes("GET", target))
            if target in ("/close", "/reset"):
                with self.assertRaises((EOFError, ConnectionResetError)):
                    wire.response()
            else:
                self.assertEqual(wire.response()[0], 200)

    def test_requests_that_end_with_their_connection(self):
        for target in ("/status/200", "/close", "/reset", "/until-close/5000"):
            for _ in range(COUNT):
                self.ask(self.server.port, target)
        self.sidelight.assert_counted(
            {
                ("GET", "/status/{id}", "200"): COUNT,
                ("GET", "/close", "connection_closed"): COUNT,
                ("GET", "/reset", "connection_reset"): COUNT,
                ("GET", "/until-close/{id}", "200"): COUNT,
            },
            self.server.port,
        )
        page = self.wait_ended("accepted")
        self.assertGreaterEqual(page.sum("sidelight_tcp_accepted_total"), 4 * COUNT)
        self.assertGreaterEqual(page.sum("sidelight_tcp_resets_total"), COUNT)
        self.assertEqual(page.lost(), {})

    def test_client_that_does_not_close(self):
        """The server has closed: its socket is gone when the client's FIN comes."""
        wires = [self.own(Wire(self.server.port)) for _ in range(COUNT)]
        for wire in wires:
            wire.send(request_bytes("GET", "/close"))
            with self.assertRaises(EOFError):
                wire.response()
        page = self.sidelight.wait_counted(COUNT)
        self.assertEqual(page.requests(), {("GET", "/close", "connection_closed"): COUNT})
        self.wait_ended("accepted")

    def test_resets_by_the_client(self):
        """Nothing was sent by then that shows whether there are callbacks."""
        for _ in range(COUNT):
            wire = Wire(self.server.port)
            wire.send(request_bytes("POST", "/status/200", "Content-Length: 9"))
            wire.drained()
            wire.reset()
        self.sidelight.assert_counted(
            {("POST", "/status/{id}", "connection_reset"): COUNT}, self.server.port
        )
        page = self.wait_ended("accepted")
        self.assertEqual(page.sum("sidelight_tcp_resets_total"), COUNT)

    def test_deferred_accept(self):
        """The request, and perhaps the FIN behind it, was seen on the listener's socket."""
        server = servers.Scripted(self, self.server.cgroup, args=["defer"])
        for target in ("/reset", "/close", "/status/200") * COUNT:
            self.ask(server.port, target)
        self.sidelight.assert_counted(
            {
                ("GET", "/status/{id}", "200"): COUNT,
                ("GET", "/close", "connection_closed"): COUNT,
                ("GET", "/reset", "connection_reset"): COUNT,
            },
            self.server.port,
        )
        self.wait_ended("accepted")

    def test_connections_without_a_request(self):
        for _ in range(COUNT):
            socket.create_connection(("127.0.0.1", self.server.port)).close()
        self.sidelight.settle(self.server.port)
        page = self.wait_ended("accepted")
        self.assertGreaterEqual(page.sum("sidelight_tcp_accepted_total"), COUNT)

    def test_muted_connections(self):
        for number in range(2 * COUNT):
            wire = Wire(self.server.port)
            wire.send(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
            wire.drained()
            if number % 2:
                wire.reset()
            else:
                wire.close()
        self.sidelight.settle(self.server.port)
        page = self.wait_ended("accepted")
        self.assertEqual(page.sum("sidelight_connections_muted_total", reason="tls"), 2 * COUNT)


class AsClient(Case):
    def test_requests_that_end_with_their_connection(self):
        server = servers.Scripted(self)
        cgroup = self.cgroup()
        self.observe(cgroup)
        client = self.spawn(["python3", "-c", CLIENT, server.port, COUNT], cgroup=cgroup)
        harness.wait_for("the client to end", lambda: not client.is_running(), seconds=30)
        self.assertEqual(client.popen.returncode, 0, client.text())
        expected = {
            ("GET", "/status/{id}", "200"): COUNT,
            ("POST", "/status/{id}", "connection_reset"): COUNT,
            ("GET", "/close", "connection_closed"): COUNT,
            ("GET", "/reset", "connection_reset"): COUNT,
            ("GET", "/until-close/{id}", "200"): COUNT,
        }
        self.sidelight.wait_counted(5 * COUNT, side="client")
        page = self.wait_ended("connected")
        self.assertEqual(page.requests("client"), expected)
        self.assertEqual(page.sum("sidelight_tcp_connected_total"), 5 * COUNT)
        self.assertEqual(page.lost(), {})


class Followed(Case):
    def test_ended_connections_make_room(self):
        """What the kernel half keeps of them does not add up to the cap: 4 for each of --conn-cap."""
        server = servers.Scripted(self)
        self.observe(server.cgroup, "--conn-cap", "10")
        for _ in range(100):
            with Wire(server.port) as wire:
                wire.send(request_bytes("GET", "/status/200"))
                self.assertEqual(wire.response()[0], 200)
        page = self.sidelight.assert_counted({("GET", "/status/{id}", "200"): 100}, server.port)
        self.assertEqual(page.lost(), {})


if __name__ == "__main__":
    harness.main()
