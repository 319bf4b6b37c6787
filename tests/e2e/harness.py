# SPDX-License-Identifier: Apache-2.0
"""
What every end-to-end test stands on: ports, scratch directories, cgroups,
processes, and waiting for events.

Everything a Case acquires is on its ExitStack and is released in reverse
order: after the test, after a failure, on SIGTERM and SIGINT (both become
KeyboardInterrupt), and at exit. What a killed run left behind is removed by
the next one: cgroups carry the pid of the run that made them.

Nothing here sleeps in order to synchronise: wait_for() polls an event under
a deadline, and a deadline that passes is a failure.
"""
import atexit
import contextlib
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))

import neutral

neutral.reset()
SERVERS = ROOT / "tests" / "servers"
BINARY = pathlib.Path(os.environ.get("SIDELIGHT", ROOT / "build" / "sidelight"))

_open_stacks = []
_reserved_ports = []
_numbers = itertools.count(1)


def next_number():
    return next(_numbers)


def _release_all():
    while _open_stacks:
        with contextlib.suppress(Exception):
            _open_stacks.pop().close()


atexit.register(_release_all)
signal.signal(signal.SIGTERM, signal.default_int_handler)


def wait_for(what, event, seconds=10.0, pause=0.01):
    """Returns the first true value of event(); fails when seconds have passed."""
    deadline = time.monotonic() + seconds
    while True:
        value = event()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)


def status_of(pid):
    """The lines of /proc/PID/status."""
    with open(f"/proc/{pid}/status") as f:
        return {name: value.strip() for name, value in (line.split(":", 1) for line in f)}


def status_at_rest(pid):
    """
    As status_of(), once no capability is in force in any thread: a call-back that attaches may just
    run.
    """

    def event():
        threads = [status_of(f"{pid}/task/{tid}") for tid in os.listdir(f"/proc/{pid}/task")]
        return all(int(thread["CapEff"], 16) == 0 for thread in threads)

    wait_for("capabilities not to be in force", event)
    return status_of(pid)


def free_port():
    """
    A port nobody listens on, below the range that outgoing connections use. No other test gets
    it while this one runs: an abstract Unix socket of its number stands for it.
    """
    while True:
        port = random.randrange(10240, 32000)
        reservation = socket.socket(socket.AF_UNIX)
        with socket.socket(socket.AF_INET6) as s, contextlib.suppress(OSError):
            reservation.bind(f"\0sidelight-test-port-{port}")
            s.bind(("::", port))
            _reserved_ports.append(reservation)
            return port
        reservation.close()


def accepts(port, host="127.0.0.1"):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), timeout=1).close()
        return True
    return False


def is_listening(port):
    """Like accepts(), but without a connection that somebody would have to count."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            for line in f:
                field = line.split()
                if field[3] == "0A" and field[1].endswith(wanted):
                    return True
    return False


def cgroup2_root():
    """The directory of our own cgroup in the cgroup2 hierarchy, or None."""
    mount = None
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ")
            if right.startswith("cgroup2 "):
                mount = pathlib.Path(left.split()[4])
                break
    if not mount:
        return None
    with open("/proc/self/cgroup") as f:
        own = next(line[3:].strip() for line in f if line.startswith("0::"))
    path = mount / own.lstrip("/")
    return path if path.is_dir() else mount


class Cgroup:
    """A fresh child of our cgroup. close() kills what runs in it and removes it."""

    def __init__(self):
        root = cgroup2_root()
        if not root:
            raise unittest.SkipTest("no cgroup2 is mounted")
        self.path = root / f"sidelight-e2e-{os.getpid()}-{next(_numbers)}"
        self.path.mkdir()

    def __str__(self):
        return str(self.path)

    @property
    def id(self):
        """What the kernel and bpftool call its id: the inode."""
        return self.path.stat().st_ino

    def pids(self):
        return [int(p) for p in (self.path / "cgroup.procs").read_text().split()]

    def close(self):
        _remove_cgroup(self.path)


def _remove_cgroup(path):
    for child in path.glob("*/"):
        _remove_cgroup(child)
    (path / "cgroup.kill").write_text("1")
    wait_for(f"{path} to empty", lambda: "populated 0" in (path / "cgroup.events").read_text())
    path.rmdir()


def _remove_stale_cgroups():
    root = cgroup2_root()
    for path in root.glob("sidelight-e2e-*") if root else ():
        if not os.path.exists(f"/proc/{path.name.split('-')[2]}"):
            with contextlib.suppress(OSError):
                _remove_cgroup(path)


# In a world of its own (world.py) a run does not see whose cgroups are in use.
if "TEST_WORLD" not in os.environ:
    _remove_stale_cgroups()


def is_alive(pid):
    """A zombie, whose parent does not ask for its status, is not alive."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


class Process:
    """
    A child process with its output in a file. In a cgroup, it is there and has executed its
    program, or has ended, when the constructor returns.
    """

    def __init__(self, argv, output, cgroup=None, netns=None, env=None, cwd=None, stdin=None):
        argv = [str(a) for a in argv]
        if netns:
            argv = ["ip", "netns", "exec", netns] + argv
        if cgroup:
            enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
            argv = ["sh", "-c", enter, str(cgroup)] + argv
        self.argv = argv
        self.output = pathlib.Path(output)
        with open(self.output, "wb") as out:
            self.popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        if cgroup:
            self.wait_executed()

    def wait_executed(self):
        """Until the shell that enters the cgroup has executed the program."""
        shell = os.fsencode("\0".join(self.argv)) + b"\0"
        # Empty while execve() is about to write it.
        cmdline = lambda: pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        wait_for(
            f"{self.argv[4]} in its cgroup",
            lambda: not self.is_running() or cmdline() not in (b"", shell),
            pause=0.001,
        )

    @property
    def pid(self):
        return self.popen.pid

    def text(self):
        return self.output.read_text(errors="replace")

    def is_running(self):
        return self.popen.poll() is None

    def wait(self, seconds=10.0):
        """The exit status; negative is a signal."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {seconds:g} s: {self.argv}\n{self.text()}"
            ) from None

    def send(self, number):
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=5.0):
        if self.is_running():
            self.send(number)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode

    def wait_listening(self, port, seconds=15.0):
        def event():
            if not self.is_running():
                raise AssertionError(
                    f"{self.argv} ended with {self.popen.returncode}:\n{self.text()}"
                )
            return is_listening(port)

        wait_for(f"a listener on port {port}", event, seconds)


def need(*programs):
    """Skips the test, saying why, if a program is missing."""
    for program in programs:
        if not shutil.which(program) and not os.path.exists(f"/usr/sbin/{program}"):
            raise unittest.SkipTest(f"{program} is not installed")


class Case(unittest.TestCase):
    """One test with everything it acquired."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        _open_stacks.append(self.stack)
        self.addCleanup(self._release)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)

    def _release(self):
        _open_stacks.remove(self.stack)
        self.stack.close()

    def own(self, thing):
        """Releases thing, by its close() or stop(), when the test is over."""
        self.stack.callback(getattr(thing, "close", None) or thing.stop)
        return thing

    def on_one_cpu(self):
        """
        For what depends on segments in order, with all processes from now on: on several CPUs one
        may overtake another, which is asked about (bpf/parser_lock.bpf.h).
        """
        self.stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def scratch(self, name):
        return self.dir / f"{next(_numbers)}-{name}"

    def cgroup(self):
        return self.own(Cgroup())

    def spawn(self, argv, **more):
        name = os.path.basename(str(argv[0]))
        return self.own(Process(argv, self.scratch(f"{name}.out"), **more))


def run(argv, check=True, seconds=60, **more):
    """
    Runs a command to its end; returns it with both outputs as text. When that takes too long,
    or is interrupted, the command ends together with what it started.
    """
    argv = [str(a) for a in argv]
    child = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        process_group=0,
        **more,
    )
    try:
        out, err = child.communicate(timeout=seconds)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    done = subprocess.CompletedProcess(argv, child.returncode, out, err)
    if check and done.returncode:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def main():
    unittest.main(module=sys.modules["__main__"], verbosity=2)
