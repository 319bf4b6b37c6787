#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
# tests/run: deadline 300
"""
Attached while a hundred gRPC connections are busy: their header tables are
lost. Calls are counted all the same, and of their methods and statuses only
what is certain is told.
"""
import collections
import threading
import time

import harness
import observer
import peers
from observer import Sidelight
from peers import Call

CONNECTIONS = 100
# Each method has one status: a pair that is not here would be made up.
LOAD = [
    Call("Unary", bytes=20),
    Call("S001", 5, bytes=20),
    Call("S002", 10, sleep=5),
    Call("Collect", messages=3, bytes=50),
    Call("Expand", 9, messages=2, bytes=3000),
    Call("Chat", messages=2, bytes=20),
]
AFTERWARDS = [Call("S010", 0), Call("S011", 6), Call("S012", 16), Call("Unary")] * 50


class Feeder:
    """Keeps calls on all connections until stop()."""

    def __init__(self, client):
        self.client = client
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def ended(self):
        return max(0, self.client.process.text().count("\n") - 1)

    def work(self):
        while not self.stopped.is_set():
            if self.client.fed - self.ended() < 2 * CONNECTIONS:
                self.client.feed(LOAD * 20)
            else:
                time.sleep(0.005)  # the load itself: enough is under way

    def stop(self):
        self.stopped.set()
        self.thread.join()


@peers.for_each_language
class Joined(harness.Case):
    def check_busy_connections(self, language):
        server = peers.Echo(self, language=language)
        client = peers.Client(
            self, language, server.port, CONNECTIONS, CONNECTIONS, cgroup=server.cgroup
        )
        feeder = self.own(Feeder(client))
        harness.wait_for("the load", lambda: feeder.ended() > 5 * CONNECTIONS, 60)
        begun_ns = time.time_ns()
        # Of older connections everything is sent: a ring that holds it when we are late.
        sidelight = Sidelight(self, "--ring-bytes", "8M", cgroup=server.cgroup)
        attached_ns = time.time_ns()
        sofar = client.fed
        harness.wait_for("more load", lambda: feeder.ended() > sofar + 10 * CONNECTIONS, 60)
        feeder.stop()
        harness.wait_for("the calls to end", lambda: feeder.ended() == client.fed, 60)
        results = client.results()
        self.assertEqual(set(peers.tally(results)), set(peers.tally(LOAD)))
        scrape = peers.settle(sidelight, client, ("server", "client"))

        # Node's clock of the day has milliseconds.
        certain = [r for r in results if r.start_ns - 1_000_000 > attached_ns]
        possible = [r for r in results if r.start_ns + r.duration_ns + 1_000_000 > begun_ns]
        self.assertGreater(len(certain), 5 * CONNECTIONS)
        for side in ("server", "client"):
            self.compare_counts(scrape, side, certain, possible, language)
        self.go_on(sidelight, client, scrape)

    def compare_counts(self, scrape, side, certain, possible, language):
        got = peers.counted(scrape, side)
        health = observer.health(scrape)
        self.assertGreaterEqual(got.total(), len(certain), health)
        self.assertLessEqual(got.total(), len(possible), health)
        self.assert_true_pairs(got, peers.named(peers.tally(possible)))
        known = sum(n for (method, _), n in got.items() if method != "unknown")
        with_status = sum(n for (_, status), n in got.items() if status != "unknown")
        print(
            f"\nfigure: {language.name}, joined late, {side}: {got.total()} calls, the method is"
            f" known of {known / got.total():.1%}, the status of {with_status / got.total():.1%}",
            flush=True,
        )

    def assert_true_pairs(self, got, sent):
        """Nothing that was not sent, and nothing more often than it was."""
        for (method, status), count in got.items():
            most = sum(
                n
                for (m, s), n in sent.items()
                if method in (m, "unknown") and status in (s, "unknown")
            )
            self.assertLessEqual(count, most, f"{method} {status} of {sent}")

    def go_on(self, sidelight, client, before):
        """The same connections, and now every call is certain."""
        results = client.run(AFTERWARDS * 5)
        self.assertEqual(peers.tally(results), peers.tally(AFTERWARDS * 5))
        scrape = peers.settle(sidelight, client, ("server", "client"))
        for side in ("server", "client"):
            then, now = peers.counted(before, side), peers.counted(scrape, side)
            more = now - then
            self.assertEqual(more.total(), len(results), observer.health(scrape))
            self.assert_true_pairs(more, peers.named(peers.tally(results)))
            # Methods that are new to a connection come in full.
            methods = collections.Counter()
            for (method, _), count in more.items():
                methods[method] += count
            for name in ("S010", "S011", "S012"):
                self.assertEqual(methods[peers.SERVICE + name], len(results) // 4, methods)
        self.assertEqual(scrape.lost(), {}, observer.health(scrape))


if __name__ == "__main__":
    harness.main()
