#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The process and the thread of each request, against servers that log theirs: a process for each
connection, a thread for each connection, and event loops.
"""
# tests/run: shares the machine
import collections
import json
import os
import threading
import unittest

import clients
import harness
import servers
from observer import SENTINEL, Sidelight
from tracing import Traced, lines_of

COUNT = "http_server_request_duration_seconds_count"

CONNECTIONS = 8
REQUESTS = 25


class Logged:
    """A server whose log has method, target, process and thread of each request."""

    def parse(self, line):
        method, target, process, thread = line.split()
        return method, target, int(process), int(thread)


class Prefork(Logged, servers.Apache):
    def command(self):
        argv = ["apache2", "-DFOREGROUND", "-d", self.dir, "-f", self.config("prefork.conf")]
        return ["setsid", *argv], {}  # it signals its process group


class Workers(Logged, servers.Nginx):
    def command(self):
        self.knobs.setdefault("HTTP2", "")
        argv, env = super().command()
        self.www("long", 3 << 20)
        return [*argv[:-1], self.config("workers.conf")], env


class Threads(Logged, servers.PythonHttp):
    argv = ("python3", harness.SERVERS / "threadhttp.py")


class Forks(Threads):
    """A process for each connection, which ends with it."""

    def command(self):
        argv, env = super().command()
        return [*argv, "fork"], env


def has_threads():
    """The kernel tells programs of cgroups who sends (6.10)."""
    release = os.uname().release.split(".")
    return (int(release[0]), int(release[1].split("-")[0])) >= (6, 10)


@unittest.skipUnless(has_threads(), "the kernel does not tell the thread (6.10)")
class Cases(Traced):
    def start(self, server_class, *args, **knobs):
        self.server = server_class(self, **knobs)
        super().start(*args)

    def setUp(self):
        harness.Case.setUp(self)
        self.path = self.dir / "control.sock"

    def ask(self, path="/users", close=False):
        """Many connections at once; each target is its own."""

        def one(i):
            plan = [("GET", f"{path}/{i * 1000 + n}") for n in range(REQUESTS)]
            clients.send_plan(self.server.port, plan, keep_alive=not close)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sidelight.settle(self.server.port)

    def compare(self, total=CONNECTIONS * REQUESTS):
        """Who answered each target, as the server says and as sidelight does."""
        want = {t: (p, n) for _, t, p, n in self.server.wait_log(total)}
        got = {
            line["target"]: (line["process"], line["thread"])
            for line in self.past()
            if line["target"] != SENTINEL
        }
        self.assertEqual(got, want)
        self.assertEqual(len(got), total)
        return collections.Counter(want.values())

    def test_process_for_each_connection(self):
        self.start(Prefork)
        self.ask()
        self.assertGreater(len(self.compare()), 1)

    def test_process_for_each_short_connection(self):
        self.start(Prefork)
        self.ask(close=True)
        self.assertGreater(len(self.compare()), 1)

    def test_thread_for_each_connection(self):
        self.start(Threads)
        self.ask()
        answered = self.compare()
        self.assertEqual(len(answered), CONNECTIONS)
        self.assertEqual(len({process for process, _ in answered}), 1)

    def test_event_loops(self):
        self.start(Workers)
        self.ask()
        self.assertGreater(len(self.compare()), 1)

    def test_event_loops_with_long_responses(self):
        """Most of such a response is sent by whoever receives the client's acknowledgements."""
        self.start(Workers)
        self.ask("/long")
        self.compare()

    def test_http2(self):
        self.start(Workers, HTTP2="http2")
        base = f"http://127.0.0.1:{self.server.port}/users"
        for n in range(REQUESTS):
            harness.run(["curl", "-s", "--http2-prior-knowledge", f"{base}/{n}"])
        harness.wait_for("all", lambda: len(self.past()) == REQUESTS, pause=0.1)
        self.compare(REQUESTS)

    def test_names(self):
        self.start(Workers)
        self.ask()
        (target, process) = next((t, p) for _, t, p, _ in self.server.log())
        titles, *rows = self.trace("--last=1h", "--threads")[0].splitlines()
        self.assertIn("PROCESS/THREAD", titles)
        row = next(row for row in rows if row.endswith(f"  {target}"))
        self.assertIn(f"  nginx/{process}/{process}  ", row)
        lines = lines_of(self.trace("--last=1h", "--threads", "--format=ndjson")[0])
        self.assertEqual({line["process_name"] for line in lines}, {"nginx"})
        self.assertNotIn("process_name", self.past()[0])

    def test_name_of_a_process_that_has_ended(self):
        self.start(Threads)
        self.ask()
        self.server.stop()
        lines = lines_of(self.trace("--last=1h", "--threads", "--format=ndjson")[0])
        self.assertEqual({line["process_name"] for line in lines}, {None})
        self.assertNotIn(None, {line["process"] for line in lines})

    def test_conditions(self):
        self.start(Workers)
        self.ask()
        for process, count in collections.Counter(p for _, _, p, _ in self.server.log()).items():
            for key in ("process", "thread"):
                question = f"http://x/requests?{key}={process}&route=/users/{{id}}"
                out = harness.run(["curl", "-sg", "--unix-socket", self.path, question]).stdout
                self.assertEqual(len(lines_of(out)), count)

    def window(self, by):
        """Rows of a window by process or thread, of the usual requests."""
        question = f"http://x/routes?for=4s&by={by}"
        process = self.spawn(["curl", "-s", "--unix-socket", self.path, question])
        settings = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for(
            "the window", lambda: json.loads(harness.run(settings).stdout)["windows"] == 1)
        self.ask()
        self.assertEqual(process.wait(), 0)
        return json.loads(process.text())["routes"]

    def sentinels(self):
        return [(p, t) for line in self.server.log_text().splitlines()
                for _, target, p, t in [self.server.parse(line)] if target == SENTINEL]

    def test_windows(self):
        self.start(Threads)
        want = collections.Counter()
        for row in self.window("thread"):
            want[row["process"], row["thread"]] = row["requests"]
        logged = collections.Counter((p, t) for _, _, p, t in self.server.log())
        self.assertEqual(want, logged + collections.Counter(self.sentinels()))
        (row,) = self.window("process")
        self.assertEqual(row["process"], logged.most_common()[0][0][0])
        self.assertGreaterEqual(row["requests"], CONNECTIONS * REQUESTS)

    def by_process(self):
        """Requests by the labels of processes, sentinels left out."""
        found = collections.Counter()
        for labels, count in self.sidelight.scrape().each(COUNT):
            if labels.get("http_route") != SENTINEL:
                found[labels.get("process_name"), labels.get("process_pid")] += count
        return +found

    def logged(self, name):
        counts = collections.Counter(str(p) for _, _, p, _ in self.server.log())
        return {(name, pid): count for pid, count in counts.items()}

    def test_labels_of_processes(self):
        self.start(Prefork, "--by", "process")
        self.ask()
        self.assertGreater(len(self.compare()), 1)
        self.assertEqual(self.by_process(), self.logged("apache2"))
        text = self.sidelight.scrape()
        self.assertEqual(text.sum("sidelight_processes_overflowed_total"), 0)

    def test_labels_of_event_loops(self):
        self.start(Workers, "--by", "process")
        self.ask()
        self.assertEqual(self.by_process(), self.logged("nginx"))

    def test_labels_of_threads(self):
        """All threads of a process are that process; threads have names of their own."""
        self.start(Threads, "--by", "process")
        self.ask()
        self.assertEqual(self.by_process(), self.logged("python3"))

    def test_labels_of_short_processes(self):
        """A process for each connection, 100 of them: beyond the bound all are counted."""
        self.start(Forks, "--by", "process")
        for i in range(100):
            clients.send_plan(self.server.port, [("GET", f"/users/{i}")], keep_alive=False)
        self.sidelight.settle(self.server.port)
        logged = self.server.wait_log(100)
        got = self.by_process()
        self.assertEqual(sum(got.values()), len(logged))
        own = {key: count for key, count in got.items() if key[1].isdigit()}
        want = self.logged("python3")
        self.assertEqual({key: want[key] for key in own}, own)
        self.assertLessEqual(len(own), 64)
        # Those that settle() has sent are among them.
        page = self.sidelight.scrape()
        over = page.sum(COUNT, process_name="python3", process_pid="_OTHER")
        self.assertEqual(page.sum("sidelight_processes_overflowed_total"), over)
        self.assertLessEqual(set(got) - set(own), {("python3", "_OTHER"), ("unknown", "unknown")})

    def test_no_labels_by_default(self):
        self.start(Workers)
        self.ask()
        self.assertEqual(set(self.by_process()), {(None, None)})
        self.assertNotIn("sidelight_processes_", self.sidelight.scrape().text)

    def test_client(self):
        """Of what a program asks, the thread that wrote the request."""
        server = servers.Scripted(self)
        cgroup = self.cgroup()
        self.server = server
        self.sidelight = Sidelight(self, "--control", self.path, cgroup=cgroup)
        url = f"http://127.0.0.1:{server.port}/asked"
        process = self.spawn(["sh", "-c", f"exec curl -s {url} {url} {url}"], cgroup=cgroup)
        self.assertEqual(process.wait(), 0)
        harness.wait_for("them", lambda: len(self.past()) == 3, pause=0.1)
        for line in self.past():
            self.assertEqual((line["role"], line["process"]), ("client", process.pid))


if __name__ == "__main__":
    harness.main()
