#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
sidelight replay on captures that tcpdump made of gRPC in five
implementations: the metrics of either side are those of the calls.
"""
import signal

import clients
import harness
import observer
import peers
from peers import Call


@peers.for_each_language
class Replay(harness.Case):
    def check_capture(self, language):
        harness.need("tcpdump")
        server = peers.Echo(self, language=language)
        pcap = self.scratch("pcap")
        self.tcpdump = self.spawn(
            [
                *("tcpdump", "-i", "lo", "-w", pcap, "-U", "-Z", "root", "-B", "65536"),
                *("tcp", "port", server.port),
            ]
        )
        harness.wait_for("tcpdump", lambda: "listening on" in self.tcpdump.text())
        client = peers.Client(self, language, server.port, connections=3)
        calls = [
            Call(kind, code, messages=messages, bytes=size)
            for kind in peers.KINDS
            for code in range(17)
            for messages, size in ((0, 10), (3, 70_000))
        ]
        results = client.run(calls)
        peers.assert_as_asked(self, results, calls)
        client.finish()
        with clients.Wire(server.port) as wire:
            wire.send(b"the end of it all")
        harness.wait_for("the end", lambda: b"the end of it all" in pcap.read_bytes())
        self.tcpdump.send(signal.SIGINT)
        self.assertEqual(self.tcpdump.wait(), 0)
        self.assertIn("0 packets dropped by kernel", self.tcpdump.text())
        for side in ("server", "client"):
            done = harness.run([harness.BINARY, "replay", "--metrics", "--side", side, pcap])
            scrape = observer.Metrics(done.stdout)
            expected = peers.named(peers.tally(calls))
            peers.assert_counted(self, scrape, expected, side, language.name)


if __name__ == "__main__":
    harness.main()
