#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""Tests give the same results whoever starts them, and however."""
import os
import signal
import subprocess
import sys

import harness

# Signals 32 and 33 cannot be set by a program: signal(7), "Real-time signals".
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
RUN = harness.ROOT / "tests/run"
STARTERS = {
    "nohup": "trap '' INT HUP; ",
    "everything is ignored": "trap '' INT HUP QUIT TERM USR1 USR2 CHLD; ",
    "a private umask": "umask 077; ",
    "another terminal and locale": "export TERM=xterm LC_ALL=tr_TR.UTF-8 LANG=C COLUMNS=20; ",
    "variables of sidelight": "export SIDELIGHT_PUSH=nowhere SIDELIGHT_CONN_CAP=no; ",
}


class Callers(harness.Case):
    def start(self, prepare, *command):
        return harness.run(["sh", "-c", prepare + 'exec "$@"', "sh", *command], check=False,
                           seconds=120)

    def test_what_a_test_inherits(self):
        """As seen by a program that tests/neutral.py starts."""
        script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; umask; echo $TERM $LC_ALL $LANG; env"
        for why, prepare in {"plain": "", **STARTERS}.items():
            with self.subTest(why):
                done = self.start(prepare, harness.ROOT / "tests/neutral.py", "sh", "-c", script)
                lines = done.stdout.splitlines()
                ignored = int(lines[1].removeprefix("SigIgn:"), 16) & ~OF_THE_C_LIBRARY
                self.assertEqual([lines[0], ignored, *lines[2:4]],
                                 ["SigBlk:\t" + "0" * 16, 0, "0022", "dumb C.UTF-8"], done.stderr)
                self.assertEqual([line for line in lines if line.startswith("SIDELIGHT_")], [])

    def test_blocked_signals(self):
        blocked = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            done = self.start("", harness.ROOT / "tests/neutral.py", "grep", "SigBlk",
                              "/proc/self/status")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.assertEqual(done.stdout.split()[1], "0" * 16)

    def test_the_signals_of_a_command(self):
        """Those that failed under nohup: by tests/run, and started alone."""
        unit = harness.ROOT / "build/tests/unit/test_spawn"
        case = [sys.executable, harness.ROOT / "tests/e2e/test_commands.py",
                "RunCommand.test_signals_are_passed_on"]
        for why, prepare in STARTERS.items():
            for command in ([RUN, unit], case):
                with self.subTest(why, command=os.path.basename(command[1])):
                    done = self.start(prepare, *command)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_ports_are_given_once(self):
        """Also among tests that run at the same time."""
        script = ("import sys; sys.path.insert(0, sys.argv[1]); import harness\n"
                  "print(*(harness.free_port() for _ in range(300)), flush=True)\n"
                  "sys.stdin.read()")
        others = [subprocess.Popen([sys.executable, "-c", script, harness.ROOT / "tests/e2e"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                  for _ in range(3)]
        ports = [port for other in others for port in other.stdout.readline().split()]
        for other in others:
            other.communicate("")
        self.assertEqual(len(ports), 900)
        self.assertEqual(len(set(ports)), 900)


if __name__ == "__main__":
    harness.main()
