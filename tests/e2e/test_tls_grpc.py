#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys and gRPC of five implementations, both ends observed: every call is counted once, with its
status, on the server's side and on the client's.
"""
# tests/run: shares the machine
import harness
import peers
from observer import Sidelight, health
from peers import Call
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

CODES = (0, 5, 14)


@peers.for_each_language
class Grpc(TlsCase):
    def start(self, language):
        server = peers.Echo(self, language=language, tls=self.folder)
        sidelight = Sidelight(self, "--tls", "keys", cgroup=server.cgroup)
        self.wait_probed(sidelight)
        # Its library is known by now: the probe is there before its program.
        client = peers.Client(
            self,
            language,
            server.port,
            connections=2,
            tls=self.folder,
            gate=lambda: self.wait_probed(sidelight, 2),
            cgroup=server.cgroup,
        )
        return server, sidelight, client

    def compare(self, sidelight, server, client, calls):
        peers.assert_as_asked(self, client.run(calls), calls)
        page = peers.settle(sidelight, client, ("server", "client"))
        self.assertEqual(server.calls(), peers.tally(calls), "the server's own account")
        for side in "server", "client":
            peers.assert_counted(self, page, peers.named(peers.tally(calls)), side)
            handshakes = page.sum("sidelight_tls_handshakes_total", role=side)
            self.assertEqual(handshakes, 2, health(page))
        self.assertEqual(page.lost(), {}, health(page))
        self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), 0, health(page))

    def check_calls(self, language):
        """Of four kinds, with and without messages, and 64 KiB of metadata in either direction."""
        server, sidelight, client = self.start(language)
        calls = [
            Call(kind, code, messages=messages, bytes=1000)
            for kind in peers.KINDS
            for code in CODES
            for messages in (0, 3)
        ]
        calls.append(Call("Unary", bytes=10, extra=language.metadata_max))
        self.compare(sidelight, server, client, calls * 3)


if __name__ == "__main__":
    harness.main()
