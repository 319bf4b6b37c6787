#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Everything from outside at once, for SIEGE_MINUTES (10): attacks on a watched
server, on /metrics, on the Pushgateway's side and on the webhook, while honest
ones ask, scrape, push and review. sidelight is in a cgroup of what is injected
(128Mi), the webhook in one of its manifest's limit (64Mi).

It holds that nothing ends, that the honest requests are counted exactly, and
that of the honest scrapes, pushes and reviews 99 % take less than 100 ms.
"""
import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import admission
import gateway
import harness
import servers
from honest import Client, Honest, ask_once
from memory import MemoryGroup
from observer import Sidelight, http_get

SECONDS = float(os.environ.get("SIEGE_MINUTES", "10")) * 60
P99_MS = 100
MIB = 1 << 20

ON_SERVER = ("unfinished_heads", "unfinished_frames", "idle_connections", "scanner",
             "tiny_fields", "resets")
ON_METRICS = ("deaf_readers", "pipelined_scrapes", "fast_scrapes")
ON_WEBHOOK = ("silent_connections", "handshakes", "silent_handshakes", "unfinished_bodies",
              "wide_json")


def p99(times):
    return sorted(times)[len(times) * 99 // 100]


class Siege(harness.Case):
    def group(self, name, limit):
        return self.own(MemoryGroup(name, limit))

    def attack(self, names, port):
        for name in names:
            # The CPU that strangers take for themselves is not the machine's that they attack.
            self.attackers[name] = self.spawn(
                ["nice", "-n", "19", sys.executable, HERE / "attackers.py", name, port])

    def honest(self, name, pause, act):
        self.honests.append(self.own(Honest(name, pause, act)))
        self.honests[-1].start()

    def scrape(self):
        status, text = http_get(self.sidelight.port, "/metrics", seconds=10)
        assert status == 200 and text.endswith("\n"), (status, text[-80:])
        # Not parsed whole: that would take longer than the scrape.
        took = re.search(r"^sidelight_push_last_duration_seconds\S* (\S+)", text, re.M)
        self.push_ms.append(float(took[1]) * 1e3)

    def review(self):
        connection = self.webhook.connect()
        try:
            answer = self.webhook.post("/mutate-pod", admission.review(admission.pod()),
                                       connection=connection)
            assert answer.status == 200, answer.status
        finally:
            connection.close()

    def test_siege(self):
        self.attackers, self.honests, self.push_ms = {}, [], []
        ours, bad, hook = (self.group(*g) for g in (
            ("sidelight", 128 * MIB), ("gateway", 128 * MIB), ("webhook", 64 * MIB)))
        server = servers.Nginx(self)
        pushed = gateway.Pushgateway(self)
        hostile = harness.free_port()
        self.attack(["hostile_gateway"], hostile)
        self.sidelight = Sidelight(self, "--metrics-age", "1", "--push", pushed.url, "--push-interval", "1",
                                   cgroup=server.cgroup, before=ours.enter)
        victim = Sidelight(self, "--metrics-age", "1", "--push", f"http://127.0.0.1:{hostile}", "--push-interval", "1",
                           cgroup=server.cgroup, before=bad.enter)
        self.webhook = admission.Server(self, before=hook.enter)
        self.sidelight.settle(server.port)
        kept = Client(server.port)
        self.own(kept)
        self.honest("requests", 0.005, kept.ask)
        self.honest("connections", 0.05, lambda: ask_once(server.port))
        self.honest("scrapes", 1, self.scrape)
        self.honest("reviews, kept connection", 0.2,
                    lambda: self.webhook.review(admission.pod()))
        self.honest("reviews, new connection", 1, self.review)
        self.attack(ON_SERVER, server.port)
        self.attack(ON_METRICS, self.sidelight.port)
        self.attack(ON_WEBHOOK, self.webhook.port)
        self.hold((self.sidelight.process, victim.process, self.webhook.process,
                   server.process, pushed.process))
        for attacker in self.attackers.values():
            attacker.stop()
        for honest in self.honests:
            honest.stop()
        self.judge(server, pushed, (ours, bad, hook))

    def hold(self, processes):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(1)  # the time for which it is to hold
            for process in (*processes, *self.attackers.values()):
                self.assertTrue(process.is_running(), f"{process.argv}\n{process.text()}")

    def judge(self, server, pushed, groups):
        print(f"\n{'':28}{'number':>8}{'failed':>8}{'p99 ms':>9}")
        for honest in self.honests:
            print(f"{honest.name:28}{len(honest.times):8}{len(honest.failures):8}"
                  f"{p99(honest.times):9.1f}")
        print(f"{'pushes':28}{len(self.push_ms):8}{'':8}{p99(self.push_ms):9.1f}")
        for group in groups:
            print(f"memory of {group.path.name:40} at most {group.peak() / MIB:6.1f} MiB")
        harness.wait_for("nginx to have logged", lambda: len(server.log()) > 0)
        honest = sum(e == ("GET", "/hello", "200") for e in server.log())
        scrape = self.sidelight.settle(server.port)
        counted = scrape.requests()["GET", "/hello", "200"]
        print(f"honest requests: {honest} served, {counted} counted; lost: {scrape.lost()}")
        harness.wait_for("the last push", lambda: pushed.metrics().sum(
            "http_server_request_duration_seconds_count", http_route="/hello",
            http_response_status_code="200", http_request_method="GET") == honest)
        for honest_thread in self.honests:
            with self.subTest(honest_thread.name):
                self.assertEqual(honest_thread.failures, [])
                if honest_thread.name not in ("requests", "connections"):
                    self.assertLess(p99(honest_thread.times), P99_MS)
        for group in groups:
            self.assertEqual(group.kills(), 0, group.path.name)
        self.assertEqual(counted, honest)
        failed = {labels["result"]: n for labels, n in scrape.each("sidelight_pushes_total")
                  if n and labels["result"] != "ok"}
        self.assertEqual(failed, {}, "pushes that failed")
        self.assertLess(p99(self.push_ms), P99_MS)


if __name__ == "__main__":
    harness.main()
