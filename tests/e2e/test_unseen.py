#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""`run --cgroup` and `run --pid` without an exporter: what they say, and why they saw nothing."""
import os
import pty
import signal
import socket
import struct

import clients
import harness
import servers
from observer import Sidelight, http_get

POSTGRESQL = struct.pack(">II", 17, 3 << 16) + b"user\0me\0\0"
REDIS = b"*1\r\n$4\r\nPING\r\n"
TLS = bytes((22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3)) + bytes(194)
ECHO = """
import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    c = s.accept()[0]
    while data := c.recv(4096):
        c.sendall(data)
    c.close()
"""


class Unseen(harness.Case):
    def setUp(self):
        super().setUp()
        self.group = self.cgroup()
        self.port = harness.free_port()
        self.server = self.spawn(["python3", "-c", ECHO, self.port], cgroup=self.group)
        self.server.wait_listening(self.port)

    def speak(self, first):
        """One connection of its own, of three turns."""
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            for _ in range(3):
                s.sendall(first)
                left = len(first)
                while left:
                    left -= len(s.recv(left))

    def watch(self, *args):
        process = self.spawn([harness.BINARY, "run", *args])
        harness.wait_for("a line when it watches", lambda: "watching cgroup" in process.text()
                         or not process.is_running())
        return process

    def end(self, process):
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), 0, process.text())
        lines = process.text().splitlines()
        self.assertIn("takes only programs that share its hooks", lines.pop(1))
        return lines

    def test_the_reason_is_given_with_numbers(self):
        for first, count, reason in (
            (None, 0, "no connections that carried data"),
            (TLS, 3, "3 connections, all TLS"),
            (POSTGRESQL, 4, "4 connections, all look like PostgreSQL"),
            (REDIS, 1, "1 connection, looks like redis"),
        ):
            with self.subTest(reason):
                process = self.watch("--cgroup", self.group)
                for _ in range(count):
                    self.speak(first)
                lines = self.end(process)
                self.assertEqual(len(lines), 2, lines)
                self.assertRegex(lines[0], rf"watching cgroup {self.group} since \d\d:\d\d:\d\d: "
                                           rf"process {self.server.pid} \(python3\)$")
                self.assertEqual(lines[1], f"sidelight: run: no HTTP requests seen: {reason}")

    def test_a_process_is_named(self):
        process = self.watch("--pid", str(self.server.pid))
        self.assertIn(f"process {self.server.pid} (python3)", self.end(process)[0])

    def test_an_empty_cgroup(self):
        process = self.watch("--cgroup", str(self.cgroup()))
        self.assertIn("no process is in it yet", self.end(process)[0])

    def test_summary_on_a_terminal(self):
        nginx = servers.Nginx(self)
        ours, theirs = pty.openpty()
        self.own(os.fdopen(ours, "rb", 0))
        pid = os.fork()
        if pid == 0:
            os.dup2(theirs, 2)
            os.execv(harness.BINARY, ["sidelight", "run", "--cgroup", str(nginx.cgroup)])
        os.close(theirs)
        said = b""
        while b"watching" not in said:
            said += os.read(ours, 4096)
        clients.send_plan(nginx.port, [("GET", "/hello")] * 7)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        while b"/hello" not in said:
            said += os.read(ours, 4096)
        self.assertRegex(said.decode(), r"GET +/hello +7 ")

    def test_a_long_run_says_so_after_a_while(self):
        """Also where the numbers go elsewhere: nobody looks at the end of such a run."""
        for first, count, reason, line in (
            (TLS, 2, "tls", "2 connections, all TLS"),
            (REDIS, 3, "not_http", "3 connections, all look like redis"),
        ):
            with self.subTest(reason):
                sidelight = Sidelight(self, cgroup=self.group)
                self.assert_reason(sidelight, "no_connection")
                for _ in range(count):
                    self.speak(first)
                self.assert_said(sidelight, reason, line)
                sidelight.stop()

    def test_connections_that_stay_silent(self):
        sidelight = Sidelight(self, cgroup=self.group)
        with socket.create_connection(("127.0.0.1", self.port)):
            self.assert_said(sidelight, "no_data", "1 connection, which has not carried data")

    def assert_said(self, sidelight, reason, line):
        harness.wait_for("a word", lambda: "no HTTP requests seen" in sidelight.process.text(), 15)
        self.assertIn(f"sidelight: run: no HTTP requests seen: {line}\n", sidelight.process.text())
        self.assert_reason(sidelight, reason)

    def assert_reason(self, sidelight, reason):
        page = sidelight.scrape()
        given = {have["reason"] for have, value in page.each("sidelight_no_requests") if value}
        self.assertEqual(given, {reason} if reason else set())

    def test_no_word_once_there_was_a_request(self):
        nginx = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=nginx.cgroup)
        clients.send_plan(nginx.port, [("GET", "/hello")])
        sidelight.wait_counted(1)
        self.assert_reason(sidelight, None)

    def test_no_failure_of_a_parser(self):
        sidelight = Sidelight(self, cgroup=self.group)
        for first in (POSTGRESQL, REDIS, REDIS, TLS):
            self.speak(first)
        name = "sidelight_connections_not_http_total"
        harness.wait_for("the connections", lambda: sidelight.scrape().sum(name) == 3)
        page = sidelight.scrape()
        self.assertEqual(page.sum(name, protocol="redis"), 2)
        self.assertEqual(page.sum(name, protocol="PostgreSQL"), 1)
        self.assertEqual(page.sum("sidelight_parse_failures_total"), 0)
        self.assertEqual(http_get(sidelight.port, "/readyz")[0], 200)


if __name__ == "__main__":
    harness.main()
