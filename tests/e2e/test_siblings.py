#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Which containers of a Pod are watched, when, and with which capabilities.
"""
import os
import pathlib
import re
import time

import clients
import harness
import siblings
import world
from observer import Sidelight, programs, worker_of

ALL = ("BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON")


def pid_in_pod(container):
    """The number of its process as the Pod's processes see it."""
    status = pathlib.Path(f"/proc/{container.wait_pid()}/status").read_text()
    return re.search(r"NSpid:.*\t(\d+)\n", status)[1]


def connections():
    """That were made and accepted in our network namespace."""
    lines = pathlib.Path("/proc/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    tcp = dict(zip(names, values))
    return int(tcp["ActiveOpens"]) + int(tcp["PassiveOpens"])


class InPod(Sidelight):
    """`sidelight run` as a container of a Pod. before: words of a program that becomes it."""

    def __init__(self, pod, *args, name="sidelight", before=(), **more):
        self.case = pod.case
        self.port = harness.free_port()
        argv = [*before, harness.BINARY, "run", "--metrics-age=0"]
        argv += [f"--metrics-listen=127.0.0.1:{self.port}", *args]
        self.container = pod.container(name, argv, **{"capabilities": ALL, **more})
        self.process = self.container.process
        harness.wait_for("sidelight to be ready", self._is_ready)

    def watched(self):
        """Names, in the order in which they were found; one for each start."""
        return re.findall(r"watching container (\S+)", self.process.text())

    def wait_says(self, text):
        try:
            harness.wait_for(text, lambda: text in self.process.text())
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.process.text()}") from None

    def wait_watched(self, *names):
        try:
            harness.wait_for(names, lambda: self.watched() == list(names))
        except AssertionError:
            self.case.fail(f"want {names}:\n{self.process.text()}")


class Siblings(harness.Case):
    def server(self, pod, name="web", **more):
        port = harness.free_port()
        argv = ["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port, self.scratch("log")]
        container = pod.container(name, argv, **more)
        container.port = port
        return container

    def ask(self, server, sidelight, count, name="web"):
        """Requests, all of which must be counted for the container."""
        server.process.wait_listening(server.port)
        before = sidelight.scrape().requests(container=name).total()
        for _ in range(count):
            clients.get(server.port, "/hello")
        sidelight.settle(server.port)
        counted = sidelight.scrape().requests(container=name).total() - before
        self.assertEqual(counted, count, sidelight.process.text())

    def check_life(self, **more):
        pod = siblings.Pod(self)
        first = self.server(pod)
        first.process.wait_listening(first.port)
        sidelight = InPod(pod, **more)
        sidelight.wait_watched("web")
        self.ask(first, sidelight, 20)
        late = self.server(pod, "late")
        self.ask(late, sidelight, 20, "late")
        first.kill()
        sidelight.wait_says("container web")
        again = self.server(pod)
        self.ask(again, sidelight, 20)
        sidelight.wait_watched("web", "late", "web")
        self.assertEqual(sidelight.scrape().lost(), {})
        return pod, sidelight

    def test_running_late_and_restarted(self):
        _, sidelight = self.check_life()
        told = [float(ms) for ms in re.findall(r"([0-9.]+) ms after", sidelight.process.text())]
        print(f"attached {told} ms after the start of a container")
        self.assertEqual(len(told), 2)
        self.assertLess(max(told), 50)

    def test_connections_before_the_start(self):
        """Those that ended, of which nothing else tells, and one that goes on."""
        pod = siblings.Pod(self)
        server = self.server(pod)
        server.process.wait_listening(server.port)
        for _ in range(10):
            clients.get(server.port, "/hello")
        kept = self.own(clients.Wire(server.port))
        ask = lambda: (kept.send(clients.request_bytes("GET", "/hello")), kept.response())
        ask()
        before = connections()
        self.assertGreaterEqual(before, 22)  # each has both its ends here
        sidelight = InPod(pod)
        sidelight.wait_says(f"pod: {before} TCP connections of this Pod are older than the watch")
        ask()
        page = sidelight.settle(server.port)
        self.assertEqual(page.sum("sidelight_connections_before_start"), before)
        self.assertEqual(page.sum("sidelight_connections_joined_total"), 1)
        self.assertEqual(page.requests(container="web").total(), 1)

    def test_more_restarts_than_are_remembered(self):
        """Of a neighbour: the container that stays keeps its name."""
        pod = siblings.Pod(self)
        stays = self.server(pod)
        sidelight = InPod(pod)
        self.ask(stays, sidelight, 1)
        for number in range(1, 71):
            pod.container("restarted", ["sleep", "infinity"]).wait_pid()
            harness.wait_for("it", lambda: sidelight.watched().count("restarted") == number)
            pod.containers.pop().kill()
            if number % 10 == 0:
                self.ask(stays, sidelight, 1)
        page = sidelight.scrape()
        self.assertEqual(page.requests().total(), page.requests(container="web").total())
        # Of a cgroup that was removed the kernel does not say who holds its hooks.
        self.assertNotIn("is not watched any more", sidelight.process.text())

    def test_the_same_without_tracing(self):
        _, sidelight = self.check_life(is_untraced=True)
        self.assertIn(
            "starts of containers cannot be traced (Operation not permitted); they are looked for",
            sidelight.process.text(),
        )

    def test_ends_that_the_kernel_does_not_report(self):
        """It drops what follows another report within 10 ms, if the cgroup is removed meanwhile."""
        pod = siblings.Pod(self)
        sidelight = InPod(pod)
        for number in range(1, 11):
            container = self.server(pod)
            sidelight.wait_watched(*["web"] * number)
            for frozen in "10":
                (container.cgroup / "cgroup.freeze").write_text(frozen)
            time.sleep(0.002)  # so that the report is read before the next one
            container.kill_at_once()
            harness.wait_for(
                "its end", lambda: sidelight.process.text().count("has ended") == number
            )
        self.assertNotIn("cannot", sidelight.process.text())

    def test_no_polling_with_tracing(self):
        _, sidelight = self.check_life()
        broker = sidelight.container.wait_pid()
        paths = [pathlib.Path(f"/proc/{pid}/status") for pid in (broker, worker_of(broker))]

        def switches():
            lines = [line for path in paths for line in path.read_text().splitlines()]
            return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

        def is_at_rest():
            before = switches()
            # Longer than the pace of any timer that runs while something happens.
            harness.run(["sleep", "0.3"])
            return switches() == before

        harness.wait_for("rest", is_at_rest)
        before = switches()
        # Programs outside of the Pod, and in containers that are known, wake nobody. A look at
        # sockets (broker/socket_check.c) may fall into it, which takes a few steps.
        for _ in range(100):
            harness.run(["true"])
        self.assertLess(switches() - before, 20)

    def test_proxies_and_names(self):
        for flags, wanted in (
            ((), {"web"}),
            (("--containers=istio-proxy, web",), {"istio-proxy", "web"}),
            (("--containers=none",), set()),
        ):
            pod = siblings.Pod(self)
            servers = [
                self.server(pod, name) for name in ("web", "istio-proxy", "linkerd-proxy", "envoy")
            ]
            for server in servers:
                server.process.wait_listening(server.port)
            sidelight = InPod(pod, *flags)
            harness.wait_for("them", lambda: set(sidelight.watched()) == wanted)
            pod.container("last", ["sleep", "infinity"])
            wanted_last = wanted | ({"last"} if not flags else set())
            harness.wait_for("the last", lambda: set(sidelight.watched()) == wanted_last)
            sidelight.container.kill()

    def test_in_the_making(self):
        """Found before it executes its program, a container has no name yet, and is waited for."""
        for is_untraced in (False, True):
            pod = siblings.Pod(self)
            gate = self.scratch("gate")
            os.mkfifo(gate)
            server = self.server(pod, gate=gate)
            server.wait_pid()
            sidelight = InPod(pod, is_untraced=is_untraced)
            gate.write_bytes(b"x")
            self.ask(server, sidelight, 5)
            sidelight.wait_watched("web")

    def test_strangers_are_left_alone(self):
        """A container that shows the node's cgroups, and one of another Pod."""
        pod = siblings.Pod(self)
        privileged = self.server(pod, "privileged", has_cgroup=False)
        other = self.server(pod, "other", pod_uid=str(siblings.uuid.uuid4()))
        for server in (privileged, other):
            server.process.wait_listening(server.port)
        sidelight = InPod(pod)
        sidelight.wait_says("container privileged is not watched")
        web = self.server(pod)
        self.ask(web, sidelight, 3)
        self.assertEqual(sidelight.watched(), ["web"])

    def test_missing_capabilities_are_named(self):
        for missing, words in (
            ("BPF", "CAP_BPF is needed and missing"),
            ("NET_ADMIN", "CAP_NET_ADMIN is needed and missing"),
            ("PERFMON", "CAP_PERFMON is needed and missing"),
        ):
            pod = siblings.Pod(self)
            done = pod.container(
                "sidelight", [harness.BINARY, "run"], capabilities=set(ALL) - {missing}
            ).process
            self.assertEqual(done.wait(), 2)
            self.assertIn(words, done.text())
        pod = siblings.Pod(self)
        other = pod.container("other", ["sleep", "infinity"], user=65534)
        other.wait_pid()
        sidelight = InPod(pod, capabilities=set(ALL) - {"SYS_PTRACE"})
        sidelight.wait_says("container other is not watched (not allowed; CAP_SYS_PTRACE")

    def test_nothing_in_force_while_running(self):
        _, sidelight = self.check_life()
        status = harness.status_at_rest(sidelight.container.wait_pid())
        bits = sum(1 << siblings.CAPABILITIES[name] for name in ALL)
        self.assertEqual(int(status["CapPrm"], 16), bits)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_a_named_process_leads_to_its_own_cgroup_only(self):
        """--pid: what the process shows as /sys/fs/cgroup is its own, or it is refused."""
        pod = siblings.Pod(self)
        web = self.server(pod)
        web.process.wait_listening(web.port)
        link = f"/proc/{pid_in_pod(web)}/root/sys/fs/cgroup"
        liar = pod.container("liar", ["sleep", "infinity"], cgroup_link=link)
        done = pod.container(
            "sidelight", [harness.BINARY, "run", "--pid", pid_in_pod(liar)], capabilities=ALL
        ).process
        self.assertEqual(done.wait(), 2)
        self.assertIn("is not below any that is mounted here", done.text())
        sidelight = InPod(pod, "--pid", pid_in_pod(web), name="debugger")
        self.ask(web, sidelight, 10, web.id)

    def test_killed_it_leaves_nothing(self):
        before = programs()
        _, sidelight = self.check_life()
        self.assertGreater(len(programs() - before), 3)
        sidelight.container.kill()
        harness.wait_for("its programs to go", lambda: programs() <= before)

    def test_no_shared_pid_namespace(self):
        pod = siblings.Pod(self, shares=False)
        done = pod.container("sidelight", [harness.BINARY, "run"], capabilities=ALL).process
        self.assertEqual(done.wait(), 2)
        self.assertEqual(done.text().count("\n"), 2, done.text())  # the first is siblings.py's
        self.assertIn("set shareProcessNamespace: true", done.text())

    def test_user_namespace(self):
        pod = siblings.Pod(self)
        done = pod.container(
            "sidelight", [harness.BINARY, "run"], capabilities=ALL, has_users=True
        ).process
        self.assertEqual(done.wait(), 2, done.text())
        self.assertIn("hostUsers: false", done.text())

    def test_a_target_of_kubectl_debug(self):
        """An ephemeral container that shares one container's PID namespace only."""
        pod = siblings.Pod(self, shares=False)
        web = self.server(pod)
        other = self.server(pod, "other")
        for server in (web, other):
            server.process.wait_listening(server.port)
        pod.shares, pod.pause = True, web.wait_pid()
        sidelight = InPod(pod, name="debugger")
        sidelight.wait_watched("web")
        self.ask(web, sidelight, 5)


if __name__ == "__main__":
    world.enter()
    harness.main()
