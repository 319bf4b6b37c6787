# SPDX-License-Identifier: Apache-2.0
"""
What it costs to copy whole heads and nothing more: bare.bpf.c. It shows how much of a figure is
sidelight's own.
"""
import os
import subprocess

from bpf import measured
from table import Row
from world import BUILT, BenchError, Watcher, stop


class Bare(Watcher):
    """Attached to a cgroup while entered; its process sleeps. Does it keep what it copies?"""

    def __init__(self, cgroup, keeps=True):
        self.command = [os.path.join(BUILT, name) for name in ("bare", "bare.bpf.o")]
        self.command += [cgroup, "own" if keeps else "same"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise BenchError("the bare capture does not start")
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()

    def copies(self):
        """How many segments were copied. It ends with this."""
        self.process.terminate()
        return int(self.process.stdout.read())


class BareRuns:
    """Runs of one kind of load beside the bare capture, one for each pair."""

    def __init__(self, cgroup):
        self.cgroup = cgroup
        self.net = []

    def take(self, load):
        with Bare(self.cgroup) as bare:
            spent, price, done = measured(bare, self.cgroup, load)
            # By CPUs that counted at once, some are counted as one.
            if bare.copies() < done.requests:
                raise BenchError("the bare capture missed segments")
        self.net.append(spent - price)

    def rows(self, name):
        return [Row(f"{name}: CPU per request of a bare capture, net", "us", self.net)]
