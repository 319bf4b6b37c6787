#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
TCP's numbers of connections, while they live and when they end: against what `ss` says of the same
sockets, and against what the ends did.
"""
# tests/run: shares the machine
import json
import re
import subprocess

import harness
import network
from observer import Sidelight
from tracing import Unix, body_of

OPEN = "sidelight_tcp_connections_open"
RESETS = "sidelight_tcp_resets_total"
RETRANSMITS = "sidelight_tcp_retransmits_total"
ZERO = "sidelight_tcp_zero_window_connections"
LIMITED = "sidelight_tcp_receive_window_limited_seconds_total"
MEAN = "sidelight_tcp_open_round_trip_mean_seconds"
MAX = "sidelight_tcp_open_round_trip_max_seconds"
HANDSHAKES = "sidelight_tcp_handshake_seconds"
LIVES = "sidelight_tcp_connection_duration_seconds"


class End:
    """tests/servers/tcp_end.py: do() returns the number that it answers."""

    def __init__(self, case, **more):
        self.process = case.spawn(
            ["python3", harness.ROOT / "tests" / "servers" / "tcp_end.py"],
            stdin=subprocess.PIPE, **more
        )
        self.answers = 0
        case.own(self)

    def close(self):
        self.process.popen.stdin.close()

    def tell(self, *words):
        self.process.popen.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.popen.stdin.flush()
        self.answers += 1

    def answer(self):
        lines = lambda: self.process.text().splitlines()
        harness.wait_for("an answer of an end", lambda: len(lines()) >= self.answers, seconds=60)
        return int(lines()[self.answers - 1])

    def do(self, *words):
        self.tell(*words)
        return self.answer()


class Tcp(harness.Case):
    def setUp(self):
        super().setUp()
        self.watched = self.cgroup()
        self.path = self.dir / "control.sock"

    def start(self, host="127.0.0.1", **more):
        """The end that is watched, and the other one; netns of each in `more`."""
        self.near = End(self, cgroup=self.watched, netns=more.get("near"))
        self.far = End(self, netns=more.get("far"))
        self.sidelight = Sidelight(self, "--control", self.path, cgroup=self.watched)
        self.host = host

    def accept(self, count=1):
        """The watched end is the server of so many connections."""
        if not hasattr(self, "port"):
            self.port = self.near.do("listen", self.host)
        for _ in range(count):
            self.far.do("connect", self.host, self.port)
            self.near.do("accept")

    def connect(self):
        """The watched end is the client."""
        self.port = self.far.do("listen", self.host)
        self.near.do("connect", self.host, self.port)
        self.far.do("accept")

    def exchange(self, number=0, count=100):
        """Bytes in both directions, by each end."""
        for sender, receiver in ((self.near, self.far), (self.far, self.near)):
            sender.do("send", number, count)
            receiver.do("receive", number, count)

    def line(self):
        data = self.own(Unix(self.path, "/connections")).read(lambda data: b"0\r\n\r\n" in data)
        return json.loads(body_of(data))

    def connections(self):
        line = self.line()
        self.assertEqual(len(line["connections"]) + line["left_out"], line["connections_open"])
        self.assertTrue(line["complete"])
        return line["connections"]

    def ss(self, which, netns=None):
        """Numbers of the one socket that matches, as `ss -ti` prints them."""
        enter = ["ip", "netns", "exec", netns] if netns else []
        text = harness.run([*enter, "ss", "-tinOH", "state", "connected", *which.split()]).stdout
        self.assertEqual(text.count("\n"), 1, text)
        number = lambda word, kind: kind((re.search(rf"\b{word}:([0-9.]+)", text) or [0, "0"])[1])
        total = re.search(r"\bretrans:\d+/(\d+)", text)
        return {
            "rtt_ns": round(number("rtt", float) * 1e6),
            "bytes_received": number("bytes_received", int),
            "bytes_sent": number("bytes_acked", int),
            "retransmits": int(total[1]) if total else 0,
            "limited": re.search(r"\brwnd_limited:(\d+)ms", text),
        }

    def test_numbers_of_a_server(self):
        self.start()
        self.accept()
        self.exchange(count=10_000)
        truth = self.ss(f"sport = :{self.port}")
        (row,) = self.connections()
        self.assertEqual(row["role"], "server")
        self.assertEqual(row["container"], self.watched.path.name)
        self.assertTrue(row["local"].endswith(f":{self.port}"), row)
        self.assertNotEqual(row["peer"], row["local"])
        for name in ("bytes_received", "bytes_sent", "rtt_ns", "retransmits"):
            self.assertEqual(row[name], truth[name], name)
        self.assertIsNone(row["zero_window"])
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(OPEN, role="server"), 1)
        self.assertEqual(scrape.sum(OPEN), 1)
        self.assertAlmostEqual(scrape.sum(MEAN), truth["rtt_ns"] / 1e9, places=5)
        self.assertAlmostEqual(scrape.sum(MAX), truth["rtt_ns"] / 1e9, places=5)
        self.assertEqual(scrape.sum(HANDSHAKES + "_count", role="server"), 1)
        self.assertLess(scrape.sum(HANDSHAKES + "_sum"), 1)

    def test_a_client_has_the_address_of_its_server(self):
        self.start()
        self.connect()
        self.exchange()
        (row,) = self.connections()
        self.assertEqual((row["role"], row["peer"]), ("client", f"127.0.0.1:{self.port}"))
        scrape = self.sidelight.scrape()
        labels = {"role": "client", "server_address": "127.0.0.1", "server_port": str(self.port)}
        self.assertEqual(scrape.sum(OPEN, **labels), 1)
        self.assertEqual(scrape.sum(HANDSHAKES + "_count", role="client"), 1)

    def test_connections_that_are_older(self):
        """They have no age, and listeners tell who is the server."""
        self.near = End(self, cgroup=self.watched)
        self.far = End(self)
        self.host = "127.0.0.1"
        self.accept()
        self.sidelight = Sidelight(self, "--control", self.path, cgroup=self.watched)
        (row,) = self.connections()
        self.assertEqual((row["role"], row["age_ns"], row["conn"]), ("server", None, None))

    def test_life(self):
        self.start()
        self.accept(2)
        for number in range(2):
            self.exchange(number)
        ages = [row["age_ns"] for row in self.connections()]
        self.assertTrue(all(0 <= age < 60e9 for age in ages), ages)
        for end in (self.far, self.near):
            end.do("close", 0)
        # Lists that follow each other closely are the same.
        harness.wait_for("one that is open", lambda: len(self.connections()) == 1)
        harness.wait_for("a count of it", lambda: self.sidelight.scrape().sum(OPEN) == 1)
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(LIVES + "_count", role="server"), 1)
        self.assertAlmostEqual(scrape.sum(LIVES + "_sum"), min(ages) / 1e9, delta=30)
        self.assertEqual(scrape.sum(RESETS), 0)

    def reset(self, resetting, side):
        self.accept()
        self.exchange()
        resetting.do("linger", 0)
        resetting.do("close", 0)
        harness.wait_for("the reset", lambda: self.sidelight.scrape().sum(RESETS) == 1)
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(RESETS, side=side), 1, scrape.text)

    def test_reset_by_the_peer(self):
        self.start()
        self.reset(self.far, "peer")

    def test_reset_by_this_end(self):
        self.start()
        self.reset(self.near, "local")

    def test_resets_of_connections_that_are_muted(self):
        self.start()
        self.accept(2)
        for number in range(2):
            for _ in range(12):
                self.exchange(number)
        muted = "sidelight_connections_muted_total"
        harness.wait_for("both muted", lambda: self.sidelight.scrape().sum(muted) == 2)
        for end, number in ((self.near, 0), (self.far, 1)):
            end.do("linger", number)
            end.do("close", number)
        harness.wait_for("the resets", lambda: self.sidelight.scrape().sum(RESETS) == 2)
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(RESETS, side="peer"), 1)
        self.assertEqual(scrape.sum(RESETS, side="local"), 1)
        self.assertEqual(scrape.sum(LIVES + "_count", role="server"), 2)

    def test_a_reader_that_does_not_read(self):
        self.start()
        self.accept()
        self.near.do("fill", 0)
        harness.wait_for(
            "a zero window", lambda: self.sidelight.scrape().sum(ZERO, side="peer") == 1
        )
        (row,) = self.connections()
        self.assertEqual(row["zero_window"], "peer")
        scrape = self.sidelight.scrape()
        self.assertEqual(scrape.sum(ZERO, side="local"), 0)
        self.assertGreater(scrape.sum(LIMITED), 0)
        truth = self.ss(f"sport = :{self.port}")["limited"]
        self.assertGreater(int(truth[1]), 0)
        self.assertLessEqual(scrape.sum(LIMITED), int(truth[1]) / 1e3 + 0.002)

    def test_a_window_that_is_our_own(self):
        """Since Linux 6.2 the kernel tells."""
        self.start()
        self.accept()
        self.far.do("fill", 0)
        harness.wait_for(
            "a zero window", lambda: self.sidelight.scrape().sum(ZERO, side="local") == 1
        )
        (row,) = self.connections()
        self.assertEqual(row["zero_window"], "local")

    def test_retransmissions_while_it_lives(self):
        wire = network.Veth(self)
        self.start(host=network.SERVER, near=wire.server, far=wire.client)
        self.accept()
        self.exchange()
        wire.drop_where([wire.client], "nth", "--every", "4", "--packet", "1")
        self.near.tell("send", 0, 400_000)
        self.far.do("receive", 0, 400_000)
        self.near.answer()
        truth = self.ss(f"sport = :{self.port}", wire.server)
        self.assertGreater(truth["retransmits"], 0)
        # The last segments may go once more before they are acknowledged.
        scrape = self.sidelight.scrape()
        self.assertGreaterEqual(scrape.sum(RETRANSMITS, role="server"), truth["retransmits"])
        (row,) = self.connections()
        later = self.ss(f"sport = :{self.port}", wire.server)
        self.assertTrue(truth["retransmits"] <= row["retransmits"] <= later["retransmits"])
        # At the end nothing is counted twice.
        self.near.do("linger", 0)
        self.near.do("close", 0)
        harness.wait_for("the end", lambda: self.sidelight.scrape().sum(OPEN) == 0)
        scrape = self.sidelight.scrape()
        self.assertTrue(
            row["retransmits"] <= scrape.sum(RETRANSMITS) <= later["retransmits"] + 2, scrape.text
        )

    def test_retransmissions_that_nobody_saw_alive(self):
        wire = network.Veth(self)
        self.start(host=network.SERVER, near=wire.server, far=wire.client)
        self.accept()
        self.exchange()
        wire.drop_where([wire.client], "nth", "--every", "4", "--packet", "1")
        self.near.tell("send", 0, 400_000)
        self.far.do("receive", 0, 400_000)
        self.near.answer()
        truth = self.ss(f"sport = :{self.port}", wire.server)["retransmits"]
        self.near.do("linger", 0)
        self.near.do("close", 0)
        scrape = self.sidelight.scrape()
        self.assertTrue(truth <= scrape.sum(RETRANSMITS) <= truth + 2, scrape.text)

    def test_a_thousand(self):
        self.start()
        self.accept(1000)
        line = self.line()
        self.assertEqual((line["connections_open"], line["left_out"]), (1000, 0))
        self.assertEqual(len({row["peer"] for row in line["connections"]}), 1000)
        # In one page or the next: the list may take longer than a page waits.
        harness.wait_for("all of them", lambda: self.sidelight.scrape().sum(OPEN) == 1000)
        scrape = self.sidelight.scrape()
        self.assertEqual(len(list(scrape.each(OPEN))), 2, "strangers choose no labels")

    def test_many_servers(self):
        """Labels are bounded: 64 servers have their own, the rest is _OTHER."""
        self.start()
        for _ in range(70):
            self.connect()
        harness.wait_for("all of them", lambda: self.sidelight.scrape().sum(OPEN) == 70)
        scrape = self.sidelight.scrape()
        self.assertEqual(len(list(scrape.each(OPEN, role="client"))), 66)
        self.assertEqual(scrape.sum(OPEN, server_address="_OTHER"), 6)

    def test_requests(self):
        self.start()
        self.accept()
        self.assertIsNone(self.connections()[0]["requests"])

    def top(self, *args):
        return harness.run(
            [harness.BINARY, "top", "--once", "--control", self.path, "--by=connection", *args]
        ).stdout

    def test_top(self):
        self.start()
        self.accept(2)
        self.exchange(1, 5000)
        text = self.top("--sort=bytes")
        lines = text.splitlines()
        self.assertEqual(lines[0], " 2 connections open")
        self.assertRegex(lines[2], r"PEER +LOCAL +.*AGE +RTT +RETRANS +RECEIVED +SENT\*")
        self.assertRegex(lines[3], r"127\.0\.0\.1:\d+ .* 5\.0 kB +5\.0 kB")
        self.assertEqual(len(lines), 5)
        self.assertEqual(json.loads(self.top("--format=json"))["connections_open"], 2)

    def test_followers(self):
        """A line at once, and another each second."""
        self.start()
        self.accept()
        client = self.own(Unix(self.path, "/connections?follow=1"))
        data = client.read(lambda data: body_of(data).count(b"\n") >= 2 if b"\r\n\r\n" in data
                           else False)
        for line in body_of(data).splitlines():
            self.assertEqual(json.loads(line)["connections_open"], 1)

    def test_questions(self):
        self.start()
        client = self.own(Unix(self.path, "/connections?colour=red"))
        answer = client.read(lambda data: re.search(rb"\r\n\r\n.*\n", data, re.S)).decode()
        self.assertIn("HTTP/1.1 400 ", answer)
        self.assertIn('no condition "colour"', answer)


if __name__ == "__main__":
    harness.main()
