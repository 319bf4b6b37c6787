#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The control socket: where it is, who may use it, what it answers, and when it is gone.
"""
# tests/run: shares the machine
import json
import pathlib
import re
import signal
import stat

import clients
import harness
from observer import Sidelight
from tracing import READERS, Traced, Unix, lines_of, seen

REFUSED = "sidelight_control_refused_total"


class Socket(Traced):
    def test_for_its_owner_only(self):
        self.start()
        status = self.path.stat()
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        done = harness.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", harness.BINARY,
             "trace", "--control", self.path], check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("only the user that runs the sidecar may read it", done.stderr)

    def test_one_that_nobody_listens_at_is_replaced(self):
        self.start()
        self.sidelight.process.stop(signal.SIGKILL)
        self.assertTrue(self.path.exists())
        _, said = self.trace("--last=1h", status=2)
        self.assertRegex(said, r"\A.*nobody answers at .*\n\Z")
        self.start()
        self.assertEqual(self.past(), [])
        self.sidelight.stop()
        self.assertFalse(self.path.exists())

    def refused(self, why):
        done = harness.run(
            [harness.BINARY, "run", "--control", self.path, "--cgroup", self.server.cgroup],
            check=False,
        )
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, rf"\Asidelight: run: --control .*: {why}\n\Z")

    def test_one_that_is_in_use_is_refused(self):
        self.start()
        self.refused("another process listens there")
        self.assertEqual(self.past(), [])

    def test_a_file_stays(self):
        self.path.write_text("precious")
        self.refused("a file that is no socket is there")
        self.assertEqual(self.path.read_text(), "precious")

    def test_no_directory(self):
        self.path = self.dir / "none" / "control.sock"
        self.refused("No such file or directory")

    def test_no_sidecar(self):
        _, said = self.trace(status=2)
        self.assertEqual(said.count("\n"), 1)
        self.assertIn("no sidecar has a control socket", said)

    def test_usual_place(self):
        """Where its directory is there, without a flag; nothing else tells where it is."""
        setup = 'mount -t tmpfs tmpfs /run && mkdir /run/sidelight && exec "$0" "$@"'
        self.sidelight = Sidelight(
            self, cgroup=self.server.cgroup, before=["unshare", "-m", "sh", "-c", setup]
        )
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        inside = ["nsenter", "-m", "-t", self.sidelight.process.pid, harness.BINARY, "trace"]
        done = harness.run([*inside, "--last=1h", "--format=ndjson"])
        self.assertEqual(seen(lines_of(done.stdout)), [("GET", "/hello", "200")])

    def test_caps(self):
        self.start()
        readers = []
        for _ in range(8):
            readers.append(self.own(Unix(self.path, "/requests?follow=1")))
            readers[-1].read(lambda data: b"\r\n\r\n" in data)
        _, said = self.trace("--last=1h", status=2)
        self.assertIn("8 readers of /requests already", said)
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(READERS), 8)
        self.assertEqual(scrape.sum(REFUSED, reason="readers"), 1)
        readers[0].close()
        harness.wait_for("a place", lambda: self.sidelight.scrape().sum(READERS) < 8, seconds=15)
        self.trace("--last=1h")

    def ask(self, question):
        client = self.own(Unix(self.path, question))
        return client.read(lambda data: re.search(rb"\r\n\r\n.*\n", data, re.S)).decode()

    def test_questions(self):
        self.start()
        for question, status, part in (
            ("/", 404, "try /requests"),
            ("/requests?status=9", 400, 'status: "9" is no list'),
            ("/requests?colour=red", 400, 'no condition "colour"'),
            ("/requests?follow=maybe", 400, "neither 1 nor 0"),
            ("/settings", 200, '"recorder":{"recent":2000,'),
        ):
            answer = self.ask(question)
            self.assertTrue(answer.startswith(f"HTTP/1.1 {status} "), answer)
            self.assertIn(part, answer)
        settings = json.loads(self.ask("/settings").split("\r\n\r\n", 1)[1])
        self.assertLessEqual(settings["recorder"]["bytes"], 1 << 20)
        self.assertEqual(settings["requests"], 0)

    def test_log_says_nothing_of_it(self):
        """Without the directory, and without being asked, it is no matter."""
        if pathlib.Path("/run/sidelight").exists():
            self.skipTest("/run/sidelight is there")
        self.sidelight = Sidelight(self, cgroup=self.server.cgroup)
        self.assertNotIn("control", self.sidelight.process.text())


if __name__ == "__main__":
    harness.main()
