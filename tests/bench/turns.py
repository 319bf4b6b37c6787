# SPDX-License-Identifier: Apache-2.0
"""
Throughput of a server that is observed, against a like one beside it that is not, in turn.

The clock of a shared machine swings by a tenth within seconds, and to start an observer takes
longer than that: runs without and with one say little. Here both servers are there all the time, on
the same CPU, each in a cgroup of its own, and asked in turn, some 10 to 100 ms at a time; the
observer stays. Then it watches the other one, so that what differs between the two by chance (where
their memory lies) falls out: a ratio is the root of the two quotients.

What the observer takes from the server that it does not watch falls out as well. A row of its own
tells of it: how much that one does, against what it did right before and after.

In the same turns stand, beside sidelight, nobody (how far from 1 the method itself comes), and, if
`has_bare`, what tells how much of the rest is sidelight's own: programs that do nothing, and bare
captures (bare.py).

With two CPUs the client has to share one with the observer, and with our programs for what the
server receives, which a loopback runs where it was sent. Where that CPU is the first to be out
of time, throughput tells of it more than of the server: hence two more figures, how many
requests the server answers in a second of its own CPU, and how much of that it takes unobserved.
"""
import contextlib
import math
import statistics

from bare import Bare
from bpf import EmptyPrograms
from table import Row
from world import Observer

FIGURES = ("throughput", "requests per CPU second")
OURS, NOBODY, EMPTY = "", " beside nobody", " beside empty programs"
BARE, FORGETFUL = " beside a bare capture", " beside a bare capture that keeps nothing"


class Turns:
    """
    take(n) of a load asks both servers n times, and returns pairs of throughput and pairs of
    requests per second of the server's CPU. check() is called before an Observer is left, with
    how many times its server was asked.
    """

    def __init__(self, binary, cgroups, cpu, take, check, has_bare=True):
        self.cgroups, self.check = cgroups, check
        self.take = lambda count: [list(pairs) for pairs in take(count)]
        self.watchers = {
            NOBODY: contextlib.nullcontext,
            OURS: lambda cgroup: Observer(binary, cgroup, cpu),
        }
        if has_bare:
            self.watchers |= {
                BARE: Bare,
                FORGETFUL: lambda cgroup: Bare(cgroup, keeps=False),
                EMPTY: EmptyPrograms,
            }
        self.ratios = {who: [] for who in self.watchers}
        self.unwatched, self.busy = [], []

    def run(self, blocks, turns):
        for _ in range(blocks):
            halves = [{who: self._half(who, which, turns) for who in self.watchers}
                      for which in (0, 1)]
            for who, ratios in self.ratios.items():
                ratios.append([math.sqrt(first / second)
                               for first, second in zip(*(half[who] for half in halves))])

    def _half(self, who, which, turns):
        """The first server's figures by the second's, with one of them watched."""
        with self.watchers[who](self.cgroups[which]) as watcher:
            first = turns // 8 + 1
            self.take(first)
            figures = self.take(turns)
            if who == OURS:
                self.check(watcher, first + turns)
        self.unwatched.append((who, statistics.median(pair[not which] for pair in figures[0])))
        if who == NOBODY:
            rates, per_cpu = ([x for pair in pairs for x in pair] for pairs in figures)
            self.busy.append(statistics.mean(rates) / statistics.mean(per_cpu))
        return [statistics.median(a / b for a, b in pairs) for pairs in figures]

    def rows(self, name, server, budget):
        """The budget is that of both figures."""
        beside = [2 * rate / (before + after) for (_, before), (who, rate), (_, after)
                  in zip(self.unwatched, self.unwatched[1:], self.unwatched[2:]) if who == OURS]
        return [
            *(Row(f"{name}: {figure}{who}", "ratio", [r[i] for r in ratios],
                  None if who else budget, at_least=True)
              for i, figure in enumerate(FIGURES) for who, ratios in self.ratios.items()),
            Row(f"{name}: throughput of the server that is not watched", "ratio", beside),
            Row(f"{name}: CPU that {server} takes, unobserved", "ratio", self.busy),
        ]
