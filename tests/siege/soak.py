#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
A Pod as busy as a Pod can be, for MINUTES (30): servers of HTTP/1, HTTP/2 and gRPC, one of them
behind a wire that loses segments and one at which segments are forged; connections that come, idle
and are reset; containers that start, serve and end; a server that is reloaded; routes that are
changed by annotation; scrapes and pushes.

After a third of the time nothing may grow any more: memory, the kernel's memory for us,
descriptors, entries of BPF maps, series. Each server's own account of its requests must be equal
to what was counted, but for what is counted as lost. The log has no line but those expected.
"""
import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import clients
import gateway
import harness
import network
import peers
import segments
import servers
import siblings
import world
from honest import Client, Honest, ask_once
from memory import MemoryGroup, mount_version_1
from observer import difference, health
from test_siblings import InPod

SECONDS = float(os.environ.get("MINUTES", "30")) * 60
SAMPLE_S = 2
KIB, MIB = 1 << 10, 1 << 20
LIMIT = 128 * MIB  # of what is injected

STRANGERS = ("resets", "tiny_fields", "scanner", "idle_connections")
ITEM = "/items/blue"
ITEMS = "/items/{name}", "/items/*", "/items/{item}"
ANSWERED = {"/hello", "/tiny", *ITEMS}
EACH_CONTAINER = 20  # requests
# The scanner takes all automatic routes.
ROUTES = [f"/hello,/missing,/tiny,/sentinel,{item}" for item in ITEMS]
CODES = (0, 0, 0, 5, 13)  # of gRPC: mostly OK

RELOADED = ("kept connection", "connections")

# What may be said, and nothing else.
LINES = re.compile(
    r"pod: (watching container|container \S+ \(\S+\) has ended|no container to watch yet)"
    r"|annotations: routes are now "
    r"|pod: \d+ TCP connections of this Pod are older than the watch"
    r"|run: serving /metrics on port "
    r"|push: PUT \S+ accepted$"
)

# What is looked at: how much more than after the warm-up may it be at the end?
Growth = collections.namedtuple("Growth", "share bytes")
FLAT = {
    "private memory, B": Growth(0.02, 128 * KIB),
    "kernel memory, B": Growth(0.02, 256 * KIB),
    "descriptors": Growth(0, 8),
    "entries of maps": Growth(0, 24),
    "series": Growth(0, 12),  # of what is rare: a reason
}


def status_bytes(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1]) * KIB


def maps_of(pid):
    """Ids of the BPF maps of which the process has a descriptor."""
    ids = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            ids.update(re.findall(r"^map_id:\s+(\d+)", info.read_text(), re.M))
    return ids


def entries(map_id):
    """Of a map that has keys; those of sockets cannot be listed."""
    shown = json.loads(harness.run(["bpftool", "-j", "map", "show", "id", map_id]).stdout)
    if "hash" not in shown["type"] and "cgroup_storage" not in shown["type"]:
        return 0
    done = harness.run(["bpftool", "-j", "map", "dump", "id", map_id])
    return len(json.loads(done.stdout))


class Soak(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("bpftool", "h2load", "nsenter")
        self.memory = self.memory_group()
        self.samples = collections.defaultdict(list)
        self.turns = collections.Counter()
        self.served_by_jobs = 0
        self.honests, self.strangers = [], []
        self.pod = siblings.Pod(self)

    def memory_group(self):
        """Of version 1, beside those of containers: a process can be in both."""
        point = self.dir / "memory"
        if not mount_version_1(point):
            print("\nthere are no memory cgroups of version 1: the kernel's part is not measured")
            return None
        self.stack.callback(subprocess.run, ["umount", point])
        return self.own(MemoryGroup("soak", LIMIT))

    # --- the Pod's servers ---

    def container(self, name, make, **more):
        """A server in a container's cgroup; the container's own process only keeps it."""
        kept = self.pod.container(name, ["sleep", "infinity"])
        kept.wait_pid()
        return make(self, cgroup=kept.cgroup, **more)

    def observe(self):
        self.podinfo = self.scratch("podinfo")
        self.podinfo.mkdir()
        self.annotate(ROUTES[0])
        self.pushed = gateway.Pushgateway(self)
        self.sidelight = InPod(
            self.pod, "--podinfo", self.podinfo, "--push", self.pushed.url, "--push-interval", "1",
            before=self.memory.enter if self.memory else (),
        )
        self.broker = self.sidelight.container.wait_pid()
        self.worker = self.sidelight.worker

    def annotate(self, routes):
        """As the kubelet does, by a rename."""
        new = self.podinfo / "annotations.new"
        new.write_text(f'sidelight.dev/routes="{routes}"\n')
        new.rename(self.podinfo / "annotations")

    # --- what goes on ---

    def honest(self, name, pause, act):
        self.honests.append(self.own(Honest(name, pause, act)))

    def count_up(self, name):
        self.turns[name] += 1
        return self.turns[name]

    def reload(self):
        """Its workers end when what they answer is answered; new ones take their place."""
        self.web.process.send(signal.SIGHUP)
        self.count_up("reloads")

    def change_routes(self):
        self.annotate(ROUTES[self.count_up("routes") % len(ROUTES)])

    def h2load(self):
        base = f"http://127.0.0.1:{self.h2.port}"
        done = harness.run(
            ["h2load", "-n200", "-c10", "-m8", f"{base}/hello", f"{base}/missing", base + ITEM]
        )
        assert " 200 done" in done.stdout and " 0 errored, 0 timeout" in done.stdout, done.stdout

    def call(self):
        number = self.count_up("calls")
        calls = [
            peers.Call(kind, CODES[(number + i) % len(CODES)], 0, 3, 100)
            for i, kind in enumerate(peers.KINDS)
        ]
        self.grpc_client.run(calls)

    def ask_over_the_wire(self):
        self.wire.send_plans(self.far.port, self.count_up("plans"), 4, 20)

    def forge(self):
        """A connection amid forged segments, and one of which a segment never comes."""
        turn = self.count_up("forged")
        request = clients.request_bytes("GET", ITEM)
        peer = segments.Peer(self.link, self.forged.port, 20000 + turn * 2 % 30000)
        sent = b""
        for answered in range(1, 4):
            for offset, flags, ack in (
                (1 << 30, segments.ACK, 0), (7, segments.ACK, 0), (0, segments.ACK, 99999),
                (700, segments.RST | segments.ACK, 0), (700, segments.FIN, 0),
            ):
                peer.forge(len(sent) + offset, b"x", flags, ack)
            start, sent = len(sent), sent + request
            peer.send(sent, start, len(sent))
            peer.wait_received(b"hello\n", answered)
        peer.close()
        lost = segments.Peer(self.link, self.forged.port, 20001 + turn * 2 % 30000)
        stream = request * 20
        lost.send(stream, 0, len(request))
        lost.wait_received(b"hello\n")
        lost.send(stream, len(request) + 1, len(stream))
        lost.close()

    def come_and_go(self):
        """A container that serves some requests, and ends."""
        number = self.count_up("containers")
        port = harness.free_port()
        log = self.scratch("job.log")
        argv = ["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port, log]
        job = self.pod.container("job", argv)
        try:
            job.process.wait_listening(port)
            self.sidelight.wait_says(f"watching container job ({job.id[:12]}")
            clients.send_plan(port, [("GET", ITEM)] * EACH_CONTAINER, number % 2)
            self.served_by_jobs += len(log.read_text().splitlines())
        finally:
            job.kill()
            self.pod.containers.remove(job)

    # --- the account ---

    def sample(self):
        page = self.sidelight.latest_page()
        both = (self.broker, self.worker)
        now = {
            "private memory, B": sum(status_bytes(pid, "RssAnon") for pid in both),
            "kernel memory, B": self.memory.kernel() if self.memory else 0,
            "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in both),
            "entries of maps": sum(entries(i) for i in maps_of(self.broker)),
            "series": page.sum("sidelight_series"),
        }
        for name, value in now.items():
            self.samples[name].append(value)

    def hold(self, processes):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(SAMPLE_S)  # the pace of the samples
            for process in (*processes, *self.strangers):
                self.assertTrue(process.is_running(), f"{process.argv}\n{process.text()}")
            self.sample()

    def check_growth(self):
        print(f"\n{'':20}{'warmed up':>12}{'at the end':>12}{'most':>12}")
        grown = []
        for name, growth in FLAT.items():
            values = self.samples[name]
            early = values[len(values) // 3 : len(values) // 2]
            late = values[-len(early) :]
            begin, end = statistics.median(early), statistics.median(late)
            print(f"{name:20}{begin:12.0f}{end:12.0f}{max(values):12.0f}")
            if end > begin * (1 + growth.share) + growth.bytes:
                grown.append(f"{name}: from {begin:.0f} to {end:.0f}")
        return grown

    def accounts(self, page):
        """(container, what it served, what was counted of it), by result."""
        def answered(server, routes):
            entries = [(m, clients.route_of(t), s) for m, t, s in server.log()]
            return collections.Counter(s for _, r, s in entries if not routes or r in routes)

        def counted(name, routes):
            found = collections.Counter()
            for (_, route, result), count in page.requests(container=name).items():
                if result.isdigit() and (not routes or route in routes):
                    found[result] += count
            return found

        for name, server, routes, paths in (
            ("web", self.web, ANSWERED, {"/hello", "/tiny", ITEM}),
            ("h2", self.h2, (), ()),
            ("far", self.far, (), ()),
            ("forged", self.forged, (), ()),
        ):
            yield name, answered(server, paths), counted(name, routes)
        yield "job", collections.Counter({"200": self.served_by_jobs}), counted("job", ())
        yield "grpc", peers.named(self.grpc.calls()), peers.counted(page, "server")

    def check_counts(self, page):
        wrong, missing = [], 0
        print(f"\n{'container':20}{'served':>12}{'counted':>12}")
        for name, served, counted in self.accounts(page):
            print(f"{name:20}{served.total():12}{counted.total():12}")
            if not served:
                wrong.append(f"{name} has served nothing")
            if counted - served:
                wrong.append(f"{name}: {difference(counted, served)}")
            missing += (served - counted).total()
        print(f"missing: {missing}; lost, as it says: {page.lost_requests()} {page.lost()}")
        if missing > page.lost_requests():
            wrong.append(f"{missing} are missing, and {page.lost_requests()} counted as lost")
        return wrong

    def check_failures(self):
        wrong = []
        for honest in self.honests:
            print(f"{honest.name:20}{len(honest.times):12} times,{len(honest.failures):6} failed")
            # A request may meet the end of a kept connection.
            excused = 4 * self.turns["reloads"] if honest.name in RELOADED else 0
            if len(honest.failures) > excused or len(honest.times) < 2:
                wrong.append(f"{honest.name}: {len(honest.times)} times, {honest.failures[:3]}")
        return wrong

    def check_log(self):
        lines = self.sidelight.process.text().splitlines()[1:]  # first, siblings.py's
        return [line for line in lines if not LINES.match(line.removeprefix("sidelight: "))]

    def start_all(self):
        self.observe()
        self.web = self.container("web", servers.Nginx)
        self.h2 = self.container("h2", servers.Nginx, HTTP2="http2")
        self.grpc = self.container("grpc", peers.Echo, language=peers.PYTHON)
        self.grpc_client = peers.Client(self, peers.PYTHON, self.grpc.port)
        self.wire = network.Veth(self)
        self.wire.drop(0.01)
        self.far = self.container("far", servers.Nginx, host=network.SERVER,
                                  netns=self.wire.server)
        self.link = segments.Link(self)
        self.forged = self.container("forged", servers.Nginx, host=network.SERVER,
                                     netns=self.link.server)
        self.sidelight.wait_watched("web", "h2", "grpc", "far", "forged")
        kept = self.own(Client(self.web.port))
        self.honest("kept connection", 0.005, lambda: kept.ask(ITEM))
        self.honest("connections", 0.03, lambda: ask_once(self.web.port))
        self.honest("HTTP/2", 0.5, self.h2load)
        self.honest("gRPC", 0.1, self.call)
        self.honest("lossy wire", 0.5, self.ask_over_the_wire)
        self.honest("forged segments", 0.5, self.forge)
        self.honest("containers", 0.2, self.come_and_go)
        self.honest("reloads", 5, self.reload)
        self.honest("routes", 1, self.change_routes)
        self.honest("scrapes", 1, self.sidelight.latest_page)
        for honest in self.honests:
            honest.start()
        for name in STRANGERS:
            self.strangers.append(
                self.spawn([sys.executable, HERE / "attackers.py", name, self.web.port]))

    def ask_far(self, target):
        self.wire.ask(self.far.port)(target)

    def ask_forged(self, target):
        peer = segments.Peer(self.link, self.forged.port)
        request = clients.request_bytes("GET", target)
        peer.send(request, 0, len(request))
        peer.wait_received(b"hello\n")
        peer.close()

    def test_soak(self):
        self.start_all()
        self.hold((self.sidelight.process, self.web.process, self.h2.process, self.grpc.process,
                   self.far.process, self.forged.process, self.pushed.process))
        for stranger in self.strangers:
            stranger.stop()
        for honest in self.honests:
            honest.stop(60)
        for ask in (self.web.port, self.ask_far, self.ask_forged):
            page = self.sidelight.settle(ask)
        page = peers.settle(self.sidelight, self.grpc_client)
        wrong = self.check_failures() + self.check_counts(page) + self.check_growth()
        wrong += self.check_log()
        kills = self.memory.kills() if self.memory else 0
        self.assertEqual((wrong, kills), ([], 0), health(page))


if __name__ == "__main__":
    world.enter()
    harness.main()
