#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`sidelight syscalls` in a Pod, with the capabilities of the sidecar: each container under its name,
processes by the numbers that the Pod has for them; not itself, and not what another Pod does.
"""
import json
import os
import signal

import harness
import siblings
import world
from test_siblings import ALL, pid_in_pod
from test_syscalls import DRIVER, total


class InPod(harness.Case):
    def count(self, pod, *args):
        out = self.scratch("out")
        argv = ["sh", "-c", 'exec "$@" >"$0"', out, harness.BINARY, "syscalls", "--format=json"]
        container = pod.container("sidelight", [*argv, *args], capabilities=ALL)
        harness.wait_for("it to count", lambda: "syscalls: counting" in container.process.text())
        container.out = out
        return container

    def end(self, container):
        container.signal(signal.SIGINT)
        self.assertEqual(container.process.wait(), 0, container.process.text())
        return json.loads(container.out.read_text())

    def driver(self, pod, name, count):
        """A container that makes so many calls once it is let go, and is there before."""
        fifo = self.scratch("fifo")
        os.mkfifo(fifo)
        script = f"echo ready >&2; read go <{fifo}; {DRIVER} threads 2 {count}; " \
                 "echo done >&2; exec sleep infinity"
        container = pod.container(name, ["sh", "-c", script])
        container.wait_pid()
        container.go = fifo
        harness.wait_for(name, lambda: "ready" in container.process.text())
        return container

    def let_go(self, container):
        container.go.write_text("go\n")
        harness.wait_for("its calls", lambda: "done" in container.process.text())

    def test_containers_by_name(self):
        pod, other = siblings.Pod(self), siblings.Pod(self)
        web, db = self.driver(pod, "web", 10), self.driver(pod, "db", 20)
        foreign = self.driver(other, "web", 1000)
        counting = self.count(pod)
        late = self.driver(pod, "late", 30)
        harness.wait_for("late", lambda: "watching container late" in counting.process.text())
        for container in (web, db, late, foreign):
            self.let_go(container)
        rows = self.end(counting)["rows"]
        for name, count in (("web", 10), ("db", 20), ("late", 30)):
            self.assertEqual(total(rows, call="sendto", container=name), 2 * count)
        self.assertEqual({row["container"] for row in rows}, {"web", "db", "late"})
        # As `ps` in the Pod shows them: there are few processes in it.
        numbers = {row["process"] for row in rows} | {row["thread"] for row in rows}
        self.assertNotIn(None, numbers)
        self.assertLess(max(numbers), 1000)
        self.assertEqual({row["process_name"] for row in rows}, {"calls_driver"})

    def test_only_those_that_are_named(self):
        pod = siblings.Pod(self)
        web, db = self.driver(pod, "web", 10), self.driver(pod, "db", 20)
        counting = self.count(pod, "--containers", "db")
        self.let_go(web)
        self.let_go(db)
        rows = self.end(counting)["rows"]
        self.assertEqual({row["container"] for row in rows}, {"db"})

    def test_process_numbers(self):
        """The main process of a container, by the number that /proc has for it in the Pod."""
        pod = siblings.Pod(self)
        counting = self.count(pod)
        web = pod.container("web", [DRIVER, "block", "1000"])
        web.wait_pid()
        harness.wait_for("watching", lambda: "watching container web" in counting.process.text())
        number = int(pid_in_pod(web))
        harness.wait_for("the byte", lambda: "waited" in web.process.text())
        rows = self.end(counting)["rows"]
        self.assertEqual({row["process"] for row in rows}, {number})
        self.assertEqual(total(rows, call="write"), 1)


if __name__ == "__main__":
    world.enter()
    harness.main()
