#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Privilege separation: the process that reads what strangers send holds no
capability, and one that was taken over gets nowhere.
"""
# tests/run: shares the machine
import contextlib
import os
import pathlib
import signal

import clients
import gateway
import harness
import servers
from observer import Sidelight, worker_of

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "takeover_driver"
CAPABILITIES = {"BPF": 39, "NET_ADMIN": 12, "PERFMON": 38, "SYS_PTRACE": 19,
                "DAC_READ_SEARCH": 2}
NONE = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Processes(harness.Case):
    """What the two processes of `sidelight run` hold while they work."""

    def check_worker(self, pid):
        held = harness.status_of(pid)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(held[name], 16), 0, name)
        self.assertEqual(held["NoNewPrivs"], "1")
        self.assertEqual(held["Seccomp"], "2")

    def command_and_worker(self, process, name):
        """Their pids, once CMD is executed."""

        def event():
            for pid in children(process.pid):
                with contextlib.suppress(OSError):  # a search of a file has just ended
                    if harness.status_of(pid)["Name"] == name:
                        return pid, worker_of(process.pid)
            return None

        return harness.wait_for("CMD", event)

    def test_of_a_cgroup(self):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        worker = sidelight.worker
        self.check_worker(worker)
        held = harness.status_at_rest(sidelight.process.pid)
        self.assertEqual(int(held["CapPrm"], 16), sum(1 << n for n in CAPABILITIES.values()))
        clients.send_plan(server.port, [("GET", "/hello")] * 50)
        sidelight.assert_counted(server.expected(50), server.port)

    def test_of_a_command(self):
        process = self.spawn([harness.BINARY, "run", "--", "sleep", "60"])
        command, worker = self.command_and_worker(process, "sleep")
        self.check_worker(worker)
        self.assertEqual(harness.status_of(command)["Seccomp"], "0")
        self.assertEqual(harness.status_of(command)["CapPrm"], harness.status_of(os.getpid())["CapPrm"])
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)

    def test_a_worker_that_is_killed(self):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        worker = sidelight.worker
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(sidelight.process.wait(), 1)
        self.assertIn("was ended by signal 9; nothing is watched any more", sidelight.process.text())

    def test_a_worker_of_a_command_that_is_killed(self):
        process = self.spawn([harness.BINARY, "run", "--", "sh", "-c", "sleep 1; exit 7"])
        _, worker = self.command_and_worker(process, "sh")
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(process.wait(), 7, process.text())

    def test_a_broker_that_is_killed(self):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        worker = sidelight.worker
        sidelight.process.send(signal.SIGKILL)
        harness.wait_for("the worker to end", lambda: not harness.is_alive(worker))


class Names(harness.Case):
    def test_push_to_a_name(self):
        """In its sandbox the worker still resolves names, which takes a thread and files."""
        pushed = gateway.Pushgateway(self)
        hosts = self.scratch("hosts")
        hosts.write_text("127.0.0.1 gateway.test\n")
        Sidelight(
            self, "--push", f"http://gateway.test:{pushed.port}", "--push-interval", "1",
            cgroup=self.cgroup(),
            before=["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts],
        )
        harness.wait_for("a push", lambda: len(pushed.groups()) == 1)


class TakenOver(harness.Case):
    """takeover_driver.c: what it attempts, and what becomes of it."""

    def setUp(self):
        super().setUp()
        harness.need("setpriv")
        # The weakest that there is: of our own user, without any capability.
        self.victim = self.spawn([*NONE, "sleep", "300"])

    def attempt(self, name):
        process = self.spawn([DRIVER, self.cgroup(), name, self.victim.pid])
        result = process.wait(), process.text()
        self.assertTrue(self.victim.is_running())
        return result

    def assert_refused(self, name):
        code, text = self.attempt(name)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, "refused: (Operation not permitted|Permission denied)")

    def assert_fatal(self, name, *, because="was ended by signal 31"):
        code, text = self.attempt(name)
        # It may have ended by itself before it was killed.
        self.assertIn(code, (0, 1) if "killed" in because else (1,), text)
        self.assertIn(because, text)

    def test_what_ends_it(self):
        for name in ("load", "perf", "trace", "read-memory", "exec", "unshare", "mount"):
            with self.subTest(name):
                self.assert_fatal(name)

    def test_what_is_refused(self):
        for name in (
            "kill", "kill-broker", "descriptor-signal", "fork", "uring", "unix", "packet", "raw", "dumpable",
            "make-executable", "map-executable", "memory-of-broker",
            "proc-environ", "proc-mem", "proc-maps", "proc-root/etc/passwd", "proc-cmdline",
            "read-/etc/shadow", "read-/root", "write-/tmp/sidelight-takeover", "write-/dev/null",
        ):
            with self.subTest(name):
                self.assert_refused(name)

    def test_what_the_broker_takes_no_more_of(self):
        self.assert_fatal("nonsense", because="sent what it may not; it is killed")
        self.assert_fatal("broker-word", because="sent what it may not; it is killed")

    def test_who_lets_go_and_lives_on(self):
        self.assert_fatal("let-go", because="does not end; it is killed")

    def test_who_does_not_read(self):
        self.assert_fatal("deaf", because="does not read its messages; it is killed")

    def test_all_that_the_channel_allows(self):
        self.assert_refused("busy")


if __name__ == "__main__":
    harness.main()
