# SPDX-License-Identifier: Apache-2.0
"""
Throughput beside an observer, in many short windows.

The clock of a shared machine swings by a tenth within seconds, so few long runs say little. Here
windows of a fraction of a second without and with an observer take turns; each observed one is held
against those right before and after it, and there are enough of them for the median to settle.
Beside sidelight stand, in the same turns, a bare capture (bare.py), and programs that do
nothing: what no observer at these hooks can get below.

With two CPUs the client has to share one with the observer, and with our programs for what the
server receives, which a loopback runs where it was sent. Where that CPU is the first to be out
of time, throughput tells of it more than of the server: hence two more figures, how many
requests the server answers in a second of its own CPU, and how much of that it takes unobserved.
"""
from bare import Bare
from bpf import EmptyPrograms
from table import Row
from world import Observer


class Windows:
    """
    measure() takes one window, after a while of load: requests per second, and per second of the
    server's CPU. check() is called before an Observer is left.
    """

    def __init__(self, binary, cgroup, cpu, measure, check):
        self.measure, self.check = measure, check
        self.watchers = {
            "": lambda: Observer(binary, cgroup, cpu),
            " beside a bare capture": lambda: Bare(cgroup),
            " beside empty programs": lambda: EmptyPrograms(cgroup),
        }
        self.ratios = {beside: [] for beside in self.watchers}
        self.busy = []

    def take(self, rounds):
        before = self.measure()
        for _ in range(rounds):
            for beside, enter in self.watchers.items():
                with enter() as watcher:
                    observed = self.measure()
                    if isinstance(watcher, Observer):
                        self.check(watcher)
                after = self.measure()
                self.busy.append(after[0] / after[1])
                self.ratios[beside].append([2 * o / (b + a)
                                            for b, o, a in zip(before, observed, after)])
                before = after

    def rows(self, name, server, budget):
        return [Row(f"{name}: {figure}{beside}", "ratio", [r[i] for r in ratios],
                    None if beside else budget, at_least=True)
                for i, figure in enumerate(("throughput", f"requests per CPU second of {server}"))
                for beside, ratios in self.ratios.items()] + \
            [Row(f"{name}: CPU that {server} takes, unobserved", "ratio", self.busy)]
