#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Connections that end early, late, or began before anybody watched.
"""
# tests/run: shares the machine
import collections
import signal
import socket
import time

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight


class Ends(harness.Case):
    """What is counted when a side goes away: the request, never an invented status."""

    def setUp(self):
        super().setUp()
        self.server = servers.Scripted(self)
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)

    def assert_counted(self, expected):
        return self.sidelight.assert_counted(expected, self.server.port)

    def test_reset_and_close_before_the_response(self):
        for target in ("/reset", "/close") * 5:
            with Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", target))
                with self.assertRaises((EOFError, ConnectionResetError)):
                    wire.response()
        scrape = self.assert_counted(
            {("GET", "/reset", "connection_reset"): 5, ("GET", "/close", "connection_closed"): 5}
        )
        for have, _ in scrape.each("http_server_request_duration_seconds_count"):
            if have["http_route"] in ("/reset", "/close"):
                self.assertNotIn("http_response_status_code", have)

    def test_deferred_accept_and_no_response(self):
        """All that came was seen on the listener's socket, before this one was there."""
        server = servers.Scripted(self, self.server.cgroup, args=["defer"])
        for target in ("/reset", "/close", "/hello") * 5:
            with Wire(server.port) as wire:
                wire.send(request_bytes("GET", target))
                if target == "/hello":
                    self.assertEqual(wire.response()[0], 200)
                else:
                    with self.assertRaises((EOFError, ConnectionResetError)):
                        wire.response()
        self.assert_counted(
            {
                ("GET", "/reset", "connection_reset"): 5,
                ("GET", "/close", "connection_closed"): 5,
                ("GET", "/hello", "200"): 5,
            }
        )

    def test_deferred_accept_and_a_head_over_the_limit(self):
        """More than is copied of what reaches the listener's socket."""
        server = servers.Apache(self, self.server.cgroup)
        pads = [f"X-Pad-{i}: " + "p" * 6000 for i in range(6)]
        for count in (2, 3, 6) * 4:
            with Wire(server.port) as wire:
                wire.send(request_bytes("GET", "/hello", *pads[:count]))
                self.assertEqual(wire.response()[0], 200)
                wire.send(request_bytes("GET", "/made"))
                self.assertEqual(wire.response()[0], 201)
        scrape = self.assert_counted({("GET", "/hello", "200"): 12, ("GET", "/made", "201"): 12})
        self.assertEqual(scrape.lost_requests(), 0)

    def test_client_resets_before_the_response(self):
        wire = Wire(self.server.port)
        wire.send(request_bytes("GET", "/sleep/200"))
        wire.drained()
        wire.reset()
        self.assert_counted({("GET", "/sleep/{id}", "connection_reset"): 1})

    def test_server_closes_in_the_middle_of_a_body(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/half/5000"))
            with self.assertRaises(EOFError):
                wire.response()
        scrape = self.assert_counted({("GET", "/half/{id}", "200"): 1})
        self.assertEqual(scrape.requests(error_type="connection_closed").total(), 1)

    def test_client_closes_in_the_middle_of_a_body(self):
        for abort in (Wire.close, Wire.reset):
            wire = Wire(self.server.port)
            wire.send(request_bytes("GET", f"/bytes/{64 << 20}"))
            wire.read(100_000)
            abort(wire)
        harness.wait_for("both to fail", lambda: len(self.server.log()) == 2)
        scrape = self.assert_counted({("GET", "/bytes/{id}", "200"): 2})
        failed = [
            have["error_type"]
            for have, _ in scrape.each(
                "http_server_request_duration_seconds_count", http_route="/bytes/{id}"
            )
        ]
        self.assertTrue(failed and all(failed), failed)

    def test_server_answers_before_the_upload_ends(self):
        with Wire(self.server.port) as wire:
            body = b"GET /not-a-request HTTP/1.1\r\n\r\n" * 4000
            data = request_bytes("POST", "/eager", body=body)
            wire.send(data[:1000])
            self.assertEqual(wire.response()[0], 200)
            wire.send(data[1000:])
            wire.send(request_bytes("GET", "/hello"))
            self.assertEqual(wire.response()[0], 200)
        with Wire(self.server.port) as wire:
            wire.send(data.replace(b"/eager", b"/early")[:1000])
            self.assertEqual(wire.response()[0], 413)
            self.assertEqual(wire.read_end(), b"")
        self.assert_counted(
            {
                ("POST", "/eager", "200"): 1,
                ("GET", "/hello", "200"): 1,
                ("POST", "/early", "413"): 1,
            }
        )

    def test_half_closed_client(self):
        """A client may shut down its sending side and still wait for the answer."""
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/sleep/100"))
            wire.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.response()[0], 200)
            self.assertEqual(wire.read_end(), b"")
        self.assert_counted({("GET", "/sleep/{id}", "200"): 1})

    def test_pipelined_requests_that_are_never_answered(self):
        with Wire(self.server.port) as wire:
            wire.send(
                request_bytes("GET", "/hello") * 3
                + request_bytes("GET", "/close")
                + request_bytes("GET", "/hello") * 2
            )
            for _ in range(3):
                self.assertEqual(wire.response()[0], 200)
            with self.assertRaises((EOFError, ConnectionResetError)):
                wire.response()
        self.sidelight.wait_counted(6)
        counted = self.sidelight.settle(self.server.port).requests()
        self.assertEqual(counted["GET", "/hello", "200"], 3)
        unanswered = {key: n for key, n in counted.items() if not key[2].isdigit()}
        # Closing with unread input sends RST, which may or may not come before FIN.
        self.assertEqual(sum(n for (_, route, _), n in unanswered.items() if route == "/close"), 1)
        self.assertEqual(sum(n for (_, route, _), n in unanswered.items() if route == "/hello"), 2)


class Older(harness.Case):
    """Connections that are older than the observer: nothing wrong, and exact from then on."""

    def test_idle_connections(self):
        for make in (servers.Nginx, servers.Go):
            with self.subTest(server=make.__name__):
                server = make(self)
                wires = [self.own(Wire(server.port)) for _ in range(10)]
                for wire in wires[:5]:
                    wire.send(request_bytes("GET", "/before"))
                    self.assertEqual(wire.response()[0], 200)
                sidelight = Sidelight(self, cgroup=server.cgroup)
                for wire in wires:
                    for target in ("/hello", "/missing", "/users/12"):
                        wire.send(request_bytes("GET", target))
                        wire.response()
                sidelight.assert_counted(
                    {
                        ("GET", "/hello", "200"): 10,
                        ("GET", "/missing", "404"): 10,
                        ("GET", "/users/{id}", "200"): 10,
                    },
                    server.port,
                )

    def test_in_the_middle_of_messages(self):
        server = servers.Scripted(self)
        stream, sleeper, upload = (self.own(Wire(server.port)) for _ in range(3))
        stream.send(request_bytes("GET", "/chunks/40/2000/20"))
        sleeper.send(request_bytes("GET", "/sleep/1000"))
        data = request_bytes("PUT", "/hello", body=b"key = value\n" * 8000)
        upload.send(data[: len(data) // 2])
        stream.read(4000)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        upload.send(data[len(data) // 2 :])
        for wire in (sleeper, upload):
            self.assertEqual(wire.response()[0], 200)
        while not stream.buffer.endswith(b"0\r\n\r\n"):
            stream.buffer += stream.sock.recv(65536)
        stream.buffer = b""
        for wire in (stream, sleeper, upload):
            for _ in range(3):
                wire.send(request_bytes("GET", "/after"))
                self.assertEqual(wire.response()[0], 200)
        # What began unseen is left out; it does not become something else.
        sidelight.assert_counted({("GET", "/after", "200"): 9}, server.port)

    def test_in_the_middle_of_a_body_that_looks_like_requests(self):
        server = servers.Scripted(self)
        body = request_bytes("GET", "/not-a-request") * 2000
        data = request_bytes("PUT", "/hello", body=body)
        with Wire(server.port) as upload:
            upload.send(data[:30_000])
            sidelight = Sidelight(self, cgroup=server.cgroup)
            upload.send(data[30_000:])
            self.assertEqual(upload.response()[0], 200)
            upload.send(request_bytes("GET", "/after"))
            self.assertEqual(upload.response()[0], 200)
        # Some of it may be counted as lost; none of it may get a status.
        counted = sidelight.settle(server.port).requests()
        self.assertEqual(set(counted) - {("GET", "/after", "200")}, set(), counted)

    def test_client_connections(self):
        backend = servers.Nginx(self)
        proxy = servers.Haproxy(self, BACKEND=backend.port)
        front = self.own(Wire(proxy.port))
        front.send(request_bytes("GET", "/before"))
        self.assertEqual(front.response()[0], 200)
        sidelight = Sidelight(self, cgroup=proxy.cgroup)
        for _ in range(10):
            front.send(request_bytes("GET", "/hello"))
            self.assertEqual(front.response()[0], 200)
        expected = collections.Counter({("GET", "/hello", "200"): 10})
        scrape = sidelight.assert_counted(expected, proxy.port)
        self.assertEqual(scrape.requests("client"), expected)

    def test_ends(self):
        """No state callback tells of them: two FINs do, or an RST. What is open then has ended."""
        server = servers.Scripted(self)
        wires = [self.own(Wire(server.port)) for _ in range(14)]
        for wire in wires:
            wire.send(request_bytes("GET", "/before"))
            self.assertEqual(wire.response()[0], 200)
        sidelight = Sidelight(self, cgroup=server.cgroup)

        def ask(wire, target, *fields):
            wire.send(request_bytes("GET", target, *fields))

        for first in (0, 7):
            ends = iter(wires[first : first + 7])
            wire = next(ends)
            ask(wire, "/hello")
            wire.response()
            wire.close()
            for target in ("/close", "/reset"):
                wire = next(ends)
                ask(wire, target)
                with self.assertRaises((EOFError, ConnectionResetError)):
                    wire.response()
                wire.close()
            wire = next(ends)
            ask(wire, "/sleep/100")
            wire.drained()
            wire.reset()
            wire = next(ends)
            ask(wire, "/sleep/100")
            wire.close()
            wire = next(ends)
            ask(wire, "/until-close/100000")
            wire.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.response()[0], 200)
            wire.close()
            wire = next(ends)
            ask(wire, "/bytes/10", "Connection: close")
            self.assertEqual(wire.response()[0], 200)
            wire.close()
        sidelight.assert_counted(
            {
                ("GET", "/hello", "200"): 2,
                ("GET", "/close", "connection_closed"): 2,
                ("GET", "/reset", "connection_reset"): 2,
                ("GET", "/sleep/{id}", "connection_reset"): 2,
                ("GET", "/sleep/{id}", "200"): 2,
                ("GET", "/until-close/{id}", "200"): 2,
                ("GET", "/bytes/{id}", "200"): 2,
            },
            server.port,
        )
        harness.wait_for(
            "all connections to have ended",
            lambda: sidelight.scrape().sum("sidelight_connections_open") == 0,
        )
        self.assertEqual(sidelight.scrape().sum("http_server_active_requests"), 0)

    def test_busy_clients(self):
        """
        The hooks are attached one after the other. Of a request that is seen at the one while the
        other is still missing, the answer would be missed.
        """
        harness.need("wrk")
        cgroup = self.cgroup()
        url = f"http://127.0.0.1:{servers.Nginx(self).port}/hello"
        wrk = self.spawn(["wrk", "-t1", "-c100", "-d1m", url], cgroup=cgroup)
        for _ in range(20):
            sidelight = Sidelight(self, cgroup=cgroup)
            scrape = sidelight.wait_counted(1000, "client")
            sidelight.stop()
            self.assertEqual(set(scrape.requests("client")), {("GET", "/hello", "200")})
            self.assertEqual(scrape.lost_requests(), 0)
        wrk.send(signal.SIGINT)
        self.assertEqual(wrk.wait(), 0, wrk.text())


class Elsewhere(harness.Case):
    """What is not ours is not counted."""

    def test_unix_sockets_and_other_cgroups(self):
        server = servers.Nginx(self, EXTRA_LISTEN=f"listen unix:{self.dir}/http.sock;")
        neighbour = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        clients.send_plan(neighbour.port, clients.make_plan(1, 50))
        for _ in range(5):
            harness.run(
                ["curl", "-qsf", "--unix-socket", self.dir / "http.sock", "http://e2e/hello"]
            )
        clients.get(server.port, "/hello")
        self.assertEqual(len(server.wait_log(6)), 6)
        sidelight.assert_counted({("GET", "/hello", "200"): 1}, server.port)

    def test_both_ends_in_one_cgroup(self):
        """On loopback each end counts for itself: one as server, one as client."""
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); import clients; "
            "clients.send_plan(int(sys.argv[2]), clients.make_plan(5, 60))"
        )
        client = self.spawn(
            ["python3", "-c", script, harness.ROOT / "tests" / "e2e", server.port],
            cgroup=server.cgroup,
        )
        self.assertEqual(client.wait(30), 0, client.text())
        expected = server.expected(60)
        scrape = sidelight.assert_counted(expected, server.port)
        self.assertEqual(scrape.requests("client"), expected)


if __name__ == "__main__":
    harness.main()
