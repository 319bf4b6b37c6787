#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
System calls as metrics of a running sidecar: equal to strace(1), only while they are wanted, and
only where they are allowed.
"""
import collections
import json
import pathlib
import re

import harness
import observer
import strace

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "calls_driver"
PROGRAMS = ("sl_sys_enter", "sl_exit_reads")
COUNT = "sidelight_syscall_duration_seconds_count"
BYTES = "sidelight_syscall_bytes_total"
ERRORS = "sidelight_syscall_errors_total"
BLOCKED = "sidelight_syscall_blocked_seconds_total"
ON = "sidelight_syscalls_counted"


class Counted(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("strace", "bpftool")
        self.watched = self.cgroup()
        self.podinfo = self.scratch("podinfo")
        self.podinfo.mkdir()

    def observe(self, *args, **more):
        self.sidelight = observer.Sidelight(self, "--podinfo", self.podinfo, *args,
                                            cgroup=self.watched, **more)

    def annotate(self, **values):
        new = self.podinfo / "annotations.new"
        new.write_text("".join(f'sidelight.dev/{k}="{v}"\n' for k, v in values.items()))
        new.rename(self.podinfo / "annotations")

    def wait_says(self, text, count=1):
        harness.wait_for(text, lambda: self.sidelight.process.text().count(text) >= count)

    def drive(self):
        """Every call, in the cgroup, traced from outside of it; returns the truth."""
        log = self.scratch("strace")
        move = f'echo $$ >{self.watched}/cgroup.procs; exec "$0" every'
        process = self.spawn(strace.command(log, ["sh", "-c", move, DRIVER]))
        self.assertEqual(process.wait(60), 0, process.text())
        return strace.Truth(log.read_text())

    def sums(self, name, *labels):
        found = collections.Counter()
        for have, value in self.sidelight.scrape().each(name):
            found[tuple(have.get(label, "") for label in labels)] += value
        return +found

    def check(self, *truths):
        calls, unknown = collections.Counter(), collections.Counter()
        errors, moved = collections.Counter(), collections.Counter()
        for truth in truths:
            for (_, call), n in truth.calls.items():
                calls[call,] += n
            for (_, call), n in truth.unknown.items():
                unknown[call,] += n
            for (_, call, error), n in truth.errors.items():
                errors[call, error] += n
            for (_, call), n in truth.bytes.items():
                if call not in strace.NO_BYTES:
                    moved[call,] += n
        counted = self.sums(COUNT, "syscall")
        for call in set(counted) | set(calls):
            with self.subTest(call):
                self.assertGreaterEqual(counted[call], calls[call])
                self.assertLessEqual(counted[call], calls[call] + unknown[call])
        more = self.sums(ERRORS, "syscall", "errno") - errors
        self.assertFalse(errors - self.sums(ERRORS, "syscall", "errno"))
        self.assertLessEqual(more.total(), unknown.total())
        got = self.sums(BYTES, "syscall")
        self.assertEqual({c: got[c] for c in moved}, {c: moved[c] for c in moved})
        self.assertEqual(self.sidelight.scrape().sum("sidelight_syscalls_lost_total"), 0)
        self.assertGreater(calls.total(), 90)

    def programs(self):
        """Ours, that the broker holds."""
        held = set()
        for info in pathlib.Path(f"/proc/{self.sidelight.process.pid}/fdinfo").iterdir():
            held |= set(map(int, re.findall(r"(?m)^prog_id:\s+(\d+)", info.read_text())))
        shown = json.loads(harness.run(["bpftool", "-j", "prog", "show"]).stdout or "[]")
        return {p["name"] for p in shown if p["id"] in held and p.get("name") in PROGRAMS}

    def test_equal_to_strace(self):
        self.observe("--syscalls", "on")
        self.wait_says("run: counting system calls; every system call of this node passes")
        self.check(self.drive())
        page = self.sidelight.scrape()
        self.assertEqual(page.sum(ON), 1)
        self.assertLess(page.sum("sidelight_syscall_filter_seconds", calls="all"), 1e-5)
        # The driver sleeps in calls: what is blocked is part of all time, and most of it.
        blocked = page.sum(BLOCKED)
        self.assertGreater(blocked, 0)
        self.assertLessEqual(blocked, page.sum("sidelight_syscall_duration_seconds_sum"))

    def test_control_socket(self):
        """The sums of /syscalls are those of the metrics."""
        path = self.dir / "control.sock"
        self.observe("--control", path, env={"SIDELIGHT_SYSCALLS": "on"})
        ask = ["curl", "-sg", "--unix-socket", path, "http://x/syscalls"]
        self.wait_says("counting system calls")
        self.drive()
        answer = json.loads(harness.run(ask).stdout)
        self.assertTrue(answer["counted"])
        got = {(c["container"], c["call"]): c for c in answer["calls"]}
        self.assertEqual(len(got), len(answer["calls"]))
        self.assertEqual({key: c["calls"] for key, c in got.items()},
                         dict(self.sums(COUNT, "container", "syscall")))
        self.assertEqual({key: c["bytes"] for key, c in got.items() if c["bytes"]},
                         dict(self.sums(BYTES, "container", "syscall")))
        self.annotate(syscalls="off")
        self.wait_says("system calls are not counted any more")
        self.assertEqual(json.loads(harness.run(ask).stdout), {"counted": False, "calls": []})

    def test_only_the_cgroup(self):
        self.observe("--syscalls", "on")
        self.wait_says("counting system calls")
        harness.run([DRIVER, "every"])
        self.assertEqual(self.sums(COUNT, "syscall"), {})

    def test_live(self):
        """Loaded while an annotation wants it; counters go on when it begins again."""
        self.observe()
        self.assertEqual(self.programs(), set())
        self.assertNotIn("sidelight_syscall", self.sidelight.scrape().text)
        self.annotate(syscalls="on")
        self.wait_says("counting system calls")
        self.assertEqual(self.programs(), set(PROGRAMS))
        first = self.drive()
        self.check(first)
        self.annotate()
        self.wait_says("system calls are not counted any more")
        self.assertEqual(self.programs(), set())
        self.drive()  # seen by nobody
        self.check(first)
        self.assertEqual(self.sidelight.scrape().sum(ON), 0)
        self.annotate(syscalls="on")
        self.wait_says("counting system calls", 2)
        self.check(first, self.drive())
        self.annotate(syscalls="often")
        self.wait_says("annotation sidelight.dev/syscalls: ")
        self.wait_says("system calls are not counted any more", 2)

    def test_last_calls(self):
        """What was counted since the last scrape is in the series when the annotation goes."""
        self.observe(env={"SIDELIGHT_SYSCALLS": "on"})
        self.wait_says("counting system calls")
        truth = self.drive()
        self.annotate(syscalls="off")
        self.wait_says("system calls are not counted any more")
        self.check(truth)

    def test_flag_wins(self):
        self.annotate(syscalls="off")
        self.observe("--syscalls", "on")
        self.wait_says("counting system calls")

    def test_forbidden(self):
        self.annotate(syscalls="on")
        self.observe("--syscall-counting", "forbidden")
        self.wait_says("annotation sidelight.dev/syscalls: it is forbidden here; ignored")
        self.drive()
        self.assertEqual(self.programs(), set())
        self.assertNotIn("sidelight_syscall", self.sidelight.scrape().text)

    def test_forbidden_to_the_command_line(self):
        self.observe("--syscall-counting", "forbidden", "--syscalls", "on")
        self.drive()
        self.assertEqual(self.programs(), set())

    def test_detached_with_the_sidecar(self):
        self.observe("--syscalls", "on")
        self.wait_says("counting system calls")
        self.sidelight.stop()
        shown = json.loads(harness.run(["bpftool", "-j", "prog", "show"]).stdout or "[]")
        pids = {int(p["pid"]) for s in shown for p in s.get("pids", []) if s.get("name") in PROGRAMS}
        self.assertNotIn(self.sidelight.process.pid, pids)


if __name__ == "__main__":
    harness.main()
