#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`sidelight top` on a terminal: what its keys do, and that the terminal is what it was before,
however it ends.
"""
# tests/run: shares the machine
import os
import re
import shlex
import signal
import threading

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight
from terminal import Terminal

PLAN = [("GET", "/hello")] * 6 + [("POST", "/late")] * 2 + [("GET", "/users/1234")]


class Traffic:
    """The plan again and again, until stop()."""

    def __init__(self, case, port, plan=tuple(PLAN)):
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(port, list(plan)))
        self.thread.start()
        case.own(self)

    def run(self, port, plan):
        while not self.is_over.wait(0.05):
            clients.send_plan(port, plan)

    def stop(self):
        self.is_over.set()
        self.thread.join()


class Screen(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = servers.Nginx(self)
        self.path = self.dir / "control.sock"
        self.sidelight = Sidelight(self, "--control", self.path, cgroup=self.server.cgroup)

    def command(self, *args):
        return shlex.join(map(str, [harness.BINARY, "top", "--control", self.path, *args]))

    def top(self, *args, width=110, height=24, env=None):
        terminal = Terminal(self, width, height, env)
        terminal.type(self.command(*args) + "; echo status=$?")
        terminal.wait("sidelight top", "q quit")
        return terminal

    def pass_windows(self):
        """Two more windows have ended."""
        harness.run([harness.BINARY, "top", "--once", "--for=2500ms", "--control", self.path])

    def rows(self, lines):
        """Names of rows from top to bottom."""
        return [m.group(1) for m in (re.search(r" (/\S+)", line) for line in lines[3:-1]) if m]


class Keys(Screen):
    def test_routes_and_sorting(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        screen = terminal.wait("/hello", "/late", "/users/{id}", "RATE/S*")
        self.assertRegex(screen, r"routes +[\d.]+/s  \d+ errors  \d+ open  \d+ connection")
        terminal.wait_until("the most requests first", lambda s: self.rows(s)[:1] == ["/hello"])
        terminal.keys(">")
        terminal.wait("ERRORS*")
        terminal.wait_until("the most errors first", lambda s: self.rows(s)[:1] == ["/late"])
        terminal.keys("r")
        terminal.wait_until("the fewest first", lambda s: self.rows(s)[-1:] == ["/late"])
        terminal.keys("<", "<")
        terminal.wait_until(
            "routes by name",
            lambda s: self.rows(s) == ["/hello", "/late", "/users/{id}"] and "ROUTE*" in s[2],
        )

    def test_sort_of_the_command_line(self):
        Traffic(self, self.server.port)
        self.top("--sort=p99").wait("/hello", "P99*")

    def test_connections(self):
        """Open ones, with their requests; Enter shows what one of them has asked."""
        wire = self.own(Wire(self.server.port))
        for _ in range(3):
            wire.send(request_bytes("GET", "/hello"))
            wire.response()
        terminal = self.top(width=160)
        terminal.keys("5")
        screen = terminal.wait("connections   1 open", "REQUESTS*", "127.0.0.1:")
        self.assertRegex(screen, r"> 127\.0\.0\.1:\d+ .* 3 +0")
        terminal.keys("Enter")
        terminal.wait("requests of 127.0.0.1:", "/hello")
        terminal.keys("Escape", "q")
        terminal.wait("status=0")
        terminal = self.top("--by=connection", "--sort=age")
        terminal.wait("connections   1 open", "AGE*")

    def test_filter(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        terminal.wait("/hello", "/users/{id}")
        terminal.keys("/", "U", "s", "e", "x", "BSpace")
        terminal.wait("filter: Use_")
        terminal.wait_until("what matches", lambda s: self.rows(s) == ["/users/{id}"])
        terminal.keys("Enter")
        terminal.wait_until("the whole filter", lambda s: s[1] == "  filter: Use")
        terminal.keys("Escape")
        terminal.wait("/hello", "/late")

    def test_requests_of_a_route(self):
        terminal = self.top()
        clients.get(self.server.port, "/users/1234")
        clients.get(self.server.port, "/hello")
        terminal.keys("/", "u", "s", "e", "r", "s", "Enter")
        terminal.wait("/users/{id}")
        terminal.keys("Enter")
        terminal.wait("requests of GET /users/{id}", "/users/1234", "TIME (UTC)*")
        for number in (77, 78):
            clients.get(self.server.port, f"/users/{number}")
            terminal.wait(f"/users/{number}")
        self.assertEqual(self.rows(terminal.lines()), ["/users/78", "/users/77", "/users/1234"])
        terminal.keys("p")
        terminal.wait("[paused]")
        clients.get(self.server.port, "/users/79")
        self.pass_windows()
        self.assertNotIn("/users/79", terminal.screen())
        terminal.keys("p")
        terminal.wait("/users/79")
        terminal.keys("Escape")
        terminal.wait("Enter requests")

    def test_header_fields_of_a_request(self):
        terminal = self.top()
        clients.get(self.server.port, "/users/1234")
        terminal.wait("/users/{id}")
        terminal.keys("Enter")
        terminal.wait("requests of GET /users/{id}", "/users/1234")
        clients.get(self.server.port, "/users/77", headers={"X-One": "a b", "Cookie": "s=1"})
        terminal.wait("/users/77")
        terminal.keys("Enter")
        terminal.wait("header fields of /users/77", "X-One", "a b", "***", "Content-Type")
        terminal.keys("Escape")
        terminal.wait("requests of GET /users/{id}")
        # It was not captured: nobody looked then.
        terminal.keys("End", "Enter")
        terminal.wait("header fields of /users/1234", "none that were captured")
        terminal.keys("Escape", "Escape")
        terminal.wait("Enter requests")

    def test_open_requests_alone(self):
        """A route of which nothing has ended is there."""
        server = servers.Scripted(self, cgroup=self.server.cgroup)
        with Wire(server.port) as wire:
            wire.send(request_bytes("GET", "/sleep/20000"))
            terminal = self.top()
            lines = terminal.wait_until("the route", lambda s: self.rows(s))
            self.assertRegex(lines[3], r"GET +/sleep/\S+ +0\.0 +0 +1 ")

    def test_pause(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        terminal.wait("/hello")
        terminal.keys("Space")
        before = terminal.wait("[paused]")
        self.pass_windows()
        self.assertEqual(terminal.screen(), before)
        terminal.keys("Space")
        terminal.wait_until("other numbers", lambda s: s != before.splitlines())

    def test_peers(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        terminal.keys("v")
        screen = terminal.wait("peers", "PEER", " 127.0.0.1 ")
        self.assertNotIn("127.0.0.1:", screen)
        terminal.keys("Enter")
        terminal.wait("requests of 127.0.0.1", "/hello", "/late")
        terminal.keys("1")
        terminal.wait("ROUTE", "/hello")

    def test_processes_and_threads(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        terminal.keys("3")
        screen = terminal.wait("processes", "PROCESS", " nginx/")
        process = re.search(r"nginx/(\d+) ", screen).group(1)
        terminal.keys("4")
        terminal.wait("threads", f"nginx/{process}/{process}")
        terminal.keys("Enter")
        terminal.wait("requests of nginx/", "/hello", "/late")
        terminal.keys("Escape", "v")
        terminal.wait("connections", "connections ")
        terminal.keys("v")
        terminal.wait("routes", "/hello")

    def test_help(self):
        terminal = self.top(height=30)
        for key in ("h", "?"):
            terminal.keys(key)
            terminal.wait("sort by another column", "Any key goes back")
            terminal.keys("x")
            terminal.wait("no requests in the last second")

    def test_widths(self):
        Traffic(self, self.server.port)
        terminal = self.top()
        terminal.wait("/hello")
        terminal.resize(40)
        lines = terminal.wait_until(
            "a narrow screen", lambda s: "P99" in s[2] and "P50" not in s[2] and self.rows(s))
        self.assertTrue(all(len(line) <= 40 for line in lines), lines)
        self.assertRegex(lines[2], r"ROUTE +RATE/S\*")
        terminal.resize(200)
        lines = terminal.wait_until("a wide screen", lambda s: "OUT/S" in s[2] and self.rows(s))
        self.assertEqual(
            lines[2].split(),
            "METHOD ROUTE RATE/S* ERRORS P50 P90 P99 RECEIVE PROGRAM SEND MAX OPEN IN/S OUT/S".split())
        terminal.resize(9, 3)
        terminal.resize(110)
        terminal.wait("/hello", "P99")

    def test_strangers_bytes(self):
        terminal = self.top()
        with Wire(self.server.port) as wire:
            wire.send(b"GET /\x1b[2J\x1b]0;x\x07\x9b\xff\"\\ HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.response()
        terminal.wait_until("a row", lambda s: s[3].startswith(">"))
        terminal.keys("Enter")
        self.assertRegex(terminal.wait(r"/\x1b[2J\x1b]0;x"), r"\A[\n -~]*\Z")


class Ends(Screen):
    def test_quit(self):
        terminal = Terminal(self)
        terminal.type("echo what was there before")
        terminal.type(self.command() + "; echo status=$?")
        terminal.wait("q quit")
        self.assertTrue(terminal.is_whole_screen())
        terminal.keys("q")
        terminal.wait("what was there before", "status=0")
        terminal.assert_restored()

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = self.top()
            os.kill(terminal.child(), number)
            terminal.wait("status=0")
            terminal.assert_restored()

    def test_interrupt_from_the_keyboard(self):
        terminal = self.top()
        terminal.keys("C-c")
        harness.wait_for("the shell's screen", lambda: not terminal.is_whole_screen())
        terminal.assert_restored()

    def test_for(self):
        terminal = self.top("--for=2s")
        terminal.wait("status=0")
        terminal.assert_restored()

    def test_sidecar_is_killed(self):
        terminal = self.top()
        os.kill(self.sidelight.process.pid, signal.SIGKILL)
        terminal.wait("top: the sidecar has ended", "status=1")
        terminal.assert_restored()

    def test_sidecar_ends(self):
        terminal = self.top()
        self.sidelight.stop()
        terminal.wait("top: the sidecar has ended", "status=1")
        terminal.assert_restored()

    def test_stopped_and_continued(self):
        Traffic(self, self.server.port)
        terminal = Terminal(self)
        terminal.type(self.command())
        terminal.wait("/hello")
        terminal.keys("C-z")
        terminal.wait("Stopped")
        terminal.assert_restored()
        terminal.type("fg")
        terminal.wait("/hello", "q quit")
        terminal.keys("q")
        terminal.assert_restored()

    def test_terminal_goes_away(self):
        terminal = self.top()
        pid = terminal.child()
        terminal.tmux("kill-session")
        harness.wait_for("its end", lambda: not harness.is_alive(pid))

    def test_no_sidecar(self):
        terminal = Terminal(self)
        terminal.type(shlex.join([str(harness.BINARY), "top", "--control", "/nowhere/s"])
                      + "; echo status=$?")
        self.assertIn("no sidecar has a control socket", terminal.wait("status=2"))

    def test_capture_of_its_own(self):
        """Where no sidecar runs: it begins, and ends, with top."""
        Traffic(self, self.server.port)
        terminal = Terminal(self)
        terminal.type(shlex.join([str(harness.BINARY), "top", "--cgroup", str(self.server.cgroup)])
                      + "; echo status=$?")
        terminal.wait("q quit", "/hello", "/users/{id}")
        capture = int(harness.run(["pgrep", "-P", terminal.child()]).stdout.split()[0])
        terminal.keys("q")
        terminal.wait("status=0")
        terminal.assert_restored()
        self.assertFalse(harness.is_alive(capture))

    def test_terminal_without_a_screen(self):
        for name in ("dumb", "no-such-terminal"):
            terminal = Terminal(self, 250)
            terminal.type(f"TERM={name} {self.command()}; echo status=$?")
            terminal.wait("no full screen", "top --once", "status=2")
            terminal.assert_restored()


class Readers(Screen):
    def test_one_count_for_all(self):
        """However many look at the same rows, the sidecar counts once, and each sees all."""
        Traffic(self, self.server.port)
        terminals = [self.top() for _ in range(5)]
        for terminal in terminals:
            terminal.wait("/hello", "/late", "/users/{id}")
        question = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        self.assertIn('"windows":1', harness.run(question).stdout)
        for terminal in terminals:
            terminal.keys("q")
            terminal.wait("status=0")
        harness.wait_for(
            "the end of the window", lambda: '"windows":0' in harness.run(question).stdout)


if __name__ == "__main__":
    harness.main()
