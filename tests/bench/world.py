# SPDX-License-Identifier: Apache-2.0
"""
What a paired benchmark needs: cgroups of its own, nginx in one of them, wrk,
and an observer whose costs can be read from the outside.

Everything is a context manager: leaving it ends the processes that it started
(and only those) and removes its cgroups and files.
"""
import array
import contextlib
import http.client
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time


BUILT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tests/bench")


class BenchError(Exception):
    """The measurement cannot be taken; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, is_true, seconds=10, pause=0.001):
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def http_get(port, path):
    """The body of a 200 response, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


PAGE = os.sysconf("SC_PAGE_SIZE")
# BPF_PROG_TYPE_CGROUP_SKB and BPF_PROG_TYPE_SOCK_OPS of linux/bpf.h.
PACKET_PROGRAMS = (8, 13)
COLLECTED = re.compile(r"^sidelight_collected_timestamp_seconds (\S+)$", re.M)


def metrics_now(port):
    """/metrics with all that has happened until now; requests within a second share a page."""
    asked = time.time()
    pages = []

    def is_new():
        pages[:] = [http_get(port, "/metrics")]
        if pages[0] is None:
            raise BenchError("no answer from /metrics")
        collected = COLLECTED.search(pages[0])
        return not collected or float(collected.group(1)) >= asked

    wait_until("a page that is new", is_new, 15, .02)
    return pages[0]


def cpu_us(pid):
    """Time on a CPU of all threads, by the scheduler's clock (utime counts 10 ms ticks)."""
    total = 0
    directory = f"/proc/{pid}/task"
    for thread in os.listdir(directory):
        with open(f"{directory}/{thread}/schedstat", encoding="ascii") as stat:
            total += int(stat.read().split()[0])
    return total / 1e3


def with_children(pid):
    """A process and those that it started: of sidelight the broker and the worker."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]


def fdinfo(pid):
    """What the kernel says of each descriptor of a process, as dicts."""
    directory = f"/proc/{pid}/fdinfo"
    for name in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError), \
                open(os.path.join(directory, name), encoding="ascii") as text:
            yield dict(re.findall(r"^(\w+):\s+(\S+)", text.read(), re.M))


def children_us():
    """Time on a CPU of all children that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def cgroups(*names):
    """Fresh cgroup2 directories, as a dict by name."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        tops = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    if not tops:
        raise BenchError("no cgroup2 file system is mounted")
    top = os.path.join(tops[0], f"sidelight-bench-{os.getpid()}")
    made = []
    try:
        for path in [top] + [os.path.join(top, name) for name in names]:
            os.mkdir(path)
            made.append(path)
        yield dict(zip(names, made[1:]))
    finally:
        for path in reversed(made):
            # A killed process leaves its cgroup a moment after it was waited for.
            wait_until(f"rmdir {path}", lambda p=path: _rmdir(p))


def _rmdir(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False


@contextlib.contextmanager
def nginx(cgroup, cpu):
    """nginx with one worker on `cpu` in `cgroup`; yields its port and the worker's pid."""
    root = tempfile.mkdtemp(prefix="sidelight-bench-")
    os.chmod(root, 0o755)
    port = free_port()
    for name, size in (("8k", 8 << 10), ("1m", 1 << 20)):
        with open(os.path.join(root, name), "wb") as body:
            body.write(os.urandom(size))
    config = os.path.join(root, "nginx.conf")
    with open(config, "w", encoding="ascii") as out:
        out.write(f"""
            daemon off; user root; pid {root}/pid; error_log {root}/error.log;
            worker_processes 1; worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; keepalive_requests 1000000000; sendfile on;
                client_body_temp_path {root}; proxy_temp_path {root};
                fastcgi_temp_path {root}; uwsgi_temp_path {root}; scgi_temp_path {root};
                server {{
                    listen 127.0.0.1:{port} backlog=4096; root {root};
                    location = / {{ return 200 "hello\\n"; }}
                }}
            }}""")

    def enter():
        with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write("0")
        os.sched_setaffinity(0, {cpu})

    server = subprocess.Popen(["nginx", "-c", config, "-p", root], preexec_fn=enter,
                              stderr=subprocess.DEVNULL)
    try:
        wait_until("nginx answers", lambda: http_get(port, "/"))
        children = f"/proc/{server.pid}/task/{server.pid}/children"
        with open(children, encoding="ascii") as pids:
            worker = int(pids.read().split()[0])
        yield port, worker
    finally:
        stop(server)
        shutil.rmtree(root)


def listens(port):
    tables = ""
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as text:
            tables += text.read()
    return re.search(rf":{port:04X} \S+ 0A ", tables)


@contextlib.contextmanager
def server(argv, port, cgroup, cpu, env=None):
    """Yields (port, pid) of a server that listens on port, on one CPU, in a cgroup."""

    def enter():
        with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write("0")
        os.sched_setaffinity(0, {cpu})

    process = subprocess.Popen(argv, preexec_fn=enter, env={**os.environ, **(env or {})},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(f"{argv[0]} listens", lambda: listens(port))
        yield port, process.pid
    finally:
        stop(process)


class Asker:
    """A client that saturates two servers in turn, as nginx() yields them; see asker.c."""

    def __init__(self, servers, path, connections, cpu):
        self.workers = [worker for _, worker in servers]
        self.command = ["taskset", "-c", str(cpu), os.path.join(BUILT, "asker"), path,
                        str(connections)] + [str(port) for port, _ in servers]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()

    def turns(self):
        """When two turns began; answers per second in the first and in the second; answers."""
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("the client has ended")
        begin, *numbers = map(float, line.split())
        return begin, numbers[:2], numbers[2:]

    def take(self, count):
        """
        For `count` times two turns that begin after now: answers per second, as pairs, and, as one
        pair, how many for each second of the server's CPU.
        """
        start = time.monotonic()
        while self.turns()[0] < start:
            pass
        used = [cpu_us(worker) for worker in self.workers]
        _, rates, answers = zip(*(self.turns() for _ in range(count)))
        used = [cpu_us(worker) - before for worker, before in zip(self.workers, used)]
        return rates, [[sum(n) / us * 1e6 for n, us in zip(zip(*answers), used)]]


def line_ns(cpus):
    """How long a line of the cache takes from one of two CPUs to the other."""
    program = [os.path.join(BUILT, "lines"), *map(str, cpus)]
    return float(subprocess.run(program, check=True, capture_output=True, text=True).stdout)


class Load:
    """One run of wrk on `cpu`, against a server as nginx() yields it; more: options of wrk."""

    def __init__(self, server, path, connections, seconds, cpu, scheme="http", more=()):
        port, self.worker = server
        command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}",
                   f"-d{seconds}s", "--timeout", "10s", "--latency", *more,
                   f"{scheme}://127.0.0.1:{port}{path}"]
        self.connections = connections
        self.server_us, self.client_us = cpu_us(self.worker), children_us()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self):
        out, _ = self.process.communicate()
        self.server_us = cpu_us(self.worker) - self.server_us
        self.client_us = children_us() - self.client_us
        if self.process.returncode or "Socket errors" in out or "Non-2xx" in out:
            raise BenchError(f"wrk failed:\n{out}")
        self.requests = int(re.search(r"(\d+) requests in", out).group(1))
        if not self.requests:
            raise BenchError("wrk got no answer at all: is the machine overloaded?")
        self.rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
        self.p99_us = float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
        return self

    def both_us(self):
        """CPU per request of server and client: all that runs in the kernel for it is in there."""
        return (self.server_us + self.client_us) / self.requests


class Watcher:
    """A process that holds BPF programs; what it costs is read from the outside."""

    process = None

    def cpu_us(self):
        return sum(map(cpu_us, with_children(self.process.pid)))

    def bpf_us_and_runs(self):
        """Time and runs of its programs so far; they stand still without BpfStatistics."""
        programs = list(self.fdinfo("run_cnt"))
        if not programs:
            raise BenchError("no BPF program is held")
        return (sum(int(p["run_time_ns"]) for p in programs) / 1e3,
                sum(int(p["run_cnt"]) for p in programs))

    def packet_runs(self):
        """Runs of the programs for packets: those that follow processes run in each fork()."""
        return sum(int(p["run_cnt"]) for p in self.fdinfo("run_cnt")
                   if int(p["prog_type"]) in PACKET_PROGRAMS)

    def fdinfo(self, key):
        """What the kernel says of each BPF object it holds; once per object."""
        found = {}
        for info in fdinfo(self.process.pid):
            if key in info:
                found[info.get("map_id") or info["prog_id"]] = info
        return found.values()


def page_frames(pid):
    """The numbers of the page frames that a process has mapped, those of the ring among them."""
    frames = set()
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for line in maps:
            words = line.split()
            if len(words) > 5 and words[5].startswith("[v"):  # the kernel's own
                continue
            start, end = (int(word, 16) // PAGE for word in words[0].split("-"))
            pagemap.seek(start * 8)
            entries = array.array("Q", pagemap.read((end - start) * 8))
            frames.update(entry & (1 << 55) - 1 for entry in entries if entry >> 63)
    frames.discard(0)
    return frames


class Observer(Watcher):
    """`sidelight run --cgroup`, pinned to one CPU, ready when entered; more: options of it."""

    def __init__(self, binary, cgroup, cpu, *more):
        self.command = ["taskset", "-c", str(cpu), binary, "run", "--cgroup", cgroup, *more]
        self.port = free_port()
        self.log = tempfile.TemporaryFile("w+")

    def __enter__(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(
            self.command + ["--metrics-listen", f"127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)
        try:
            wait_until("sidelight is ready", lambda: self.process.poll() is not None
                       or http_get(self.port, "/readyz") is not None)
            self.ready_ms = (time.monotonic() - begin) * 1e3
            if self.process.poll() is not None:
                self.log.seek(0)
                raise BenchError(f"sidelight ended:\n{self.log.read()}")
        except BaseException:
            stop(self.process)
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        stop(self.process)
        self.log.close()

    def totals(self):
        """Server requests counted, and events lost."""
        text = metrics_now(self.port)
        return tuple(int(sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                             if line.startswith(name + "{")))
                     for name in ("http_server_request_duration_seconds_count",
                                  "sidelight_events_lost_total"))

    def memory(self):
        """
        Resident bytes and private ones of both processes (a page that both have counts once), and
        those of the BPF maps.
        """
        pids = with_children(self.process.pid)
        private = 0
        for pid in pids:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                private += int(re.search(r"^Pss_Anon:\s+(\d+) kB", rollup.read(), re.M)[1]) << 10
        resident = len(set().union(*map(page_frames, pids))) * PAGE
        maps = sum(int(info["memlock"]) for info in self.fdinfo("map_id"))
        return resident, private, maps
