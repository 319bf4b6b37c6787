#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Attached to gRPC-Go whose connections have been used before: methods and statuses that the peers
have in their header tables, and send as a number, are known by the header lists of the programs.
"""
import collections
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import harness
import observer
import peers
from observer import Sidelight
from peers import Call
from test_etcd import Etcd

# Each method has one status: a pair that is not here would be made up.
LOAD = [Call("Unary", bytes=20), Call("S001", 5), Call("S002", 10), Call("Collect", messages=3),
        Call("Expand", 9, messages=2), Call("Chat", messages=2)]
KV = "etcdserverpb.KV/"
# Messages by hand: PutRequest, RangeRequest, and a CompactionRequest of a revision in the future.
KV_CLIENT = r"""
import grpc, sys
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
put, range_, compact = (channel.unary_unary("/etcdserverpb.KV/" + m) for m in ("Put", "Range", "Compact"))
for line in sys.stdin:
    for _ in range(int(line)):
        put(b"\n\x01a\x12\x01b")
        range_(b"\n\x01a")
        try:
            compact(b"\x08\xc0\x84\x3d")
            sys.exit("it has compacted")
        except grpc.RpcError:
            print("played")
"""

def kernel():
    return tuple(int(n) for n in pathlib.Path("/proc/sys/kernel/osrelease").read_text().split(".")[:2])


@harness.unittest.skipIf(kernel() < (6, 10), "probes of programs need Linux 6.10")
class Lists(harness.Case):
    def world(self, language, connections=3, **more):
        server = peers.Echo(self, language=language, **more)
        client = peers.Client(self, language, server.port, connections, 8, cgroup=server.cgroup,
                              **more)
        client.run(LOAD * 20)  # everything is in the tables of both sides
        # Without the probes of TLS: those of header lists are counted.
        return server, client, Sidelight(self, "--tls=off", cgroup=server.cgroup)

    def lists(self, sidelight, result="learned"):
        return sidelight.scrape().sum("sidelight_header_lists_total", result=result)

    def learn(self, sidelight, client, sides=("server", "client")):
        """Until a round of calls adds none whose method or status is unknown."""

        def all_known():
            before = self.unknown(sidelight.scrape(), sides)
            client.run(LOAD * 40)  # every connection has had every method
            return self.unknown(peers.settle(sidelight, client, sides), sides) == before

        try:
            harness.wait_for("fields to be learned", all_known, 30)
        except AssertionError as error:
            scrape = sidelight.scrape()
            counts = {side: peers.counted(scrape, side) for side in sides}
            raise AssertionError(f"{error}\n{counts}\n{observer.health(scrape)}") from None

    def unknown(self, scrape, sides):
        return sum(count for side in sides
                   for labels, count in peers.counted(scrape, side).items() if "unknown" in labels)

    def check(self, language):
        _, client, sidelight = self.world(language)
        self.learn(sidelight, client)
        before = sidelight.scrape()
        results = client.run(LOAD * 50)
        peers.assert_as_asked(self, results, LOAD * 50)
        scrape = peers.settle(sidelight, client, ("server", "client"))
        for side in ("server", "client"):
            more = peers.counted(scrape, side) - peers.counted(before, side)
            self.assertEqual(more, peers.named(peers.tally(results)), observer.health(scrape))
        self.assertGreater(self.lists(sidelight), 0)
        self.assertEqual(self.lists(sidelight, "mismatch"), 0, observer.health(scrape))
        self.assertEqual(scrape.lost(), {}, observer.health(scrape))

    def test_go(self):
        self.check(peers.GO)

    def test_go_new(self):
        self.check(peers.GO_NEW)

    def test_stripped(self):
        """Without symbols the functions are found in the table of the runtime."""
        program = self.dir / "stripped"
        shutil.copy(peers.GO_NEW.argv[0], program)
        harness.run(["strip", program])
        self.check(peers.Language("go-new", [program], free_codes=True))

    def test_other_language_at_the_other_end(self):
        """The program that is watched is enough: here etcd, whose client is Python."""
        server = Etcd(self)
        harness.wait_for("etcd to be healthy", server.is_healthy, 30)
        # grpcio is Debian's, and so must the interpreter be.
        client = self.spawn(["/usr/bin/python3", "-c", KV_CLIENT, server.port],
                            stdin=subprocess.PIPE, env={"PYTHONUNBUFFERED": "1"})
        self.own(client.popen.stdin)
        played = 0

        def play(times):
            nonlocal played
            played += times
            client.popen.stdin.write(f"{times}\n".encode())
            client.popen.stdin.flush()
            harness.wait_for("etcd's answers", lambda: client.text().count("played") == played, 30)

        play(30)
        sidelight = Sidelight(self, cgroup=server.cgroup)

        def counted():
            return peers.counted(sidelight.scrape(), "server")

        def is_known():
            before = counted()
            play(2)
            harness.wait_for("the calls", lambda: (counted() - before).total() == 6)
            return not any("unknown" in labels for labels in counted() - before)

        harness.wait_for("fields to be learned", is_known, 30)
        before = counted()
        play(50)
        harness.wait_for("the calls", lambda: (counted() - before).total() == 150)
        self.assertEqual(counted() - before, collections.Counter(
            {(KV + "Put", "OK"): 50, (KV + "Range", "OK"): 50, (KV + "Compact", "OUT_OF_RANGE"): 50}))

    def links(self, sidelight):
        """Links of probes that its processes hold."""
        found = 0
        for pid in (sidelight.process.pid, sidelight.worker):
            for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
                try:
                    found += "link_type:\tuprobe_multi" in info.read_text()
                except FileNotFoundError:
                    pass
        return found

    def test_capabilities(self):
        """Threads that close links are started when no capability is in force."""
        _, client, sidelight = self.world(peers.GO_NEW)
        client.run(LOAD * 10)
        harness.wait_for("probes", lambda: self.links(sidelight) == 2, 10)
        harness.status_at_rest(sidelight.process.pid)

    def test_strangers_bytes(self):
        """A number that means nothing, on a connection that is not older: nothing is probed."""
        server, client, _ = self.world(peers.GO_NEW, connections=1)
        sidelight = Sidelight(self, "--tls=off", cgroup=server.cgroup)
        frame = bytes.fromhex("000001" "01" "05" "00000001" "be")  # HEADERS, index 62
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.port)) as stranger:
                stranger.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
                                 + frame)
                stranger.recv(1000)
        harness.wait_for("its fields", lambda: sidelight.scrape().sum(
            "sidelight_http2_unknown_fields_total") + sidelight.scrape().sum(
            "sidelight_parse_failures_total") > 0)
        self.assertNotIn("grpc: reading header lists", sidelight.process.text())
        self.assertEqual(self.links(sidelight), 0)

    def test_long_lists(self):
        """Lists that are too long to be copied are counted, also if no other one comes."""
        _, client, sidelight = self.world(peers.GO_NEW)
        client.run([Call("Unary", bytes=20, extra=3000)] * 5)
        harness.wait_for("probes", lambda: self.links(sidelight) == 2, 10)

        def is_counted():
            client.run([Call("Unary", bytes=20, extra=3000)] * 5)
            return self.lists(sidelight, "lost") > 0

        harness.wait_for("lists to be lost", is_counted, 10)

    def test_connections_over_tls(self):
        """Nothing is copied of connections that are not wanted, as all are that are encrypted."""
        server, client, sidelight = self.world(peers.GO_NEW)
        folder = self.certificate()
        other = peers.Echo(self, language=peers.GO_NEW, tls=folder, cgroup=server.cgroup)
        encrypted = peers.Client(self, peers.GO_NEW, other.port, 1, 1, tls=folder, cgroup=server.cgroup)
        client.run(LOAD)
        harness.wait_for("probes", lambda: self.links(sidelight) == 4, 10)

        def all_lists():
            return sidelight.scrape().sum("sidelight_header_lists_total")

        def play_until_more(count):
            client.run(LOAD)
            return all_lists() > count

        harness.wait_for("lists", lambda: play_until_more(0), 20)
        before = all_lists()
        encrypted.run(LOAD * 100)  # three lists of each call, on both sides
        harness.wait_for("more lists", lambda: play_until_more(before), 20)
        self.assertLess(all_lists() - before, len(LOAD) * 100)

    def certificate(self):
        folder = self.scratch("certificate")
        folder.mkdir()
        harness.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            + ["-subj", "/CN=a", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            + ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
        )
        return folder

    def test_begin_and_end(self):
        """Probes are there while fields are unknown, and for some seconds more."""
        server, client, sidelight = self.world(peers.GO_NEW)
        self.assertEqual(self.links(sidelight), 0)
        client.run(LOAD)
        harness.wait_for("probes", lambda: self.links(sidelight) == 2, 10)
        self.learn(sidelight, client)
        client.run(LOAD * 100)  # more heads in a row without an unknown field than are asked for
        harness.wait_for("no probes", lambda: self.links(sidelight) == 0, 60, pause=1)
        results = client.run(LOAD * 10)
        peers.assert_as_asked(self, results, LOAD * 10)
        # What was learned stays; a new connection needs nothing.
        before = sidelight.scrape()
        peers.Client(self, peers.GO_NEW, server.port, 1, 1, cgroup=server.cgroup).run(LOAD)
        self.assertEqual(self.unknown(sidelight.scrape(), ("server", "client")),
                         self.unknown(before, ("server", "client")))
        self.assertEqual(self.links(sidelight), 0)

    def test_programs_come_and_go(self):
        """A client that ends under its probe, and 20 sidecars that are killed: no call fails."""
        server, client, sidelight = self.world(peers.GO_NEW)
        short = peers.Client(self, peers.GO_NEW, server.port, 1, 1, cgroup=server.cgroup)
        client.run(LOAD)
        harness.wait_for("probes", lambda: self.links(sidelight) == 3, 10)
        short.finish()
        harness.wait_for("its probe to go", lambda: self.links(sidelight) == 2, 10)
        for _ in range(20):
            sidelight.process.send(signal.SIGKILL)
            sidelight.process.wait()
            sidelight = Sidelight(self, "--tls=off", cgroup=server.cgroup)
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                peers.assert_as_asked(self, client.run(LOAD * 3), LOAD * 3)


if __name__ == "__main__":
    harness.main()
