#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
# tests/run: deadline 300
"""
gRPC of five implementations, both ends observed: every call of every kind,
with each status code, is counted once, under its method and its status, on
the server's side and on the client's. Streams that share a connection keep
their own durations.
"""
import statistics
import time

import harness
import observer
import peers
from observer import Sidelight
from peers import Call

MIB = 1 << 20
STREAMS = 100
COUNT = STREAMS - 1  # one is the sentinel's


@peers.for_each_language
class Languages(harness.Case):
    def start(self, language, *args, connections=1, workers=8, apart=False):
        """Server and client in one cgroup, or, apart, the client in one that nobody observes."""
        self.server = peers.Echo(self, language=language)
        self.sidelight = Sidelight(self, *args, cgroup=self.server.cgroup)
        group = self.cgroup() if apart else self.server.cgroup
        self.client = peers.Client(
            self, language, self.server.port, connections, workers, cgroup=group
        )
        self.sides = ("server",) if apart else ("server", "client")

    def settle(self):
        return peers.settle(self.sidelight, self.client, self.sides)

    def compare(self, calls, results, scrape):
        """Of calls that the server answers: client, handlers and sidelight tell the same."""
        peers.assert_as_asked(self, results, calls)
        self.assertEqual(self.server.calls(), peers.tally(calls), "the server's own account")
        for side in self.sides:
            peers.assert_counted(self, scrape, peers.named(peers.tally(calls)), side)
        self.assertEqual(scrape.lost(), {}, observer.health(scrape))

    # --- statuses

    def check_statuses(self, language):
        """Four kinds, all codes; no messages at all (trailers only), and some."""
        self.start(language, connections=2)
        codes = [*range(17), *([99] if language.free_codes else [])]
        calls = [
            Call(kind, code, messages=messages, bytes=100)
            for kind in peers.KINDS
            for code in codes
            for messages in (0, 3)
        ]
        results = self.client.run(calls * 2)
        self.compare(calls * 2, results, self.settle())

    # --- durations

    def check_durations_of_100_streams(self, language):
        """
        A method per stream, so that each has a histogram of its own. They begin
        one after the other, and end so, in another order: where a hundred things
        happen at once, most of them are late.
        """
        caps = ("--series-cap", "20000", "--route-cap", "1000")
        self.start(language, *caps, workers=STREAMS)
        self.client.run([Call("Unary", sleep=1)] * 300)
        begin_ms, end_ms = 4, 4
        calls = [
            Call(f"S{i:03d}", sleep=600 + end_ms * (i * 37 % COUNT) - begin_ms * i, bytes=10)
            for i in range(COUNT)
        ]
        # Between socket and handler a busy machine takes its time: then it may try again.
        for _ in range(3):
            before = self.sidelight.scrape()
            start = time.monotonic()
            for i, call in enumerate(calls):
                # The load itself: calls have their times.
                time.sleep(max(0, start + begin_ms * i / 1000 - time.monotonic()))
                self.client.feed([call])
            self.client.wait_ended()
            results = self.client.results()[-COUNT:]
            after = self.settle()
            worst = max(
                self.each_stream(language, before, after, side, results) for side in self.sides
            )
            if worst <= 1:
                break
        self.assertLessEqual(worst, 1)

    def each_stream(self, language, before, after, side, results):
        """The median error, as a part of what is allowed."""
        errors = []
        for result in results:
            method = {"rpc_method": peers.SERVICE + result.method}
            count, seconds = (
                after.sum(name, **method) - before.sum(name, **method)
                for name in (
                    f"rpc_{side}_call_duration_seconds_count",
                    f"rpc_{side}_call_duration_seconds_sum",
                )
            )
            self.assertEqual(count, 1, result)
            # No shorter than the handler's sleep, no longer than the client's wait.
            slept = result.slept_ns / 1e9
            self.assertGreaterEqual(seconds, slept - 0.0005, (side, result))
            self.assertLessEqual(seconds, result.duration_ns / 1e9 + 0.0005, (side, result))
            errors.append((seconds - slept) / (0.001 + 0.01 * slept))
        print(
            f"\nfigure: {language.name}, {side}, 100 streams at once: duration off by"
            f" {statistics.median(errors):.2f} of 1 ms + 1 % (median), {max(errors):.2f} (most)",
            flush=True,
        )
        return statistics.median(errors)

    # --- what ends early, and what is large

    def check_early_ends(self, language):
        """Deadline and cancellation race with an answer; what is counted is what was on the wire."""
        self.start(language)
        late = [Call("S001", sleep=1500, deadline=150), Call("Chat", 0, 1500, 2, 10, 150)] * 4
        cancelled = [Call("S002", sleep=1500, cancel=150)] * 4
        results = self.client.run(late + cancelled)
        for result in results[: len(late)]:
            self.assertEqual(peers.STATUS[result.code], "DEADLINE_EXCEEDED", result)
        for result in results[len(late) :]:
            self.assertEqual(peers.STATUS[result.code], "CANCELLED", result)
        scrape = self.settle()
        for side in self.sides:
            got = peers.counted(scrape, side)
            self.assertEqual(got.pop(("e2e.Echo/S002", "CANCELLED"), 0), len(cancelled), got)
            by_method = {"e2e.Echo/S001": 0, "e2e.Echo/Chat": 0}
            for (method, status), count in got.items():
                self.assertIn(status, ("DEADLINE_EXCEEDED", "CANCELLED"), got)
                by_method[method] += count
            self.assertEqual(set(by_method.values()), {len(late) // 2}, got)

    def check_large_metadata(self, language):
        """64 KiB either way, among small ones."""
        self.start(language, apart=True)
        calls = [Call("S003", extra=language.metadata_max), Call("S004", 5, bytes=10)] * 5
        self.compare(calls, self.client.run(calls), self.settle())

    def check_large_messages(self, language):
        """1 MiB, of which next to nothing is copied."""
        self.on_one_cpu()
        self.start(language, apart=True)
        calls = [Call("Unary", bytes=MIB), Call("Chat", messages=2, bytes=MIB)] * 5
        results = self.client.run(calls)
        scrape = self.settle()
        self.compare(calls, results, scrape)
        # The BPF programs report its volume in lots, and the rest at the end of the connection.
        self.client.finish()
        harness.wait_for(
            "the connection's end",
            lambda: self.sidelight.scrape().sum("sidelight_connections_open") == 0,
        )
        scrape = self.sidelight.scrape()
        sent = sum(r.sent + r.received for r in results) * MIB
        copied = scrape.sum("sidelight_captured_bytes_total")
        print(
            f"\nfigure: {language.name}: {copied / len(calls):,.0f} bytes captured per call of"
            f" {sent / len(calls):,.0f}: {copied / sent:.3%}",
            flush=True,
        )
        self.assertLess(copied, 0.005 * sent, observer.health(scrape))


if __name__ == "__main__":
    harness.main()
