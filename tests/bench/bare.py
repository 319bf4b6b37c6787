# SPDX-License-Identifier: Apache-2.0
"""
What the least costs that a capture through the kernel's ring does: bare.bpf.c. It shows how much of
a figure is sidelight's own, and what no such capture can get below on this machine.
"""
import os
import subprocess

from bpf import measured
from table import Row
from world import BenchError, Watcher, stop

BUILT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tests/bench")


class Bare(Watcher):
    """Attached to a cgroup while entered; its reader is on one CPU."""

    def __init__(self, cgroup, cpu):
        self.command = ["taskset", "-c", str(cpu), os.path.join(BUILT, "bare"),
                        os.path.join(BUILT, "bare.bpf.o"), cgroup]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise BenchError("the bare capture does not start")
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()

    def records(self):
        """How many were copied. It ends with this."""
        self.process.terminate()
        return int(self.process.stdout.read())


class BareRuns:
    """Runs of one kind of load beside the bare capture, one for each pair."""

    def __init__(self, cgroup, cpu):
        self.cgroup, self.cpu = cgroup, cpu
        self.rates, self.net = [], []

    def take(self, load):
        with Bare(self.cgroup, self.cpu) as bare:
            before = bare.cpu_us()
            done = load()
            user = (bare.cpu_us() - before) / done.requests
            spent, price, again = measured(bare, self.cgroup, load)
            if bare.records() < 2 * (done.requests + again.requests):
                raise BenchError("the bare capture missed segments")
        self.rates.append(done.rate)
        self.net.append(spent - price + user)

    def rows(self, name, plain):
        """plain: requests per second, unobserved, before each run and after the last."""
        return [
            Row(f"{name}: throughput of a bare capture", "ratio", [
                2 * rate / (plain[i] + plain[i + 1]) for i, rate in enumerate(self.rates)]),
            Row(f"{name}: CPU per request of a bare capture, net", "us", self.net),
        ]
