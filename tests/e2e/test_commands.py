#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`run -- CMD` behaves like CMD, and bad use gets one line that says what to do.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import clients
import harness
from observer import Sidelight


def sidelight(*args, prefix=(), **more):
    return harness.run(
        [*prefix, more.pop("binary", harness.BINARY), *args], check=False, seconds=30, **more
    )


class RunCommand(harness.Case):
    """`sidelight run -- CMD ARG...`"""

    def test_exit_status_is_passed_through(self):
        for status in (0, 1, 7, 255):
            self.assertEqual(
                sidelight("run", "--", "sh", "-c", f"exit {status}").returncode, status
            )
        self.assertEqual(sidelight("run", "--", "sh", "-c", "kill -9 $$").returncode, 128 + 9)

    def test_command_that_cannot_be_started(self):
        done = sidelight("run", "--", "/nonexistent/command")
        self.assertEqual(done.returncode, 127)
        self.assertIn("/nonexistent/command", done.stderr)

    def test_waits_where_its_end_would_hold_up_the_pod(self):
        """As the injected container runs: bad values and failures end in a wait for SIGTERM."""
        for args, env, why in [(["--cgroup", "/nowhere"], {}, "cannot open /nowhere"),
                               ([], {"SIDELIGHT_CONN_CAP": "no"}, "SIDELIGHT_CONN_CAP")]:
            with self.subTest(why):
                waiting = self.spawn([harness.BINARY, "run", *args],
                                     env={"SIDELIGHT_ON_ERROR": "wait", **env})
                harness.wait_for("the reason", lambda: "waits for SIGTERM" in waiting.text())
                self.assertIn(why, waiting.text())
                self.assertTrue(waiting.is_running())
                waiting.send(signal.SIGTERM)
                self.assertEqual(waiting.wait(), 2)

        done = sidelight("run", "--on-error", "wait", "--", "sh", "-c", "exit 2")
        self.assertEqual(done.returncode, 2, "the status of the command is no error of ours")
        self.assertNotIn("nothing is watched", done.stderr)

    def test_bad_push_url_turns_off_pushing_only(self):
        """From the environment, where who wrote it does not see this; a flag ends it."""
        for url in ("gw", "http://gw:99999", "http://u:hunter2@gw?a=b", "http://[::1", "http://g w"):
            with self.subTest(url):
                done = sidelight("run", "--", "sh", "-c", "exit 7",
                                 env={**os.environ, "SIDELIGHT_PUSH": url})
                self.assertEqual(done.returncode, 7)
                said = [line for line in done.stderr.splitlines() if "SIDELIGHT_PUSH" in line]
                self.assertEqual(len(said), 1, done.stderr)
                self.assertIn("nothing is pushed", said[0])
                self.assertNotIn("hunter2", done.stderr)
                done = sidelight("run", "--push", url, "--", "true")
                self.assertEqual(done.returncode, 2)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_standard_descriptors_that_are_closed(self):
        """They stay closed for the command, and nothing else is taken for them."""
        probe = ("import os, sys\n"
                 "for fd in range(3):\n"
                 "    try: os.read(fd, 0) if fd == 0 else os.write(fd, b'')\n"
                 "    except OSError: continue\n"
                 "    sys.exit(10 + fd)\n"
                 "sys.exit(7)\n")
        for closed, status in (("0<&-", 11), ("1>&-", 10), ("2>&-", 10), ("0<&- 1>&- 2>&-", 7)):
            with self.subTest(closed):
                done = sidelight("run", "--", "python3", "-c", probe,
                                 prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
                self.assertEqual(done.returncode, status, done.stderr)

    def limited(self, option, *args, status=2, says="", **more):
        """One line, or none, and the status; never the end by a signal."""
        done = sidelight(*args, prefix=["prlimit", option], **more)
        with self.subTest(option, args=args):
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(says, done.stderr)
            if status == 2:
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_too_few_descriptors(self):
        for count in (4, 5, 6, 8, 10, 12, 14, 18, 28, 48, 64):
            for args in (["run", "--", "true"], ["run", "--cgroup", "/sys/fs/cgroup"], ["doctor"]):
                self.limited(f"--nofile={count}", *args, says="ulimit -n")
        waiting = self.spawn(["prlimit", "--nofile=12", harness.BINARY, "run", "--on-error", "wait"])
        harness.wait_for("the reason", lambda: "waits for SIGTERM" in waiting.text())
        self.assertIn("ulimit -n", waiting.text())
        waiting.send(signal.SIGTERM)
        self.assertEqual(waiting.wait(), 2)
        # Open descriptors count, too.
        inherit = "import os, sys\nfor _ in range(60): os.dup(0)\n"
        inherit += "for fd in os.listdir('/proc/self/fd'):\n"
        inherit += "    try: os.set_inheritable(int(fd), True)\n    except OSError: pass\n"
        inherit += "os.execvp(sys.argv[1], sys.argv[1:])\n"
        done = sidelight("run", "--", "true",
                         prefix=["prlimit", "--nofile=128", "python3", "-c", inherit])
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("80 are needed", done.stderr)

    def test_little_stack_or_address_space(self):
        for size in (64 << 10, 96 << 10, 128 << 10, 255 << 10):
            for args in (["run", "--", "true"], ["doctor"], ["replay", "/dev/null"]):
                self.limited(f"--stack={size}", *args, says="ulimit -s")
        for megabytes in range(20, 32):
            done = sidelight("run", "--", "true", prefix=["prlimit", f"--as={megabytes << 20}"])
            with self.subTest(megabytes=megabytes):
                # 127: the loader found no room for a library.
                self.assertIn(done.returncode, (0, 2, 127), done.stderr)
                # Both processes may find that there is no memory, each with a line.
                if done.returncode == 2:
                    self.assertIn(len(done.stderr.splitlines()), (1, 2), done.stderr)

    def test_limits_that_do_no_harm(self):
        """A log file that may not grow, locked memory, processes: the command runs as it would."""
        for option in ("--memlock=0", "--fsize=0", "--nproc=1", "--sigpending=0"):
            self.limited(option, "run", "--", "sh", "-c", "exit 7", status=7)
        with open(self.scratch("log"), "wb") as log:
            done = subprocess.run(
                ["prlimit", "--fsize=0", harness.BINARY, "run", "--log-level", "debug", "--summary",
                 "--", "sh", "-c", "exit 7"], stderr=log, timeout=30, check=False)
        self.assertEqual(done.returncode, 7)
        with open(self.scratch("out"), "wb") as out:
            done = subprocess.run(["prlimit", "--fsize=0", harness.BINARY, "doctor"], stdout=out,
                                  stderr=subprocess.PIPE, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1), done.stderr)

    def test_output_and_arguments_are_untouched(self):
        done = sidelight("run", "--", "printf", "%s|", "a b", "--help", "")
        self.assertEqual(done.stdout, "a b|--help||")

    def test_signals_are_passed_on(self):
        for name, number in (
            ("TERM", signal.SIGTERM),
            ("INT", signal.SIGINT),
            ("HUP", signal.SIGHUP),
        ):
            script = f"trap 'exit 5' {name}; echo ready; while :; do sleep 0.05; done"
            process = self.spawn([harness.BINARY, "run", "--", "sh", "-c", script])
            harness.wait_for("the command to run", lambda: "ready" in process.text())
            process.send(number)
            self.assertEqual(process.wait(5), 5, f"SIG{name}: {process.text()}")

    def test_first_process_of_a_container(self):
        """As PID 1 it reaps orphans, and passes on what a runtime or a supervisor sends."""
        signals = ("SIGUSR1", "SIGQUIT", "SIGWINCH", "SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGURG")
        script = (
            "import signal, subprocess, time\n"
            f"for s in {signals}:\n"
            "    signal.signal(getattr(signal, s), lambda n, f: print('got', n, flush=True))\n"
            "for i in range(5): subprocess.run(['sh', '-c', 'true & exit 0'])\n"
            "print('up', flush=True)\n"
            "while True: time.sleep(1)\n"
        )
        process = self.spawn(["unshare", "-pf", "--mount-proc", "--kill-child", harness.BINARY,
                              "run", "--", "python3", "-c", script])
        harness.wait_for("the command", lambda: "up" in process.text())
        first = self.children_of(process.pid)[0]
        harness.wait_for("orphans to be reaped", lambda: len(self.children_of(first)) == 2)
        for name in signals:
            number = getattr(signal, name)
            os.kill(first, number)
            harness.wait_for(name, lambda: f"got {int(number)}\n" in process.text(), 5)
        os.kill(first, signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)

    def children_of(self, pid):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]

    def test_time_that_is_over(self):
        """--for ends the run with status 0, whatever the command and what it started do."""
        stubborn = "trap '' TERM; while :; do sleep 1000; done"
        for why, script in (
            ("ends by SIGTERM", "exec sleep 1000"),
            ("does not listen", stubborn),
            ("a daemon that does not listen", f'setsid sh -c "{stubborn}" & exec sleep 1000'),
        ):
            with self.subTest(why):
                done = sidelight("run", "--for", "0.5", "--", "sh", "-c",
                                 f"cat /proc/self/cgroup > {self.dir}/cgroup; {script}")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertFalse(self.cgroup_of((self.dir / "cgroup").read_text()).exists())
        done = sidelight("run", "--for", "1", "--", "sh", "-c", "setsid sleep 1000 & exit 3")
        self.assertEqual(done.returncode, 3, "the command had ended before")

    def test_red_table_and_nothing_left(self):
        port, log = harness.free_port(), self.dir / "log"
        process = self.spawn(
            [
                harness.BINARY,
                "run",
                "--",
                "sh",
                "-c",
                f"cat /proc/self/cgroup > {self.dir}/cgroup; echo $$ > {self.dir}/pid; "
                f"exec python3 {harness.SERVERS}/pyhttp.py 127.0.0.1 {port} {log}",
            ]
        )
        process.wait_listening(port)
        plan = [("GET", "/users/1")] * 40 + [("POST", "/made")] * 7 + [("GET", "/gateway")] * 3
        clients.send_plan(port, plan)
        cgroup = self.cgroup_of((self.dir / "cgroup").read_text())
        pid = int((self.dir / "pid").read_text())
        self.assertTrue(cgroup.is_dir())
        process.send(signal.SIGTERM)
        process.wait(5)
        rows = {
            tuple(line.split()[:2]): line for line in process.text().splitlines() if line.split()
        }
        for row, count in (
            (("GET", "/users/{id}"), "40"),
            (("POST", "/made"), "7"),
            (("GET", "/gateway"), "3"),
        ):
            self.assertIn(row, rows, process.text())
            self.assertIn(count, rows[row].split(), process.text())
        self.assertFalse(cgroup.exists(), "the cgroup is still there")
        self.assertFalse(harness.is_alive(pid), "the command is still there")

    def cgroup_of(self, text):
        own = next(line[3:] for line in text.splitlines() if line.startswith("0::"))
        root = harness.cgroup2_root()
        return root / os.path.relpath(own, "/" + os.path.relpath(root, self.mount()))

    def mount(self):
        done = harness.run(["findmnt", "-nro", "TARGET", "-t", "cgroup2"])
        return done.stdout.split()[0]

    def test_what_the_command_left_running_is_ended(self):
        done = sidelight(
            "run",
            "--",
            "sh",
            "-c",
            f"cat /proc/self/cgroup > {self.dir}/cgroup; sleep 1000 & echo $!; exit 3",
        )
        self.assertEqual(done.returncode, 3, done.stderr)
        pid = int(done.stdout.split()[0])
        self.assertFalse(harness.is_alive(pid), "a child of the command is still there")
        self.assertFalse(self.cgroup_of((self.dir / "cgroup").read_text()).exists())

    def test_killed_observer_leaves_the_command_running(self):
        port = harness.free_port()
        process = self.spawn(
            [
                harness.BINARY,
                "run",
                "--",
                "sh",
                "-c",
                f"echo $$ > {self.dir}/pid; "
                f"exec python3 {harness.SERVERS}/pyhttp.py 127.0.0.1 {port} {self.dir}/log",
            ]
        )
        process.wait_listening(port)
        pid = int((self.dir / "pid").read_text())
        group = self.cgroup_of(pathlib.Path(f"/proc/{pid}/cgroup").read_text())
        process.stop(signal.SIGKILL)
        try:
            self.assertEqual(clients.get(port, "/hello"), 200)
        finally:
            os.kill(pid, signal.SIGKILL)
            events = group / "cgroup.events"
            harness.wait_for(
                "the cgroup to empty, or another run to have removed it",
                lambda: "populated 1" not in self.read_if_there(events),
            )
        self.assertEqual(sidelight("run", "--", "true").returncode, 0)
        self.assertFalse(group.exists(), "the next run removes what a killed one left")

    def read_if_there(self, path):
        with contextlib.suppress(OSError):
            return path.read_text()
        return ""

    def test_metrics_of_a_command(self):
        port = harness.free_port()
        observer = Sidelight(
            self,
            command=["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port, self.dir / "log"],
        )
        harness.wait_for("the server", lambda: harness.is_listening(port))
        clients.send_plan(port, [("GET", "/hello")] * 10)
        observer.assert_counted({("GET", "/hello", "200"): 10}, port)


class Said(harness.Case):
    """What is said at the start, and what only when it is asked for."""

    def test_unknown_variables(self):
        """Nor those that Kubernetes sets for a Service called sidelight, nor a value."""
        done = sidelight("run", "--", "true", env={
            **os.environ, "SIDELIGHT_PUHS": "http://user:hunter2@gw", "SIDELIGHT_XYZZYX": "1",
            "SIDELIGHT_LOG_LEVEL": "info", "SIDELIGHT_SERVICE_HOST": "10.0.0.1",
            "SIDELIGHT_PORT": "tcp://10.0.0.1:80", "SIDELIGHT_PORT_80_TCP_ADDR": "10.0.0.1"})
        self.assertEqual(done.returncode, 0, done.stderr)
        said = [line for line in done.stderr.splitlines() if "no variable" in line]
        self.assertEqual(said, [
            "sidelight: there is no variable SIDELIGHT_PUHS; did you mean SIDELIGHT_PUSH?",
            'sidelight: there is no variable SIDELIGHT_XYZZYX; "sidelight help" lists all options',
        ])
        self.assertNotIn("hunter2", done.stderr)

    def test_route_templates_that_never_match(self):
        done = sidelight("run", "--routes", "/users/:id,/a/{b},/a/c", "--", "true")
        said = [line for line in done.stderr.splitlines() if "template" in line]
        self.assertEqual(len(said), 2, done.stderr)
        self.assertIn("/users/:id: it matches only paths with this", said[0])
        self.assertIn("/a/c: an earlier template matches all", said[1])

    def test_levels(self):
        """debug speaks of connections and requests, trace of libbpf's work, too."""
        port = harness.free_port()
        script = (f"import subprocess, sys, urllib.request as u\n"
                  f"s = subprocess.Popen([sys.executable, sys.argv[1], '127.0.0.1', '{port}', "
                  f"'{self.dir}/log'])\n"
                  "while True:\n"
                  f"    try: u.urlopen('http://127.0.0.1:{port}/hello?token=hunter2').read(); break\n"
                  "    except OSError: pass\n"
                  "s.terminate(); s.wait()\n")
        for level in ("info", "debug", "trace"):
            with self.subTest(level):
                done = sidelight("run", "--log-level", level, "--", "python3", "-c", script,
                                 harness.SERVERS / "pyhttp.py")
                self.assertEqual(done.returncode, 0, done.stderr)
                is_debug = level != "info"
                for words in (r"connection \w+: opened, server, 127.0.0.1 port %d" % port,
                              r"connection \w+: HTTP/1: GET /hello, status 200",
                              r"connection \w+: closed after \d+ bytes in"):
                    (self.assertRegex if is_debug else self.assertNotRegex)(done.stderr, words)
                self.assertEqual("libbpf: CO-RE" in done.stderr or "relo" in done.stderr,
                                 level == "trace", done.stderr[:2000])
                self.assertNotIn("hunter2", done.stderr)


class BadUse(harness.Case):
    """One line on standard error, exit status 2."""

    def assert_refused(self, done, *words):
        lines = done.stderr.strip().splitlines()
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word.lower(), lines[0].lower())

    def test_flags(self):
        rows = [
            (("run", "--no-such-flag"), "--no-such-flag"),
            (("run", "--cgroup"), "--cgroup"),
            (("run", "--push-interval", "soon", "--", "true"), "--push-interval"),
            (("run", "--metrics-listen", "nowhere", "--", "true"), "--metrics-listen"),
            (
                (
                    "run",
                    "--pid",
                    "cat",
                ),
                "--pid",
            ),
            (("no-such-command",), "no-such-command"),
            ((), "help"),
            (("run", "--"), "--"),
        ]
        for args, word in rows:
            with self.subTest(args=args):
                self.assert_refused(sidelight(*args), word)

    def test_run_without_target(self):
        self.assert_refused(sidelight("run"), "--cgroup", "--pid")

    def test_bad_variable(self):
        done = sidelight("run", "--", "true", env={**os.environ, "SIDELIGHT_PUSH_INTERVAL": "soon"})
        self.assert_refused(done, "SIDELIGHT_PUSH_INTERVAL")

    def test_cgroup_that_is_none(self):
        self.assert_refused(sidelight("run", "--cgroup", "/nonexistent"), "/nonexistent")
        self.assert_refused(sidelight("run", "--cgroup", self.dir), str(self.dir))

    def test_names_that_would_drive_a_terminal(self):
        self.assert_refused(sidelight("run", "--cgroup", "/no\x1b[31m\nsuch"), "/no?[31m?such")

    def test_pid_that_is_none(self):
        child = subprocess.Popen(["true"])
        child.wait()
        self.assert_refused(sidelight("run", "--pid", child.pid), str(child.pid))

    def test_port_in_use(self):
        cgroup = self.cgroup()
        first = Sidelight(self, cgroup=cgroup)
        done = sidelight("run", "--cgroup", cgroup, "--metrics-listen", f"127.0.0.1:{first.port}")
        self.assert_refused(done, str(first.port))

    def test_no_privileges(self):
        harness.need("setpriv")
        binary = shutil.copy(harness.BINARY, self.dir)
        cgroup = self.cgroup()
        for prefix in (
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"],
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all"],
        ):
            with self.subTest(prefix=prefix):
                done = sidelight("run", "--cgroup", cgroup, prefix=prefix, binary=binary)
                self.assert_refused(done, "CAP_")

    def test_cgroup_v1_only(self):
        harness.need("unshare")
        script = 'umount -l $(findmnt -nro TARGET -t cgroup2 | tac) && exec "$0" run -- true'
        done = sidelight(prefix=["unshare", "-m", "--propagation", "private", "sh", "-c", script])
        self.assert_refused(done, "cgroup")

    def test_help_and_version(self):
        for args in (("--help",), ("run", "--help"), ("version",)):
            done = sidelight(*args)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout)


if __name__ == "__main__":
    harness.main()
