#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What a running sidecar tells at its control socket, and `sidelight trace` to people: every request
that a server logs, before and after somebody looked; and no secret of their targets.
"""
# tests/run: shares the machine
import collections
import contextlib
import json
import os
import pty
import resource
import select
import signal
import threading

import clients
import harness
import servers
from clients import Wire, request_bytes
from tracing import READERS, Traced, Unix, body_of, lines_of, seen

LOST = "sidelight_control_lines_lost_total"
SECRET = "Hunter2-c0rrect"
# What may be between the name of a secret and its end; ! stands for the secret.
SECRET_TARGETS = """
/?token=! /?TOKEN=! /?access_token=! /?a=1&refresh_token=!&b=2 /?id_token=! /?api_key=! /?apikey=!
/?X-Api-Key=! /?key=! /?subscription-key=! /?password=! /?passwd=! /?pwd=! /?pass=! /?passphrase=!
/?secret=! /?client_secret=! /?auth=! /?Authorization=Bearer%20! /?code=! /?code_verifier=! /?sig=!
/?X-Amz-Signature=! /?X-Amz-Credential=! /?X-Amz-Security-Token=! /?Signature=! /?sid=! /?PHPSESSID=!
/?session=! /?jwt=! /?SAMLResponse=! /?otp=! /?_csrf=! /?user[password]=! /?a=1;token=!
/?%74oken=! /?%2574oken=! /?token%3D! /app;jsessionid=! /?to=https%3A%2F%2Fx%3Ftoken%3D!
/?to=https://joe:!@example.com/ /?q={"password":"!"} http://joe:!@example.com/
http://!@example.com/?token=!
""".split()


class Past(Traced):
    PLAN = [(m, t.split("#")[0]) for t, _, _ in clients.PATHS for m in ("GET", "POST")]

    def ask(self):
        """What the client has got, in its order; nginx logs a closed connection's end later."""
        results = clients.send_plan(self.server.port, self.PLAN)
        self.sidelight.settle(self.server.port)
        return [(method, target, str(status)) for method, target, status in results]

    def test_everything_in_order(self):
        self.start()
        expected = [(m, t.split("?")[0], s) for m, t, s in self.ask()]
        lines = self.past()
        self.assertEqual(seen(lines), expected)
        for line in lines:
            self.assertEqual(line["server"], f"127.0.0.1:{self.server.port}")
            self.assertEqual(
                (line["role"], line["container"]), ("server", self.server.cgroup.path.name)
            )
            self.assertLessEqual(0, line["first_byte_ns"])
            self.assertLessEqual(line["first_byte_ns"], line["duration_ns"])
        times = [line["time"] for line in lines]
        self.assertEqual(times, sorted(times))

    def test_queries_only_if_asked_for(self):
        self.start()
        clients.get(self.server.port, "/search?q=1&token=" + SECRET)
        self.sidelight.settle(self.server.port)
        self.assertEqual(self.past()[0]["target"], "/search")
        self.assertEqual(self.past("--query")[0]["target"], "/search?q=1&token=***")

    def test_filters_combine(self):
        self.start()
        log = [(m, t.split("?")[0], s) for m, t, s in self.ask()]

        def check(want, *args):
            self.assertEqual(seen(self.past(*args)), want, args)
            self.assertTrue(want)

        check([e for e in log if e[2][0] == "5"], "--status", "5xx")
        check([e for e in log if e[2] in ("404", "401")], "--status=404,401")
        check([e for e in log if e[0] == "POST"], "--method", "post")
        check([e for e in log if e[1].startswith("/users/")], "--route", "/users/{id}")
        check([e for e in log if e[1].startswith("/o")], "--route=/o*")
        check(log, "--peer", "127.0.0.*")
        check(
            [e for e in log if e[2] == "502" and e[0] == "GET"], "--status=502", "--method=GET"
        )
        posts = [e for e in log if e[0] == "POST"]
        check(posts[-3:], "--method=POST", "--count=3")
        self.assertEqual(self.past("--peer=10.0.0.1"), [])
        self.assertEqual(self.past("--min-duration=20s"), [])
        self.assertEqual(self.past("--status=5xx", "--method=BREW"), [])

    def test_table(self):
        self.start()
        self.ask()
        out, _ = self.trace("--last=1h", "--status=5xx")
        titles, *rows = out.splitlines()
        self.assertEqual(titles.split()[:3], ["TIME", "(UTC)", "CONTAINER"])
        self.assertEqual(len(rows), 4)
        for row in rows:
            self.assertRegex(
                row,
                r"^\d\d:\d\d:\d\d\.\d{6}  [\w-]+  127\.0\.0\.1:\d+ +(GET|POST) +50[24] +[\d.]+ ms "
                r"+[\d.]+ ms +\d+ +\d+  /(gateway|late)$",
            )
            self.assertEqual(row.index("/"), titles.index("TARGET"))

    def test_errors_and_the_slowest_stay(self):
        """Long after those that came between them are gone."""
        self.start("--recorder", "64")
        clients.get(self.server.port, "/late")
        clients.send_plan(self.server.port, [("GET", "/hello")] * 1000)
        scrape = self.sidelight.settle(self.server.port)
        lines = self.past()
        self.assertEqual(seen(lines)[0], ("GET", "/late", "504"))
        self.assertEqual(seen(self.past("--status=error")), [("GET", "/late", "504")])
        self.assertGreaterEqual(len(lines), 65)
        kept = len(lines) + scrape.sum("sidelight_recorder_overwritten_total")
        self.assertEqual(kept, scrape.sum("sidelight_recorder_requests_total"))

    def test_how_long(self):
        self.server = servers.Scripted(self)
        self.start()
        clients.get(self.server.port, "/sleep/5")
        clients.get(self.server.port, "/sleep/300")
        self.sidelight.settle(self.server.port)
        slow = self.past("--min-duration=300ms")
        self.assertEqual([line["target"] for line in slow], ["/sleep/300"])
        self.assertGreaterEqual(slow[0]["duration_ns"], 300e6)

    def test_hostile_targets_drive_no_terminal(self):
        self.start()
        with Wire(self.server.port) as wire:
            wire.send(b"GET /\x1b[2J\x1b]0;x\x07\x9b\xff\"\\ HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.response()
        self.sidelight.settle(self.server.port)
        for form in ("table", "ndjson"):
            out, _ = self.trace("--last=1h", f"--format={form}")
            self.assertRegex(out, r"\A[\n -~]*\Z")
            self.assertIn("x1b[2J", out)

    def test_off(self):
        self.start("--recorder", "off")
        clients.get(self.server.port, "/hello")
        self.assertIn("recorder is off", self.trace("--last=1h", status=2)[1])

    def test_http2(self):
        self.server = servers.Nginx(self, HTTP2="http2")
        self.start()
        url = f"http://127.0.0.1:{self.server.port}"
        paths = ["/hello", "/hello", "/users/12?token=" + SECRET, "/users/12", "/late", "/hello"]
        for path in paths:
            harness.run(["curl", "-qsS", "--http2-prior-knowledge", "-o/dev/null", url + path])
        # On one connection, all at once.
        many = [f"{url}{p}{'&' if '?' in p else '?'}n={n}" for n, p in enumerate(paths * 3)]
        harness.run(["nghttp", "-n", *many])
        self.sidelight.wait_counted(4 * len(paths))
        want = [path.split("?")[0] for path in paths]
        got = [line["target"] for line in self.past()]
        self.assertEqual(got[: len(want)], want)
        self.assertEqual(sorted(got), sorted(want * 4))
        self.assertNotIn(SECRET, json.dumps(self.past("--query")))


class Secrets(Traced):
    def test_never_appear(self):
        self.server = servers.Scripted(self)
        self.start("--log-level", "debug")
        for target in SECRET_TARGETS:
            with Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", target.replace("!", SECRET)))
                wire.response()
        scrape = self.sidelight.settle(self.server.port)
        lines = self.past("--query")
        self.assertEqual(len(lines), len(SECRET_TARGETS) + 1)
        for target, line in zip(SECRET_TARGETS, lines):
            self.assertNotIn(SECRET, line["target"], target)
            self.assertIn("***", line["target"], target)
        for what, text in (
            ("trace", self.trace("--last=1h", "--query", "--format=ndjson")[0]),
            ("/metrics", scrape.text),
            ("the log", self.sidelight.process.text()),
        ):
            self.assertFalse(SECRET in text, what)

    def core_of(self, pid):
        """All of the memory that a debugger writes."""
        path = self.scratch(f"core-{pid}")
        argv = ["gdb", "-nx", "--batch", "-p", pid, "-ex", "set use-coredump-filter off"]
        harness.run([*argv, "-ex", f"generate-core-file {path}"], seconds=120)
        return path.read_bytes()

    def test_cores(self):
        """
        Of clients a core has none; of sidelight itself, whose ring has what came last, the kernel
        writes none, even if a limit and a pattern allow it.
        """
        harness.need("gdb")
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        self.stack.callback(resource.setrlimit, resource.RLIMIT_CORE, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        folder = self.scratch("folder")
        folder.mkdir()
        self.server = servers.Scripted(self)
        self.start("--headers=all", before=("env", "-C", folder))
        readers = [self.follow("--headers=all", "--query"),
                   self.spawn([harness.BINARY, "ui", "--control", self.path])]
        targets = [target for target in SECRET_TARGETS if target.startswith("/")]
        for target in targets:
            with Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", target.replace("!", SECRET), "X-Token: " + SECRET))
                wire.response()
        self.sidelight.settle(self.server.port)
        harness.wait_for("all lines", lambda: readers[0].text().count("\n") >= len(targets))
        for reader in readers:
            self.assertNotIn(SECRET.encode(), self.core_of(reader.pid), reader.popen.args)
        worker = self.sidelight.worker
        os.kill(worker, signal.SIGABRT)
        harness.wait_for("the worker to end", lambda: not harness.is_alive(worker))
        self.assertEqual(list(folder.iterdir()), [])

    def test_a_question_mark_that_is_encoded(self):
        """For the server it is a part of the path; no route has what follows it."""
        self.start()
        for target in ("/a%3Ftoken%3D" + SECRET, "/a/token=" + SECRET, "/a%3Btoken%3D" + SECRET):
            clients.get(self.server.port, target)
        page = self.sidelight.settle(self.server.port)
        out = self.trace("--last=1h", "--query", "--format=ndjson")[0]
        for text in (out, page.text, self.sidelight.process.text()):
            self.assertFalse(SECRET in text, text)


class Following(Traced):
    COUNT = 10000
    THREADS = 5

    def load(self):
        plans = [
            clients.make_plan(seed, self.COUNT // self.THREADS, ["GET", "POST"])
            for seed in range(self.THREADS)
        ]
        threads = [
            threading.Thread(target=clients.send_plan, args=(self.server.port, plan))
            for plan in plans
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def expected(self):
        return collections.Counter(
            (m, t.split("?")[0], s) for m, t, s in self.server.wait_log(self.COUNT)
        )

    def test_everything_beside_a_reader_that_stalls(self):
        self.start()
        fast = self.follow()
        stalled = self.own(Unix(self.path, "/requests?follow=1&past=0", buffer=2048))
        head = stalled.read(lambda data: b"\r\n\r\n" in data)
        self.load()
        # Metrics first: no reader costs them anything.
        scrape = self.sidelight.assert_counted(self.server.expected(self.COUNT), self.server.port)
        harness.wait_for(
            "all lines", lambda: fast.text().count("\n") > self.COUNT, seconds=20, pause=0.05
        )
        self.assertEqual(collections.Counter(seen(lines_of(fast.text()))), self.expected())
        scrape = self.sidelight.scrape()
        lost = scrape.sum(LOST)
        self.assertGreater(lost, 0)
        self.assertLess(scrape.sum("sidelight_control_buffer_bytes"), 3 << 20)
        # It reads on: what it missed, it is told.
        last = b'"target":"/sentinel"'
        data = head + stalled.read(lambda data: last in data and data.endswith(b"}\n\r\n"))
        got = lines_of(body_of(data).decode())
        told = sum(line["lost"] for line in got if "lost" in line)
        self.assertEqual(told, lost)
        self.assertEqual(len(got) - sum("lost" in line for line in got) + told, self.COUNT + 1)
        fast.stop()

    def test_filter_count_and_end(self):
        self.start()
        process = self.follow("--status=5xx", "--count=2")
        for target in ("/hello", "/late", "/hello", "/gateway", "/late"):
            clients.get(self.server.port, target)
        self.assertEqual(process.wait(), 0)
        self.assertEqual([e[1] for e in seen(lines_of(process.text()))], ["/late", "/gateway"])

    def test_for(self):
        self.start()
        out, _ = self.trace("--for=300ms", "--format=ndjson")
        self.assertEqual(out, "")

    def test_past_then_following(self):
        self.start()
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        process = self.follow("--last=1h", "--follow")
        clients.get(self.server.port, "/late")
        harness.wait_for("both", lambda: "/late" in process.text())
        self.assertEqual([e[1] for e in seen(lines_of(process.text()))], ["/hello", "/late"])
        process.stop()
        harness.wait_for("the reader to be gone",
                         lambda: self.sidelight.scrape().sum(READERS) == 0, seconds=15)

    def test_the_sidecar_ends(self):
        self.start()
        process = self.follow()
        clients.get(self.server.port, "/hello")
        harness.wait_for("the line", lambda: "/hello" in process.text())
        self.sidelight.stop()
        self.assertEqual(process.wait(), 0)
        self.assertFalse(self.path.exists())

    def test_the_sidecar_is_killed(self):
        self.start()
        process = self.follow()
        os.kill(self.sidelight.worker, signal.SIGKILL)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.text(), r"trace: the answer broke off \(.*\)\n\Z")

    def test_a_pipe_that_closes(self):
        self.start()
        clients.send_plan(self.server.port, [("GET", "/hello")] * 1000)
        self.sidelight.settle(self.server.port)
        shell = f"{harness.BINARY} trace --control {self.path} --last 1h | head -n 2"
        done = harness.run(["sh", "-c", shell])
        self.assertEqual((len(done.stdout.splitlines()), done.stderr), (2, ""))

    def test_colors_on_a_terminal_only(self):
        self.start()
        clients.get(self.server.port, "/late")
        self.sidelight.settle(self.server.port)

        def on_terminal(**env):
            ours, theirs = pty.openpty()
            argv = [harness.BINARY, "trace", "--control", str(self.path), "--last=1h"]
            pid = os.posix_spawn(
                argv[0], argv, {"TERM": "xterm", **env}, file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)]
            )
            os.close(theirs)
            out = b""
            with contextlib.suppress(OSError):  # EIO: the other side is closed
                while select.select([ours], [], [], 10)[0]:
                    out += os.read(ours, 4096)
            os.close(ours)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            return out.decode()

        self.assertIn("\x1b[31m504\x1b[0m", on_terminal())
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", on_terminal(**env))
        self.assertNotIn("\x1b", self.trace("--last=1h")[0])


if __name__ == "__main__":
    harness.main()
