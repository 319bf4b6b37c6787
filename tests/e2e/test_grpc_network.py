#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
gRPC across a bad wire: header tables survive loss, retransmission and
reordering. All calls are on one connection, so one header block that is
missed or taken twice would spoil all later ones.
"""
import harness
import network
import observer
import peers
from observer import Sidelight
from peers import Call

METHODS = [f"S{i:03d}" for i in range(40)]


class BadWire(harness.Case):
    def check(self, wire, count, language=peers.GO):
        host = network.SERVER
        server = peers.Echo(self, language=language, host=host, netns=wire.server)
        mine = self.cgroup()
        there = Sidelight(self, cgroup=server.cgroup)
        here = Sidelight(self, cgroup=mine)
        client = peers.Client(
            self,
            language,
            server.port,
            connections=1,
            workers=50,
            host=host,
            netns=wire.client,
            cgroup=mine,
        )
        # Metadata that differs fills and turns over the tables.
        calls = [
            Call(METHODS[i * 7 % len(METHODS)], (0, 0, 0, 5, 13)[i % 5], bytes=i % 900, messages=i)
            for i in range(count)
        ]
        results = client.run(calls, 120)
        peers.assert_as_asked(self, results, calls)
        self.assertEqual(server.calls(), peers.tally(calls))
        for sidelight, side in ((there, "server"), (here, "client")):
            scrape = peers.settle(sidelight, client, (side,))
            peers.assert_counted(self, scrape, peers.named(peers.tally(calls)), side)
            self.assertEqual(scrape.sum("sidelight_http2_unknown_fields_total"), 0)
            self.assertEqual(scrape.lost(), {}, observer.health(scrape))
        client.finish()
        return there, here

    def test_10000_calls_with_one_percent_lost(self):
        wire = network.Veth(self)
        wire.drop(0.01)
        both = self.check(wire, 10_000)
        harness.wait_for(
            "the retransmissions of a connection that has ended",
            lambda: any(s.scrape().sum("sidelight_tcp_retransmits_total") for s in both),
        )

    def test_reordered_doubled_and_lost(self):
        self.check(network.Shim(self, seed=4, drop=0.01, double=0.03, delay=0.05), 2_000)


if __name__ == "__main__":
    harness.main()
