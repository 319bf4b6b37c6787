#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
How calls end when not by a status of their handler: streams reset by either
end, answers that are no gRPC, connections that are lost; and calls that pass
a proxy.
"""
import collections
import itertools
import signal

import harness
import observer
import peers
import servers
from observer import Sidelight
from peers import Call

# The gRPC documents PROTOCOL-HTTP2.md and http-grpc-status-mapping.md, by heart. A code of a reset
# that they do not name is either.
NO_WORD = ("INTERNAL", "UNKNOWN")
RESETS = {
    0: "INTERNAL",
    1: "INTERNAL",
    2: "INTERNAL",
    3: "INTERNAL",
    4: "INTERNAL",
    5: NO_WORD,
    6: "INTERNAL",
    7: "UNAVAILABLE",
    8: "CANCELLED",
    9: "INTERNAL",
    10: "INTERNAL",
    11: "RESOURCE_EXHAUSTED",
    12: "PERMISSION_DENIED",
    99: NO_WORD,
}
HTTP = {
    200: "UNKNOWN",
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    418: "UNKNOWN",
    429: "UNAVAILABLE",
    500: "UNKNOWN",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}


class Resets(servers.Fixture):
    programs = ("node",)
    argv = ("node", harness.SERVERS / "resets.js", "server")


class Ends(harness.Case):
    TIMES = 3

    def test_resets_and_answers_that_are_no_grpc(self):
        server = Resets(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        expected = {f"R{code}": status for code, status in RESETS.items()}
        # With a head and no error, the stream has ended by a status that never came.
        expected |= {f"H{code}": status for code, status in RESETS.items()}
        expected |= {f"T{code}": status for code, status in HTTP.items()}
        expected |= {f"G{code}": peers.STATUS[code] for code in range(17)}
        expected |= {"G17": "17", "G99": "99", "N": "UNKNOWN"}
        expected |= {"C8": "CANCELLED", "C2": "CANCELLED"}
        script = harness.SERVERS / "resets.js"
        client = self.spawn(
            ["node", script, "client", server.host, server.port, self.TIMES, *expected],
            cgroup=server.cgroup,
        )
        self.assertEqual(client.wait(30), 0, client.text())
        ends = collections.Counter(tuple(line.split()) for line in client.text().splitlines())
        self.assertEqual(ends.total(), self.TIMES * len(expected), client.text())
        for code in RESETS:
            self.assertEqual(ends[f"R{code}", str(code)], self.TIMES, "the client's own account")
            self.assertEqual(ends[f"H{code}", str(code)], self.TIMES, "the client's own account")

        def both():
            scrape = sidelight.scrape()
            counts = [peers.counted(scrape, side).total() for side in ("server", "client")]
            return scrape if min(counts) >= ends.total() else None

        harness.wait_for("all calls to be counted", both)
        scrape = sidelight.scrape()
        for side in ("server", "client"):
            got = peers.counted(scrape, side)
            wrong = []
            for name, statuses in expected.items():
                rows = {s: n for (m, s), n in got.items() if m == f"e2e.Reset/{name}"}
                statuses = (statuses,) if isinstance(statuses, str) else statuses
                if sum(rows.values()) != self.TIMES or not set(rows) <= set(statuses):
                    wrong.append(f"{name}: counted {rows}, expected {statuses}")
            self.assertEqual(wrong, [], side)
            self.assertEqual(got.total(), ends.total(), side)

    def lose(self, victim):
        """Kills an end of a connection with calls open, and others done before."""
        server = peers.Echo(self, language=peers.GO)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        client = peers.Client(self, peers.GO, server.port, cgroup=server.cgroup)
        client.run([Call("Unary")] * 5)
        client.feed([Call("S001", sleep=20_000)] * 4 + [Call("Chat", 0, 20_000, 2)] * 3)
        harness.wait_for(
            "the calls to be open",
            lambda: self.open_calls(sidelight, "server") == 7
            and self.open_calls(sidelight, "client") == 7,
        )
        (server if victim == "server" else client).process.send(signal.SIGKILL)
        expected = collections.Counter(
            {
                ("e2e.Echo/Unary", "OK"): 5,
                ("e2e.Echo/S001", "UNAVAILABLE"): 4,
                ("e2e.Echo/Chat", "UNAVAILABLE"): 3,
            }
        )
        for side in ("server", "client"):
            harness.wait_for(
                f"the {side}'s calls to end", lambda: self.open_calls(sidelight, side) == 0
            )
            scrape = sidelight.scrape()
            peers.assert_counted(self, scrape, expected, side)
            errors = {
                have.get("error_type", "")
                for have, _ in scrape.each(
                    f"rpc_{side}_call_duration_seconds_count", rpc_status_code="UNAVAILABLE"
                )
            }
            self.assertLessEqual(errors, {"connection_closed", "connection_reset"})
            self.assertTrue(errors)

    def open_calls(self, sidelight, side):
        return int(sidelight.scrape().sum("sidelight_rpc_open_calls", role=side))

    def test_the_server_dies(self):
        self.lose("server")

    def test_the_client_dies(self):
        self.lose("client")

    def test_nginx_as_proxy(self):
        """Its both sides, with a connection to the backend for each call."""
        backend = peers.Echo(self, language=peers.GO)
        where = f"location /e2e.Echo/ {{ grpc_pass grpc://127.0.0.1:{backend.port}; }}"
        proxy = servers.Nginx(self, HTTP2="http2", EXTRA_LISTEN=where)
        sidelight = Sidelight(self, cgroup=proxy.cgroup)
        client = peers.Client(self, peers.GO, proxy.port, workers=16)
        calls = [
            Call(kind, code, messages=3, bytes=size)
            for kind, code, size in itertools.product(peers.KINDS, (0, 5, 14), (10, 30_000))
        ] * 5
        results = client.run(calls)
        peers.assert_as_asked(self, results, calls)
        self.assertEqual(backend.calls(), peers.tally(calls))
        scrape = peers.settle(sidelight, client, ("server", "client"))
        for side in ("server", "client"):
            peers.assert_counted(self, scrape, peers.named(peers.tally(calls)), side, "nginx")
        self.assertEqual(scrape.lost(), {}, observer.health(scrape))


if __name__ == "__main__":
    harness.main()
