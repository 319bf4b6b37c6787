#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
sidelight-webhook while strangers flood it: every review of an API server is
answered, with p99 under 100 ms, on a connection that it keeps and on new ones.
Floods of handshakes take all the CPU that there is, also the test's own: there
a new connection may take longer, a kept one may not.

The floods come from its own address (as behind a node that translates
addresses) or from many others. On a machine that is busy with other programs
the best of three rounds counts for the time; for the answers, all of them do.
"""
import contextlib
import json
import resource
import socket
import ssl
import threading
import time

import harness
from admission import Server, pod, review
from harness import Case, main, wait_for

CROWD = harness.ROOT / "build" / "tests" / "e2e" / "crowd_driver"
REVIEWS = 120
ROUNDS = 3
P99_MAX_S = 0.1
SATURATED_MAX_S = 1.0
DROPPED = 'sidelight_webhook_connections_dropped_total{reason="%s"}'
HEAD = (b"POST /mutate-pod HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2000000\r\n\r\n")


def client_hello():
    """What a client of TLS sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


class Crowd:
    """Threads that hold connections of a kind, from an address each, until the end."""

    def __init__(self, case, server, say, threads=4, each=60, many=True):
        self.port = server.port
        self.tls = ssl._create_unverified_context()
        self.say = say
        self.each = each
        self.many = many
        self.ends = threading.Event()
        self.made = 0
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()
        case.own(self)

    def _run(self, number):
        held = []
        while not self.ends.is_set():
            source = f"127.0.{1 + (number * 50 + self.made) % 250}.1" if self.many else "127.0.0.1"
            with contextlib.suppress(OSError):
                plain = socket.create_connection(("127.0.0.1", self.port), timeout=2,
                                                 source_address=(source, 0))
                held.append(self.tls.wrap_socket(plain))
                held[-1].sendall(self.say)
                self.made += 1
            if len(held) > self.each:
                held.pop(0).close()
            for connection in held[:: 10]:
                with contextlib.suppress(OSError):
                    connection.send(b" " if self.say else b"")
        for connection in held:
            connection.close()

    def close(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()


class Floods(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self)
        self.body = json.dumps(review(pod()))
        self.tls = ssl.create_default_context(cafile=str(self.server.dir / "ca.crt"))
        self.kept = self.own(self.server.connect(tls=self.tls))
        self.ask(self.kept)

    def ask(self, connection):
        try:
            answer = self.server.post("/mutate-pod", self.body, connection=connection)
        except OSError as e:
            raise AssertionError(f"not answered ({e}): {self.drops()}") from e
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.patch)

    def ask_anew(self):
        with contextlib.closing(self.server.connect(tls=self.tls)) as connection:
            self.ask(connection)

    def p99(self, ask):
        times = []
        for _ in range(REVIEWS):
            start = time.monotonic()
            ask()
            times.append(time.monotonic() - start)
        return sorted(times)[REVIEWS * 99 // 100]

    def assert_answered(self, also_new=True, new_max=P99_MAX_S):
        """All of them, and in time."""
        sock = self.kept.sock
        asks = {"kept": lambda: self.ask(self.kept)}
        if also_new:
            asks["new"] = self.ask_anew
        for name, ask in asks.items():
            limit = new_max if name == "new" else P99_MAX_S
            best = min(self.rounds(ask, limit))
            print(f"{self.id().rsplit('.', 1)[1]}: {name} p99 {best * 1000:.1f} ms")
            self.assertLess(best, limit, f"{name}: {self.drops()}")
        self.assertIs(self.kept.sock, sock, "the kept connection was never closed")

    def drops(self):
        """By reason, for the message of a failure."""
        return [line for line in self.server.plain("/metrics").body.splitlines()
                if line.startswith("sidelight_webhook_connections_dropped") and
                not line.endswith(" 0")]

    def rounds(self, ask, limit):
        for _ in range(ROUNDS):
            p99 = self.p99(ask)
            yield p99
            if p99 < limit:
                return

    def crowd(self, sources, payload=b"", keep=600):
        """Connections from C: tens of thousands a second."""
        file = self.scratch("payload")
        file.write_bytes(payload)
        said = self.own(file.open("rb"))
        return self.spawn([CROWD, self.server.port, keep, sources], stdin=said)

    def wait_dropped(self, *reasons):
        wait_for(f"drops by {reasons}",
                 lambda: sum(self.server.metric(DROPPED % r) for r in reasons) > 0)

    def test_silent(self):
        """TCP connections that say nothing, from the API server's own address."""
        self.crowd(0, keep=2000)
        self.assert_answered()
        self.wait_dropped("silent")
        self.assertGreater(self.server.metric("sidelight_webhook_connections_evicted_total"), 0)

    def test_silent_from_many(self):
        self.crowd(200, keep=2000)
        self.assert_answered()
        self.wait_dropped("silent")

    def test_half_of_a_hello(self):
        """The first bytes of a handshake, and silence."""
        self.crowd(200, client_hello()[:100], keep=1500)
        self.assert_answered(new_max=SATURATED_MAX_S)
        self.wait_dropped("handshake", "hello", "silent")

    def test_hellos(self):
        """A whole ClientHello, which costs a signature, and silence; from many addresses."""
        self.crowd(200, client_hello(), keep=1500)
        self.assert_answered(new_max=SATURATED_MAX_S)
        self.wait_dropped("handshake", "hello", "silent")

    def test_hellos_from_one(self):
        """From the API server's own address: new connections queue, kept ones do not."""
        self.crowd(0, client_hello(), keep=1500)
        self.assert_answered(also_new=False)

    def test_not_tls(self):
        self.crowd(200, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", keep=300)
        self.assert_answered()
        self.wait_dropped("tls")

    def test_handshakes(self):
        """Whole handshakes, and silence."""
        crowd = Crowd(self, self.server, b"")
        wait_for("many handshakes", lambda: crowd.made > 200, seconds=30)
        self.assert_answered()
        self.wait_dropped("open")

    def test_slow_bodies(self):
        crowd = Crowd(self, self.server, HEAD + b" " * 120000)
        wait_for("many bodies", lambda: crowd.made > 150, seconds=30)
        for _ in range(200):
            self.assertEqual(self.server.plain("/metrics").status, 200, "pages have memory left")
        self.assert_answered()
        self.wait_dropped("memory", "open")

    def test_slow_heads_from_one(self):
        crowd = Crowd(self, self.server, HEAD[:60], many=False)
        wait_for("many heads", lambda: crowd.made > 200, seconds=30)
        self.assert_answered()
        self.wait_dropped("open")

    def test_it_rests_afterwards(self):
        """What the flood held is given back."""
        crowd = self.crowd(50, client_hello())
        wait_for("connections", lambda: self.server.metric("sidelight_webhook_connections") > 100)
        crowd.stop()
        wait_for("an end", lambda: self.server.metric("sidelight_webhook_connections") <= 1,
                 seconds=20)
        self.ask(self.kept)
        # That of the scrape itself is left.
        self.assertLess(self.server.metric("sidelight_webhook_request_bytes"), 4096)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
