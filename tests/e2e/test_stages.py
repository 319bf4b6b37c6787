#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Where the time of a request went: the three stages that `sidelight trace` and `sidelight top` show,
against clients and servers that are slow in one of them.
"""
# tests/run: shares the machine
import json
import time

import clients
import harness
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
        self.assertRegex(titles, r" DURATION +RECEIVE +PROGRAM +SEND +REQUEST ")
        self.assertRegex(row, r" (3\d\d)\.\d{3} ms +(3\d\d|29\d)\.\d{3} ms +\d\.\d{3} ms ")
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


if __name__ == "__main__":
    harness.main()
