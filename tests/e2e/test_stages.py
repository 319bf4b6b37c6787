#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Where the time of a request went: the stages that `sidelight trace` and `sidelight top` show,
against clients and servers that are slow in one of them.
"""
# tests/run: shares the machine
import contextlib
import json
import os
import pathlib
import signal
import time

import clients
import harness
import network
import servers
from clients import Wire, request_bytes
from tracing import Traced

STAGES = ("receive_ns", "program_ns", "send_ns")
SLOW = 0.3
SLOW_NS = SLOW * 1e9
BODY = b"x" * 1000


class Stages(Traced):
    server_class = servers.Scripted

    def setUp(self):
        super().setUp()
        self.start()

    def upload(self, target, pause=SLOW):
        """A request whose body comes late."""
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("POST", target, f"Content-Length: {len(BODY)}"))
            time.sleep(pause)
            wire.send(BODY)
            return wire.response()

    def only(self, target):
        self.sidelight.settle(self.server.port)
        (line,) = [line for line in self.past() if line["target"] == target]
        return line

    def check(self, line, slow):
        """All are known and add up, and one of them is slow."""
        self.assertEqual(sum(line[stage] for stage in STAGES), line["duration_ns"], line)
        self.assertGreaterEqual(line[slow], SLOW_NS * 0.95, line)
        for stage in STAGES:
            if stage != slow:
                self.assertLess(line[stage], SLOW_NS / 2, line)

    def test_each_is_slow(self):
        self.upload("/up")
        clients.get(self.server.port, f"/sleep/{SLOW * 1000:.0f}")
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", f"/chunks/2/10/{SLOW * 1000:.0f}"))
            wire.response()
        self.check(self.only("/up"), "receive_ns")
        self.check(self.only(f"/sleep/{SLOW * 1000:.0f}"), "program_ns")
        self.check(self.only(f"/chunks/2/10/{SLOW * 1000:.0f}"), "send_ns")

    def test_all_add_up(self):
        for target in ("/a", "/pieces", "/trailers", "/bytes/500000", "/hints", "/until-close/9"):
            clients.get(self.server.port, target)
            line = self.only(target)
            self.assertEqual(sum(line[stage] for stage in STAGES), line["duration_ns"], line)

    def test_what_is_not_known(self):
        """A response before the upload has ended, and none at all."""
        self.upload("/eager")
        early = self.only("/eager")
        self.assertEqual((early["receive_ns"], early["program_ns"]), (None, None))
        self.assertEqual(early["send_ns"], early["duration_ns"] - early["first_byte_ns"])
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/close"))
            wire.read_end()
        closed = self.only("/close")
        self.assertEqual((closed["program_ns"], closed["send_ns"]), (None, None))
        self.assertIsNotNone(closed["receive_ns"])

    def test_table(self):
        self.upload("/up")
        self.sidelight.settle(self.server.port)
        titles, row, *_ = self.trace("--last=1h", "--stages")[0].splitlines()
        self.assertRegex(titles, r" DURATION +RECEIVE +WAIT +PROGRAM +SEND +ROUND TRIP +REQUEST ")
        self.assertRegex(row, r" (3\d\d)\.\d{3} ms +(3\d\d|29\d)\.\d{3} ms +- +\d\.\d{3} ms ")
        self.assertNotIn("FIRST BYTE", titles)
        self.assertNotIn("PROGRAM", self.trace("--last=1h")[0])

    def window(self, *args):
        """What `top --once` prints of a window with a slow stage in each of three routes."""
        argv = [harness.BINARY, "top", "--once", "--for=3s", "--control", self.path, *args]
        process = self.spawn(argv)
        question = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for(
            "the window", lambda: json.loads(harness.run(question).stdout)["windows"] > 0)
        for _ in range(2):
            self.upload("/up")
            clients.get(self.server.port, f"/sleep/{SLOW * 1000:.0f}")
        for _ in range(20):
            clients.get(self.server.port, "/fast")
        self.assertEqual(process.wait(), 0)
        return process.text()

    def test_slowest_and_why(self):
        rows = {row["route"]: row for row in json.loads(self.window("--format=json"))["routes"]}

        def p99(route, stage):
            return rows[route]["stages"][stage]["p99_ns"]

        self.assertGreater(p99("/up", "receive"), SLOW_NS * 0.9)
        self.assertLess(p99("/up", "program"), SLOW_NS / 2)
        self.assertGreater(p99("/sleep/{id}", "program"), SLOW_NS * 0.9)
        self.assertLess(p99("/sleep/{id}", "receive"), SLOW_NS / 2)
        for row in rows.values():
            stages = row["stages"]
            self.assertEqual(
                sum(stages[s]["slowest_ns"] for s in ("receive", "program", "send")), row["max_ns"])
            self.assertEqual(stages.pop("wait")["count"], 0)
            self.assertEqual([s["count"] for s in stages.values()], [row["requests"]] * 3)

    def test_slowest_and_why_in_a_table(self):
        _, _, titles, *rows = self.window("--sort=p99").splitlines()
        at = {title: titles.index(title) + len(title) for title in ("RECEIVE", "PROGRAM")}
        cells = {
            row.split()[1]: {t: row[:end].split("  ")[-1].strip() for t, end in at.items()}
            for row in rows
        }
        self.assertRegex(cells["/up"]["RECEIVE"], r"^(28|29|3\d)\d ms$")
        self.assertRegex(cells["/sleep/{id}"]["PROGRAM"], r"^(28|29|3\d)\d ms$")
        self.assertRegex(cells["/fast"]["PROGRAM"], r"^[\d.]+ [num]s$")


class RoundTrip(Traced):
    def setUp(self):
        super().setUp()
        self.server.stop()
        self.wire = network.Shim(self, seed=1, drop=0, double=0, delay=1)  # 20 ms each way
        self.server = servers.Nginx(self, host=network.SERVER, netns=self.wire.server)

    def curl(self, *args):
        url = f"http://{network.SERVER}:{self.server.port}"
        return ["ip", "netns", "exec", self.wire.client, "curl", "-s", *args, f"{url}/hello"]

    def test_open_and_ended(self):
        """The peer is 40 ms away, there and back: a connection ends, another one is kept."""
        self.start()
        harness.run(self.curl("-o", "/dev/null"))
        kept = self.spawn(self.curl("--rate", "2/s", f"http://{network.SERVER}:{self.server.port}/[1-20]"))
        harness.wait_for("requests", lambda: len(self.past()) > 4)
        self.sidelight.scrape()  # has open connections listed
        harness.wait_for("the list", lambda: all(line["round_trip_ns"] for line in self.past()))
        self.assertTrue(kept.is_running())
        self.assertEqual(len({line["conn"] for line in self.past()}), 2)
        for line in self.past():
            self.assertGreater(line["round_trip_ns"], 30e6, line)
            self.assertLess(line["round_trip_ns"], 100e6, line)
            self.assertLess(line["program_ns"], 30e6, line)


class Http2(Traced):
    def test_add_up(self):
        self.server = servers.Nginx(self, HTTP2="http2")
        self.start()
        url = f"http://127.0.0.1:{self.server.port}"
        for target in ("/hello", "/made"):
            harness.run(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", url + target])
        harness.wait_for("both", lambda: len(self.past()) == 2, pause=0.1)
        for line in self.past():
            self.assertEqual(line["version"], "2")
            self.assertEqual(sum(line[stage] for stage in STAGES), line["duration_ns"], line)


class Waiting(Traced):
    """Requests of a program that does not come to read them, while system calls are counted."""

    HTTP2 = ""

    def setUp(self):
        super().setUp()
        self.server.stop()
        self.server = servers.Nginx(self, WORKERS=1, HTTP2=self.HTTP2)

    def watch(self, *args):
        self.start(*args)
        if "--syscalls" in args:
            harness.wait_for(
                "counting",
                lambda: self.sidelight.scrape().sum("sidelight_syscalls_counted") == 1,
            )

    @contextlib.contextmanager
    def held_up(self):
        """The worker stands still at first."""
        master = self.server.process.pid
        (worker,) = map(int, pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split())
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
            time.sleep(SLOW)
        finally:
            os.kill(worker, signal.SIGCONT)

    def check(self, line):
        parts = ("receive_ns", "wait_ns", "program_ns", "send_ns")
        self.assertEqual(sum(line[stage] for stage in parts), line["duration_ns"], line)
        self.assertGreaterEqual(line["wait_ns"], SLOW_NS / 2, line)  # a client has to start
        self.assertLess(line["program_ns"], SLOW_NS / 3, line)

    def requests(self, wire):
        for i in range(20):
            wire.send(request_bytes("GET", f"/quick/{i}"))
            wire.response()
        with self.held_up():
            wire.send(request_bytes("GET", "/late"))
        wire.response()

    def test_kept_connection(self):
        self.watch("--syscalls", "on")
        with Wire(self.server.port) as wire:
            self.requests(wire)
        self.sidelight.settle(self.server.port)
        lines = {line["target"]: line for line in self.past()}
        self.check(lines.pop("/late"))
        for i in range(20):
            line = lines[f"/quick/{i}"]
            self.assertLess(line["wait_ns"], SLOW_NS / 2, line)
            self.assertEqual(sum(line[s] for s in (*STAGES, "wait_ns")), line["duration_ns"])

    def test_new_connection(self):
        """It is established, and its request received, before the program accepts it."""
        self.watch("--syscalls", "on")
        with Wire(self.server.port) as wire:
            with self.held_up():
                wire.send(request_bytes("GET", "/late"))
            wire.response()
        self.sidelight.settle(self.server.port)
        self.check(*[line for line in self.past() if line["target"] == "/late"])

    def test_not_counted(self):
        """Then nobody knows when it was read, and the program has all of the time."""
        self.watch()
        with Wire(self.server.port) as wire:
            self.requests(wire)
        self.sidelight.settle(self.server.port)
        for line in self.past():
            self.assertIsNone(line["wait_ns"], line)
        (late,) = [line for line in self.past() if line["target"] == "/late"]
        self.assertGreaterEqual(late["program_ns"], SLOW_NS * 0.9)


class WaitingHttp2(Waiting):
    HTTP2 = "http2"
    test_kept_connection = test_not_counted = None

    def test_new_connection(self):
        self.watch("--syscalls", "on")
        url = f"http://127.0.0.1:{self.server.port}/late"
        with self.held_up():
            client = self.spawn(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", url])
        self.assertEqual(client.wait(), 0, client.text())
        harness.wait_for("the request", self.past, pause=0.1)
        self.check(*[line for line in self.past() if line["target"] == "/late"])


if __name__ == "__main__":
    harness.main()
