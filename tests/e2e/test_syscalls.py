#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 420
"""
`sidelight syscalls` counts what strace(1) sees of the same run: by thread, exactly, calls on
sockets only, of its own cgroup only.
"""
import collections
import json
import os
import pathlib
import platform
import re
import signal
import socket
import time
import unittest

import clients
import harness
import observer
import servers
import strace

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "calls_driver"
PROGRAMS = ("sl_sys_enter", "sl_sys_exit")
CAPABILITIES = {"BPF": 39, "NET_ADMIN": 12, "SYS_PTRACE": 19, "PERFMON": 38}


def having(*names):
    """A command that executes its arguments with these capabilities and no others."""
    bounds = ",".join(["-all", *(f"+{name.lower()}" for name in names)])
    return ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all"]


def loaded_by(*pids):
    """Our programs that these processes hold, as {id: name}."""
    held = set()
    for pid in pids:
        for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
            held |= set(map(int, re.findall(r"(?m)^prog_id:\s+(\d+)", info.read_text())))
    shown = json.loads(harness.run(["bpftool", "-j", "prog", "show"]).stdout or "[]")
    return {p["id"]: p["name"] for p in shown if p["id"] in held and p.get("name") in PROGRAMS}


def total(rows, what="calls", **wanted):
    return sum(row[what] or 0 for row in rows
               if all(row[name] == value for name, value in wanted.items()))


class Counting:
    """`sidelight syscalls`, attached; its standard output is in a file of its own."""

    def __init__(self, case, *args, before=(), **more):
        self.case = case
        self.out = case.scratch("syscalls.json")
        argv = [*before, harness.BINARY, "syscalls", "--format=json", *args]
        self.process = case.spawn(["sh", "-c", 'exec "$@" >"$0"', str(self.out), *map(str, argv)],
                                  **more)
        harness.wait_for("it to count", self._is_counting)

    def _is_counting(self):
        text = self.process.text()
        if "syscalls: counting" not in text and not self.process.is_running():
            self.case.fail(text)
        return "syscalls: counting" in text

    def result(self, status=0):
        """What it printed, once it has ended by itself; status: None for any."""
        ended = self.process.wait(30)
        if status is not None:
            self.case.assertEqual(ended, status, self.process.text())
        return json.loads(self.out.read_text())

    def stop(self):
        self.process.send(signal.SIGINT)
        return self.result()


class Syscalls(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("strace", "bpftool")

    def run_all(self, *command, args=(), status=0):
        """Counts a command of its own; returns the object."""
        return Counting(self, *args, "--", *command).result(status)

    def traced(self, argv, drive=None, args=()):
        """One run, seen by both: (rows, truth). drive makes it work, and end."""
        log = self.scratch("strace")
        counting = Counting(self, *args, "--", *strace.command(log, argv))
        if drive:
            drive(counting)
        result = counting.result(status=None)
        return result, strace.Truth(log.read_text())

    def check(self, result, truth):
        """By thread, each call; strace itself has no sockets."""
        rows = result["rows"]
        self.assertEqual(result["lost"], 0)
        counted = {(row["thread"], row["call"]): row for row in rows
                   if row["process_name"] != "strace"}
        self.assertGreater(len(truth.calls), 0)
        self.assertEqual(len(counted), len([r for r in rows if r["process_name"] != "strace"]))
        for key in sorted(set(counted) | set(truth.calls) | set(truth.unknown)):
            row = counted.get(key)
            self.assertIsNotNone(row, key)
            self.check_row(key, row, truth)

    def check_row(self, key, row, truth):
        unknown = truth.unknown[key]
        with self.subTest(key):
            self.assertEqual(row["calls"] + row["open"], truth.calls[key] + unknown)
            self.assertGreaterEqual(row["calls"], truth.calls[key])
            errors = collections.Counter(row["error_counts"])
            self.assertEqual(errors.total(), row["errors"])
            seen = collections.Counter({e: n for (*k, e), n in truth.errors.items() if (*k,) == key})
            more = errors - seen
            self.assertFalse(seen - errors, errors)
            # Interrupted by the end of the thread: strace does not see how.
            self.assertLessEqual(more.total(), unknown)
            self.assertLessEqual(set(more), {"ERESTARTSYS", "ERESTART_RESTARTBLOCK", "EINTR"})
            if key[1] not in strace.NO_BYTES:
                self.assertEqual(row["bytes"], truth.bytes[key])
            self.assertEqual(sum(n for _, n in row["histogram"]), row["calls"])
            self.assertLessEqual(row["blocked"], row["calls"])
            self.assertLessEqual(row["blocked_ns"], row["time_ns"])


class AsStrace(Syscalls):
    """The same run, seen by both."""

    def test_every_call(self):
        result, truth = self.traced([DRIVER, "every"])
        self.check(result, truth)
        seen = {row["call"] for row in result["rows"]}
        self.assertEqual(seen, {*strace.ON_SOCKETS, *strace.WAITS, *strace.OTHERS})
        rows = [row for row in result["rows"] if row["process_name"] == "calls_driver"]
        self.assertEqual(len({row["thread"] for row in rows}), 2)
        self.assertEqual({row["process"] for row in rows}, {min(truth.threads())})
        # What does not depend on strace's view: two threads, 70 + 3 * 100 + 3 * 100 bytes each ...
        self.assertEqual(total(rows, "bytes", call="sendto"), 2 * 70)
        self.assertEqual(total(rows, "bytes", call="sendmmsg"), 2 * 300)
        self.assertEqual(total(rows, "bytes", call="recvmmsg"), 2 * 300)
        for row in rows:
            if row["call"] == "connect":
                self.assertEqual((row["calls"], row["error_counts"]), (5, {"ECONNREFUSED": 3}))
            if row["call"] == "recvfrom":
                self.assertEqual(row["error_counts"], {"EAGAIN": 4})
            if row["call"] == "pread64":
                self.assertEqual((row["calls"], row["error_counts"]), (1, {"ESPIPE": 1}))
            if row["call"] == "close":
                self.assertEqual((row["calls"], row["errors"]), (8, 0))
            self.assertEqual(row["kind"], "wait" if row["call"] in strace.WAITS else
                             "io_uring" if row["call"] in strace.OTHERS else "network")

    def server(self, argv, port, plan):
        """A server that gets these requests, and then SIGTERM."""

        def drive(counting):
            counting.process.wait_listening(port)
            clients.send_plan(port, plan)
            clients.send_plan(port, plan[:20], keep_alive=False)
            os.kill(self.first_of(counting), signal.SIGTERM)

        return self.traced(argv, drive)

    def first_of(self, counting):
        """The traced program: the child of strace."""
        tracer = pathlib.Path(f"/proc/{counting.process.pid}/task/{counting.process.pid}/children")
        tracer = tracer.read_text().split()[0]
        child = pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()
        return int(child[0])

    def test_nginx(self):
        case = self

        class Configured(servers.Nginx):
            """Its configuration only."""

            def __init__(self):
                self.case, self.host, self.port = case, "127.0.0.1", harness.free_port()
                self.dir = case.scratch("nginx")
                self.dir.mkdir(mode=0o777)
                self.dir.chmod(0o777)
                (self.dir / "www").mkdir()
                self.knobs = {"WORKERS": 1}

        harness.need("nginx")
        server = Configured()
        server.www("file", 300000)
        argv = server.command()[0]
        plan = clients.make_plan(3, 200) + [("GET", "/www/file")] * 20
        result, truth = self.server(argv, server.port, plan)
        self.check(result, truth)
        rows = result["rows"]
        self.assertGreaterEqual(total(rows, call="recvfrom"), 240)
        self.assertGreaterEqual(total(rows, "bytes", call="sendfile"), 20 * 300000)
        accepted = total(rows, call="accept4") - total(rows, "errors", call="accept4")
        self.assertGreaterEqual(accepted, 21)
        # The log and the file are no sockets.
        self.assertEqual(total(rows, call="pread64"), 0)

    def test_threaded_python(self):
        port = harness.free_port()
        argv = ["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port, self.scratch("log")]
        result, truth = self.server(argv, port, clients.make_plan(4, 100))
        self.check(result, truth)
        threads = {row["thread"] for row in result["rows"] if row["call"] == "sendto"}
        self.assertGreaterEqual(len(threads), 21)

    def test_go(self):
        harness.need("go")
        server = servers.Go(self)  # builds it
        binary, port = server.argv[0], harness.free_port()
        server.stop()
        argv = [binary, "127.0.0.1", port, self.scratch("log")]
        result, truth = self.server(argv, port, clients.make_plan(5, 200))
        self.check(result, truth)
        self.assertGreater(total(result["rows"], "errors", call="read"), 0)
        self.assertGreater(len({row["thread"] for row in result["rows"]}), 1)


class Counts(Syscalls):
    """Without strace: what a driver is known to do."""

    def test_other_cgroups(self):
        own, other = self.cgroup(), self.cgroup()
        below = own.path / "below"
        below.mkdir()
        counting = Counting(self, "--cgroup", own)
        for cgroup, count in ((own, 10), (other, 1000), (below, 200)):
            driver = self.spawn([DRIVER, "threads", "2", str(count)], cgroup=cgroup)
            self.assertEqual(driver.wait(), 0)
        rows = counting.stop()["rows"]
        self.assertEqual(total(rows, call="sendto"), 2 * 210)
        self.assertEqual(total(rows, call="recvfrom"), 2 * 210)
        self.assertEqual(total(rows, call="close"), 8)
        self.assertEqual({row["process_name"] for row in rows}, {"calls_driver"})

    def test_a_running_process(self):
        """--pid: its cgroup. The call in which it waits at the beginning is not counted."""
        cgroup = self.cgroup()
        server = servers.Scripted(self, cgroup=cgroup)
        counting = Counting(self, "--pid", str(server.process.pid), "--by=process")
        clients.send_plan(server.port, [("GET", "/hello")] * 30, keep_alive=False)
        rows = counting.stop()["rows"]
        accepted = [row for row in rows if row["call"] == "accept4"]
        self.assertEqual([(row["calls"], row["open"]) for row in accepted], [(29, 1)])
        self.assertEqual({row["process"] for row in rows}, {server.process.pid})

    def test_rows_beyond_the_cap(self):
        result = self.run_all(DRIVER, "threads", "40", "50", args=["--row-cap=7"])
        rows = result["rows"]
        for call, count in (("sendto", 2000), ("recvfrom", 2000), ("close", 80)):
            self.assertEqual(total(rows, call=call), count, call)
        self.assertEqual(total(rows, "bytes", call="sendto"), 2000)
        others = [row for row in rows if row["process_name"] == "_OTHER"]
        self.assertEqual(len(rows) - len(others), 7)
        self.assertEqual({(row["process"], row["thread"], row["open"]) for row in others},
                         {(None, None, None)})
        self.assertEqual(result["lost"], 0)

    def test_by_process(self):
        script = f"{DRIVER} threads 3 10; {DRIVER} threads 2 5; {DRIVER} every"
        rows = self.run_all("sh", "-c", script, args=["--by=process"])["rows"]
        self.assertTrue(all("thread" not in row for row in rows))
        sent = sorted(row["calls"] for row in rows if row["call"] == "sendto")
        self.assertEqual(sent, [2, 10, 30])
        refused = [row for row in rows if row["call"] == "connect"]
        self.assertEqual([(row["calls"], row["error_counts"]) for row in refused],
                         [(10, {"ECONNREFUSED": 6})])

    def test_blocked_and_open(self):
        cgroup = self.cgroup()
        counting = Counting(self, "--cgroup", cgroup)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            driver = self.spawn([DRIVER, "block", "300"], cgroup=cgroup, stdin=theirs)
            harness.wait_for("the byte", lambda: "waited" in driver.text())
            rows = {row["call"]: row for row in counting.stop()["rows"]}
        received = rows["recvfrom"]
        self.assertEqual((received["calls"], received["blocked"], received["bytes"]), (1, 1, 1))
        self.assertEqual(received["blocked_ns"], received["time_ns"])
        for figure in ("time_ns", "max_ns", "p50_ns", "p99_ns"):
            self.assertGreater(received[figure], 250e6, figure)
            self.assertLess(received[figure], 5e9, figure)
        accepting = rows["accept"]
        self.assertEqual((accepting["calls"], accepting["open"]), (0, 1))
        self.assertGreater(accepting["open_ns"], 250e6)
        self.assertIsNone(accepting["p50_ns"])

    def test_names_of_strangers(self):
        name = "\x1b[2J\"\\\xff"
        argv = [DRIVER, "names", name.encode("latin-1")]
        out = harness.run([harness.BINARY, "syscalls", "--", *(os.fsdecode(a) for a in argv)])
        self.assertIn("?[2J\"\\?", out.stdout)
        self.assertNotIn("\x1b", out.stdout)
        result = harness.run([harness.BINARY, "syscalls", "--format=ndjson", "--", *(
            os.fsdecode(a) for a in argv)])
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual({row["thread_name"] for row in rows[:-1]}, {'\\x1b[2J"\\\\\\xff'})
        self.assertEqual({row["process_name"] for row in rows[:-1]}, {'\\x1b[2J"\\\\\\xff'})
        self.assertIn("seconds", rows[-1])

    def test_table(self):
        out = harness.run([harness.BINARY, "syscalls", "--sort=calls", "--", DRIVER, "every"])
        lines = out.stdout.splitlines()
        self.assertRegex(lines[0], r"^ \d+ network system calls in [\d.]+ s: .* that blocked$")
        self.assertEqual(lines[2].split(), "PROCESS THREAD NAME CALL CALLS ERRORS BYTES TIME "
                                           "BLOCKED P50 P99 MAX".split())
        calls = [int(line.split()[4]) for line in lines[3:lines.index("", 3)]]
        self.assertEqual(calls, sorted(calls, reverse=True))
        parts = [line for line in lines if line.startswith(" ") and not line.startswith("  ")]
        self.assertEqual(len(parts), 3)
        self.assertRegex(parts[1], r"^ 14 waits in ")
        self.assertRegex(parts[2], r"^ 2 calls of io_uring in ")
        self.assertRegex(out.stdout, r"(?m) connect +5 +3 +- .* ECONNREFUSED:3$")
        self.assertEqual(len(out.stderr.splitlines()), 1, out.stderr)
        self.assertRegex(out.stderr, r"every system call of this node passes a filter meanwhile, "
                                     r"which takes \d+ ns")

    @unittest.skipUnless(platform.machine() == "x86_64", "needs 32-bit calls")
    def test_programs_of_32_bits(self):
        if harness.run([DRIVER, "32bit"], check=False).returncode == 77:
            self.skipTest("this kernel has no entry for 32-bit programs")
        result = self.run_all(DRIVER, "32bit")
        self.assertEqual(result["calls_of_32bit_programs"], 30)
        self.assertEqual(result["rows"], [])


class Life(Syscalls):
    """When it is loaded, and by whom."""

    def test_gone_after_its_end(self):
        cgroup = self.cgroup()
        for end in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            counting = Counting(self, "--cgroup", cgroup)
            held = loaded_by(counting.process.pid)
            self.assertEqual(sorted(held.values()), sorted(PROGRAMS))
            counting.process.send(end)
            self.assertEqual(counting.process.wait(), -9 if end == signal.SIGKILL else 0)
            harness.wait_for("no program", lambda: not set(held) & observer.programs())

    def test_run_does_not_load_it(self):
        sidelight = observer.Sidelight(self, cgroup=self.cgroup())
        self.assertEqual(loaded_by(sidelight.process.pid, sidelight.worker), {})

    def test_ends_by_itself(self):
        begin = time.monotonic()
        result = Counting(self, "--cgroup", self.cgroup(), "--for=300ms").result()
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(result["rows"], [])
        self.assertGreaterEqual(result["seconds"], 0.3)
        # CMD gets SIGTERM then.
        counting = Counting(self, "--for=300ms", "--", "sleep", "60")
        counting.result()

    def test_status_of_the_command(self):
        self.run_all("sh", "-c", "exit 7", status=7)
        done = harness.run([harness.BINARY, "syscalls", "--", "/nonexistent"], check=False)
        self.assertEqual(done.returncode, 127)
        self.assertIn("/nonexistent", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_nothing_before_the_command(self):
        """The child that waits to be let go is ours, and its calls are not counted."""
        self.assertEqual(self.run_all("true")["rows"], [])


class Privileges(Syscalls):
    def setUp(self):
        super().setUp()
        harness.need("setpriv")

    def test_with_the_four_of_the_sidecar(self):
        cgroup = self.cgroup()
        counting = Counting(self, "--cgroup", cgroup, before=having(*CAPABILITIES))
        held = harness.status_at_rest(counting.process.pid)
        self.assertEqual(int(held["CapPrm"], 16), sum(1 << n for n in CAPABILITIES.values()))
        self.assertEqual(self.spawn([DRIVER, "threads", "1", "5"], cgroup=cgroup).wait(), 0)
        self.assertEqual(total(counting.stop()["rows"], call="sendto"), 5)

    def test_none_while_it_prints(self):
        """Names of processes are formatted by a process that holds nothing."""
        cgroup = self.cgroup()
        fifo = self.scratch("fifo")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        argv = [harness.BINARY, "syscalls", "--format=json", "--cgroup", cgroup]
        process = self.spawn(["sh", "-c", 'exec "$@" >"$0"', fifo, *argv])
        harness.wait_for("it to count", lambda: "syscalls: counting" in process.text())
        # More than a pipe holds: it waits within its output.
        self.assertEqual(self.spawn([DRIVER, "threads", "300", "1"], cgroup=cgroup).wait(), 0)
        process.send(signal.SIGINT)
        first = os.read(reader, 1)
        held = harness.status_of(process.pid)
        for name in ("CapPrm", "CapEff", "CapInh"):
            self.assertEqual(int(held[name], 16), 0, name)
        with os.fdopen(reader, "rb") as rest:
            rows = json.loads(first + rest.read())["rows"]
        self.assertEqual(total(rows, call="sendto"), 300)
        self.assertEqual(process.wait(), 0)

    def test_each_is_needed(self):
        for missing in ("BPF", "PERFMON"):
            held = [name for name in CAPABILITIES if name != missing]
            done = harness.run([*having(*held), harness.BINARY, "syscalls", "--cgroup",
                                self.cgroup()], check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"CAP_{missing} is needed and missing", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class BadUse(harness.Case):
    def test_is_one_line(self):
        for args, part in (
            (["--pid", "4194304"], "there is no process"),
            (["--cgroup", "/nonexistent"], "cannot open /nonexistent"),
            (["--cgroup", "/tmp"], "not on a cgroup v2"),
            (["--cgroup", "/x", "--pid", "1"], "more than one thing"),
            (["--"], "sidelight syscalls -- CMD"),
            (["nginx"], "sidelight syscalls -- nginx"),
            (["--for", "2h"], "1h"),
            (["--by", "colour"], "thread|process"),
            (["--sort", "colour"], "time|calls|errors|bytes|blocked|p99|max|process"),
            (["--row-cap", "0"], "--row-cap"),
            (["--push", "http://gw"], "not an option of \"sidelight syscalls\""),
            ([], "nothing to watch"),
        ):
            with self.subTest(args):
                done = harness.run([harness.BINARY, "syscalls", *args], check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(part, done.stderr)


if __name__ == "__main__":
    harness.main()
