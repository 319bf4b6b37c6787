#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`sidelight top --once`: what a window of time says of each route equals what the server logs.
"""
# tests/run: shares the machine
import collections
import json
import threading

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight


class Top(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Nginx(self)
        self.path = self.dir / "control.sock"
        self.sidelight = Sidelight(
            self, "--control", self.path, cgroup=self.server.cgroup
        )

    def start(self, *args):
        """A window that counts: it does when it holds a place in the sidecar."""
        argv = [harness.BINARY, "top", "--once", "--control", self.path, *args]
        process = self.spawn(argv)
        question = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for(
            "the window",
            lambda: json.loads(harness.run(question).stdout)["windows"] > 0,
        )
        return process

    def window(self, plan, *args):
        process = self.start("--format=json", *args)
        if plan:
            clients.send_plan(self.server.port, plan)
        self.assertEqual(process.wait(), 0, process.text())
        return json.loads(process.text())

    def test_equals_the_log(self):
        clients.get(self.server.port, "/hello")  # before it
        plan = clients.make_plan(7, 500, ["GET", "POST"])
        window = self.window(plan, "--for=6s")
        log = collections.Counter(
            (m, clients.route_of(t), s) for m, t, s in self.server.wait_log(501)
        )
        log["GET", "/hello", "200"] -= 1
        counted = collections.Counter(
            {
                (row["method"], row["route"], status): count
                for row in window["routes"]
                for status, count in row["statuses"].items()
            }
        )
        self.assertEqual(counted, +log)
        self.assertEqual(window["requests"], 500)
        self.assertAlmostEqual(window["seconds"], 6, delta=2)
        for row in window["routes"]:
            self.assertEqual(row["role"], "server")
            self.assertEqual(row["errors"], sum(
                n for status, n in row["statuses"].items() if status >= "500"))
            self.assertLessEqual(row["p50_ns"], row["p90_ns"])
            self.assertLessEqual(row["p90_ns"], row["p99_ns"])
            self.assertLessEqual(row["p99_ns"], row["max_ns"])
            self.assertAlmostEqual(row["rate"], row["requests"] / window["seconds"], delta=0.1)

    def test_nothing(self):
        window = self.window([], "--for=100ms")
        self.assertEqual((window["requests"], window["routes"]), (0, []))

    def test_open_requests(self):
        server = servers.Scripted(self, cgroup=self.server.cgroup)
        process = self.start("--format=json", "--for=1s")
        with Wire(server.port) as wire:
            wire.send(request_bytes("GET", "/sleep/3000"))
            self.assertEqual(process.wait(), 0)
        self.assertEqual(json.loads(process.text())["requests_open"], 1)

    def test_table_by_column(self):
        plan = [("GET", "/hello")] * 5 + [("GET", "/late")] * 3 + [("POST", "/made")]
        for sort, first in (("requests", "/hello"), ("errors", "/late"), ("route", "/hello")):
            process = self.start("--for=2s", "--sort", sort)
            clients.send_plan(self.server.port, plan)
            self.assertEqual(process.wait(), 0)
            head, empty, titles, *rows = process.text().splitlines()
            self.assertRegex(head, r"^ 9 requests in [\d.]+ s: [\d.]+/s, 3 with an error; 0 ")
            self.assertEqual(empty, "")
            self.assertEqual(titles.split(), "METHOD ROUTE REQUESTS RATE/S ERRORS P50 P90 P99 MAX"
                                             " STATUSES".split())
            self.assertEqual(rows[0].split()[1], first)
            self.assertEqual(len(rows), 3)
            self.assertTrue(any(row.endswith(" 504:3") for row in rows), rows)

    def test_caps(self):
        """A third window at once is one too many, and the others go on."""
        running = [self.spawn([harness.BINARY, "top", "--once", "--control", self.path, "--for=5s"])
                   for _ in range(2)]
        question = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for("both", lambda: json.loads(harness.run(question).stdout)["windows"] == 2)
        done = harness.run([harness.BINARY, "top", "--once", "--control", self.path], check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("2 readers of /routes", done.stderr)
        refused = self.sidelight.scrape().sum("sidelight_control_refused_total", reason="readers")
        self.assertEqual(refused, 1)
        for process in running:
            process.stop()

    def test_two_windows_at_once(self):
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(self.window([], "--for=3s")))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        question = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for("both", lambda: json.loads(harness.run(question).stdout)["windows"] == 2)
        clients.send_plan(self.server.port, [("GET", "/hello")] * 20)
        for thread in threads:
            thread.join()
        self.assertEqual([w["requests"] for w in results], [20, 20])

    def test_bad_use(self):
        for args, part in (
            (["top"], "top --once"),
            (["top", "--once", "--format=ndjson"], "table or json"),
            (["top", "--once", "--sort=colour"], "requests|errors|p50"),
        ):
            done = harness.run([harness.BINARY, *args], check=False)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
            self.assertIn(part, done.stderr)

    def test_follow(self):
        """A window after the other, for clients of the socket itself."""
        out = harness.run(
            ["curl", "-sN", "-m", "2", "--unix-socket", self.path,
             "http://x/routes?follow=1&for=300ms"], check=False).stdout
        self.assertGreaterEqual(len([json.loads(line) for line in out.splitlines()]), 3)


if __name__ == "__main__":
    harness.main()
