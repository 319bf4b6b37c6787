#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Between two network namespaces: packets lost, doubled, late and out of order.
Nothing is counted twice, and nothing is missed that the application got.
"""
# tests/run: shares the machine
import harness
import network
import servers
from observer import Sidelight


class BadWire(harness.Case):
    def check(self, wire, connections, count, make=servers.Nginx, **labels):
        server = make(self, host=network.SERVER, netns=wire.server)
        server.www("file", 200_000)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        sent = wire.send_plans(server.port, 11, connections, count, paths=["/www/file"])
        self.assertEqual(len(sent), connections * count)
        expected = server.expected(len(sent))
        self.assertEqual(expected.total(), len(sent))
        scrape = sidelight.assert_counted(expected, wire.ask(server.port))
        self.assertEqual(scrape.lost(), {})
        return scrape

    def test_no_faults(self):
        self.check(network.Veth(self), 8, 50)

    def test_one_percent_lost(self):
        wire = network.Veth(self)
        wire.drop(0.01)
        scrape = self.check(wire, 16, 100)
        self.assertGreater(scrape.sum("sidelight_tcp_retransmits_total"), 0)

    def test_five_percent_lost(self):
        wire = network.Veth(self)
        wire.drop(0.05)
        self.check(wire, 16, 25)

    def test_reordered_and_doubled(self):
        self.check(network.Shim(self, seed=1, drop=0, double=0.05, delay=0.10), 8, 60)

    def test_reordered_doubled_and_lost(self):
        self.check(network.Shim(self, seed=2, drop=0.01, double=0.03, delay=0.05), 8, 40)

    def test_beginnings_of_http2_lost(self):
        """
        Many connections, of which some lose the first segment, with the client's preface, or the
        ACK before it: then the listener's socket sees the preface. Answers begin with more than
        is sent of a connection that may be HTTP/2, or not.
        """
        harness.need("h2load")
        wire = network.Veth(self)
        server = servers.Nginx(self, host=network.SERVER, netns=wire.server, HTTP2="http2")
        server.www("file", 200_000)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        wire.drop(0.04)
        base, count = f"http://{network.SERVER}:{server.port}", 900
        paths = ("/www/file", "/missing", "/")
        done = wire.inside(
            wire.client, "h2load", f"-n{count}", "-c90", "-m10", *(base + path for path in paths)
        )
        self.assertRegex(done.stdout, f" {count} done, .* 0 errored, 0 timeout")
        ask = wire.ask(server.port, "--http2-prior-knowledge")
        scrape = sidelight.assert_counted(server.expected(count), ask)
        self.assertEqual(scrape.lost(), {})

    def test_apache_on_a_bad_wire(self):
        """Deferred accept: the first data is seen on the listener, or again later."""
        wire = network.Shim(self, seed=3, drop=0.02, double=0.05, delay=0.05)
        server = servers.Apache(self, host=network.SERVER, netns=wire.server)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        sent = wire.send_plans(server.port, 12, 12, 20)
        sidelight.assert_counted(server.expected(len(sent)), wire.ask(server.port))


if __name__ == "__main__":
    harness.main()
