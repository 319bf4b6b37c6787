#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The observer comes and goes; the application does not notice. What it put
into the kernel goes with it, however it dies.
"""
import http.server
import signal
import threading
import time

import clients
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight, links_of, programs


class Gateway:
    """Takes pushes and remembers the order: [(method, path), ...]."""

    def __init__(self):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                requests.append((self.command, self.path))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Lifecycle(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("bpftool")
        self.server = servers.Nginx(self)

    def test_sigkill_leaves_nothing_and_disturbs_nobody(self):
        sidelight = Sidelight(self, cgroup=self.server.cgroup)
        links = links_of(self.server.cgroup)
        self.assertTrue(links, "no link on the cgroup while sidelight runs")
        stop, errors, served = threading.Event(), [], []

        def load():
            with Wire(self.server.port) as wire:
                while not stop.is_set():
                    wire.send(request_bytes("GET", "/hello"))
                    served.append(wire.response()[0])

        thread = threading.Thread(target=lambda: errors.extend(_caught(load)))
        thread.start()
        try:
            harness.wait_for("some load", lambda: len(served) > 200)
            sidelight.process.stop(signal.SIGKILL)
            at = len(served)
            harness.wait_for(
                "links and programs to go",
                lambda: not links_of(self.server.cgroup) and not set(links.values()) & programs(),
            )
            harness.wait_for("load afterwards", lambda: len(served) > at + 200)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(set(served), {200})
        # And the next observer finds everything as the first one did.
        again = Sidelight(self, cgroup=self.server.cgroup)
        clients.send_plan(self.server.port, [("GET", "/made")] * 5)
        again.assert_counted({("GET", "/made", "201"): 5}, self.server.port)

    def test_sigterm_pushes_deletes_and_leaves(self):
        gateway = self.own(Gateway())
        sidelight = Sidelight(
            self,
            "--push",
            f"http://127.0.0.1:{gateway.port}",
            "--push-interval",
            "3600",
            cgroup=self.server.cgroup,
        )
        links = links_of(self.server.cgroup)
        clients.send_plan(self.server.port, [("GET", "/hello")] * 10)
        sidelight.wait_counted(10)
        before = len(gateway.requests)
        start = time.monotonic()
        sidelight.process.send(signal.SIGTERM)
        self.assertEqual(sidelight.process.wait(5), 0, sidelight.process.text())
        self.assertLess(time.monotonic() - start, 3)
        methods = [method for method, _ in gateway.requests[before:]]
        self.assertEqual(methods[-1:], ["DELETE"], gateway.requests)
        self.assertIn(methods[-2:-1], (["PUT"], ["POST"]), gateway.requests)
        harness.wait_for(
            "links and programs to go",
            lambda: not links_of(self.server.cgroup) and not set(links.values()) & programs(),
        )

    def test_sigterm_with_a_dead_gateway(self):
        sidelight = Sidelight(
            self, "--push", f"http://127.0.0.1:{harness.free_port()}", cgroup=self.server.cgroup
        )
        start = time.monotonic()
        sidelight.process.send(signal.SIGTERM)
        self.assertEqual(sidelight.process.wait(5), 0, sidelight.process.text())
        self.assertLess(time.monotonic() - start, 3)

    def test_two_observers_count_the_same(self):
        one = Sidelight(self, cgroup=self.server.cgroup)
        two = Sidelight(self, cgroup=self.server.cgroup)
        clients.send_plan(self.server.port, clients.make_plan(2, 100))
        expected = self.server.expected(100)
        one.assert_counted(expected, self.server.port)
        two.assert_counted(expected, self.server.port)
        one.stop()
        clients.send_plan(self.server.port, clients.make_plan(3, 50))
        two.assert_counted(self.server.expected(150), self.server.port)

    def test_an_idle_observer_does_nothing(self):
        """Between two looks at the sockets no timer runs: no context switch, no CPU."""
        sidelight = Sidelight(self, cgroup=self.server.cgroup)
        clients.send_plan(self.server.port, [("GET", "/hello")] * 50)
        sidelight.wait_counted(50)
        harness.wait_for("sidelight to be still for 700 ms", lambda: self._still(sidelight), 15)

    def _still(self, sidelight):
        before = _switches(sidelight)
        time.sleep(0.7)  # the time over which stillness is claimed
        return _switches(sidelight) == before


def _switches(sidelight):
    """Of both processes, without those that other processes force on them."""
    lines = []
    for pid in (sidelight.process.pid, sidelight.worker):
        with open(f"/proc/{pid}/status") as f:
            lines += [line for line in f if line.startswith("voluntary_ctxt")]
    return lines


def _caught(call):
    try:
        call()
        return []
    except Exception as e:
        return [e]


if __name__ == "__main__":
    harness.main()
