#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`sidelight top --once`: what a window of time says of each route equals what the server logs.
"""
# tests/run: shares the machine
import collections
import http.client
import json
import threading

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight, http_get


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
        window = json.loads(harness.run([harness.BINARY, "top", "--once", "--control", self.path,
                                         "--format=json", "--for=100ms"]).stdout)
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
                                             " RECEIVE WAIT PROGRAM SEND STATUSES".split())
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

    def curl(self, question, *args):
        return harness.run(["curl", "-sN", *args, "--unix-socket", self.path, "http://x" + question],
                           check=False).stdout

    def test_follow(self):
        """A window after the other, for clients of the socket itself."""
        out = self.curl("/routes?follow=1&for=300ms", "-m", "2")
        self.assertGreaterEqual(len([json.loads(line) for line in out.splitlines()]), 3)

    def test_followers_share_windows(self):
        """All see every request, in windows that are the same for all."""
        question = ["curl", "-sN", "-m", "6", "--unix-socket", self.path,
                    "http://x/routes?follow=1&for=500ms"]
        readers = [self.spawn(question) for _ in range(12)]
        harness.wait_for("the readers", lambda: all(r.text() for r in readers))
        self.assertEqual(json.loads(self.curl("/settings"))["windows"], 1)
        clients.send_plan(self.server.port, [("GET", "/hello")] * 300)
        for reader in readers:
            reader.wait()
        seen = {tuple(line for line in r.text().splitlines() if "/hello" in line) for r in readers}
        self.assertEqual(len(seen), 1)
        self.assertEqual(sum(json.loads(line)["requests"] for line in seen.pop()), 300)
        harness.wait_for("their end", lambda: json.loads(self.curl("/settings"))["windows"] == 0)

    def test_too_many_windows(self):
        """Windows of other lengths are others."""
        for ms in (700, 800, 900, 1000):
            self.spawn(["curl", "-sN", "--unix-socket", self.path,
                        f"http://x/routes?follow=1&for={ms}ms"])
        harness.wait_for("four", lambda: json.loads(self.curl("/settings"))["windows"] == 4)
        self.assertIn("4 readers of /routes", self.curl("/routes?follow=1&for=5s"))
        self.assertIn('"seconds"', self.curl("/routes?for=100ms"))

    def test_by_peer(self):
        process = self.spawn(["curl", "-sN", "--unix-socket", self.path, "http://x/routes?for=4s&by=peer"])
        harness.wait_for("the window", lambda: json.loads(self.curl("/settings"))["windows"] == 1)
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
            for target in ("/hello", "/late", "/made"):
                conn = http.client.HTTPConnection(
                    "127.0.0.1", self.server.port, source_address=(source, 0))
                conn.request("GET", target)
                conn.getresponse().read()
                conn.close()
        self.assertEqual(process.wait(), 0)
        window = json.loads(process.text())
        self.assertEqual(window["by"], "peer")
        self.assertEqual([(r["role"], r["peer"], r["requests"], r["errors"]) for r in window["routes"]],
                         [("server", "127.0.0.2", 6, 2), ("server", "127.0.0.3", 3, 1)])
        self.assertIn("none of route, peer, process, thread", self.curl("/routes?by=colour"))

    def test_bytes_and_open_requests(self):
        server = servers.Scripted(self, cgroup=self.server.cgroup)
        with Wire(server.port) as wire:
            wire.send(request_bytes("GET", "/sleep/8000"))
            process = self.start("--format=json", "--for=3s")
            size = sum(len(http_get(self.server.port, "/hello")[1]) for _ in range(3))
            clients.send_plan(server.port, [("POST", "/made")], body=b"x" * 1234)
            self.assertEqual(process.wait(), 0)
        rows = {row["route"]: row for row in json.loads(process.text())["routes"]}
        self.assertEqual(rows["/hello"]["response_bytes"], size)
        self.assertEqual(rows["/made"]["request_bytes"], 1234)
        self.assertEqual(rows["/made"]["open"], 0)
        hanging = rows["/sleep/{id}"]
        self.assertEqual((hanging["open"], hanging["requests"], hanging["p99_ns"]), (1, 0, None))


if __name__ == "__main__":
    harness.main()
