#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 600
"""
--tls keys under load: however often sidelight starts, stops and is killed, and however often the
server replaces its processes meanwhile, the application gets no error. Probes run for handshakes
alone. A connection is decrypted, or counted as dark.
"""
import os
import re
import signal
import ssl
import sys
import threading
import urllib.request

import harness
import tls_schedule
from observer import Sidelight
from tls_case import PLAN, TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)
from tls_load import Load

sys.path.append(str(harness.ROOT / "tests" / "bench"))
from bpf import BpfStatistics  # noqa: E402

CYCLES = int(os.environ.get("CYCLES", "20"))
RELOADS = 25
# A handshake of TLS 1.3 logs five secrets, one of 1.2 one.
HITS = {"TLSv1.2": 1, "TLSv1.3": 5}
BPF_PROG_TYPE_KPROBE = "2"

# The log line about children that end soon.
SHARED = "its probe is not kept to single processes"

# A child for each connection, which has the handshake: PORT FOLDER.
FORKING = """
import http.server, socketserver, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\\n")
    def log_message(self, *args): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 100
    def finish_request(self, request, address):
        super().finish_request(context.wrap_socket(request, server_side=True), address)
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# Forks until its input ends, and says how long the calls took, in microseconds: p50, p99, count.
FORKS = """
import os, select, ssl, sys, time
took = []
while not select.select([0], [], [], 0)[0]:
    begin = time.monotonic_ns()
    child = os.fork()
    if not child:
        os._exit(0)
    took.append((time.monotonic_ns() - begin) // 1000)
    if os.waitpid(child, 0)[1]:
        sys.exit("a child failed")
took.sort()
print("forks", took[len(took) // 2], took[len(took) * 99 // 100], len(took))
"""


class TlsLoad(TlsCase):
    def start_load(self, server):
        return [Load(self, server.tls), Load(self, server.tls, close=True, connections=2)]

    def wait_answers(self, server, least=100):
        """Until the server has logged some more answers, or not."""
        size = lambda: (server.dir / server.log_name).stat().st_size
        before = size()
        harness.wait_for("answers", lambda: size() > before + 20 * least, seconds=30)

    def check_ends(self, version, number):
        server = self.nginx(version)
        loads = self.start_load(server)
        for _ in range(CYCLES):
            sidelight = self.sidelight(server)
            self.wait_answers(server)
            sidelight.process.stop(number)
            self.wait_answers(server)
        for load in loads:
            self.assertGreater(load.finish(), 50 * CYCLES)

    def test_killed(self):
        self.check_ends("TLSv1.3", signal.SIGKILL)

    def test_stopped(self):
        """Attached and detached, in order."""
        self.check_ends("TLSv1.2", signal.SIGTERM)

    def test_counts(self):
        """Of keep-alive connections and of a handshake for each request; none is missed."""
        harness.need("h2load", "ab")
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version=version):
                server = self.nginx(version)
                sidelight = self.sidelight(server)
                url, more, short = f"https://127.0.0.1:{server.tls}/hello", 20000, 2000
                done = harness.run(["h2load", "--h1", f"-n{more}", "-c8", url])
                self.assertIn(f" {more} succeeded, 0 failed, 0 errored", done.stdout)
                done = harness.run(["ab", "-q", "-n", short, "-c", 4, url], seconds=120)
                self.assertRegex(done.stdout, r"Failed requests: +0\n")
                page = sidelight.assert_counted(server.expected(more + short), server.port)
                self.assertEqual(page.requests(url_scheme="https").total(), more + short)
                self.assertEqual(page.lost(), {})
                self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), 0)
                # ab opens some connections more than it uses, and closes them at any time.
                self.assertGreaterEqual(page.sum("sidelight_tls_handshakes_total"), 8 + short)
                rate = re.search(r"Requests per second: +(\S+)", done.stdout)[1]
                print(f"figure: {version}: {rate} handshakes a second, all counted", flush=True)
                sidelight.stop()
                server.stop()

    def probe_runs(self, sidelight):
        """How often the uprobes of this sidelight ran while statistics were on."""
        runs = {}
        folder = f"/proc/{sidelight.process.pid}/fdinfo"
        for name in os.listdir(folder):
            with open(f"{folder}/{name}") as text:
                info = dict(line.split(":", 1) for line in text if ":" in line)
            if info.get("prog_type", "").strip() == BPF_PROG_TYPE_KPROBE:
                runs[info["prog_id"]] = int(info["run_cnt"])
        self.assertEqual(len(runs), 1)
        return sum(runs.values())

    def test_probes_run_for_handshakes_alone(self):
        """No request of a keep-alive connection runs one."""
        for version, hits in HITS.items():
            with self.subTest(version=version), BpfStatistics():
                server = self.nginx(version)
                sidelight = self.sidelight(server)
                before = self.probe_runs(sidelight)
                sent = self.ask(server)
                page = sidelight.assert_counted(server.expected(len(sent)), server.port)
                handshakes = int(page.sum("sidelight_tls_handshakes_total"))
                self.assertLess(handshakes, PLAN / 4)
                self.assertEqual(self.probe_runs(sidelight) - before, hits * handshakes)
                sidelight.stop()
                server.stop()

    def assert_complete(self, sidelight, total, open_most=0):
        """
        A request for each connection: it is counted, or its connection is, as dark. open_most: so
        many connections may have ended without a request.
        """
        dark = "sidelight_tls_connections_dark_total"

        def is_complete():
            page = sidelight.latest_page()
            counted = page.requests(url_scheme="https").total()
            return page if counted + page.sum(dark) >= total else None

        page = harness.wait_for("all connections to be counted", is_complete, seconds=20)
        counted = page.requests(url_scheme="https").total()
        self.assertLessEqual(counted + page.sum(dark), total + open_most)
        self.assertEqual(page.sum(dark, reason="no_secret"), page.sum(dark))
        print(f"figure: {total} connections, {page.sum(dark):.0f} of them dark", flush=True)
        return page

    def test_reloads(self):
        """Each reload replaces the workers: probes come and go while others have the same library."""
        server = self.nginx("TLSv1.3")
        sidelight = self.sidelight(server)
        load = Load(self, server.tls, close=True)
        for _ in range(RELOADS):
            workers = set(server.cgroup.pids())
            server.process.send(signal.SIGHUP)
            harness.wait_for(
                "new workers", lambda: len(set(server.cgroup.pids()) - workers) >= 2
            )
            self.wait_answers(server)
        load.finish()
        page = self.assert_complete(sidelight, server.expected().total(), load.connections)
        self.assertEqual(page.lost(), {})

    def get_all(self, port, count, threads=4):
        """Requests on connections of their own; returns the errors."""
        context = ssl._create_unverified_context()
        errors = []

        def get():
            for _ in range(count // threads):
                try:
                    url = f"https://127.0.0.1:{port}/hello"
                    urllib.request.urlopen(url, context=context, timeout=20).read()
                except OSError as e:
                    errors.append(e)

        running = [threading.Thread(target=get) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return errors

    def test_child_for_each_connection(self):
        """
        Which shakes hands as soon as it is there: the first few may be dark. Then the probe is
        shared by all processes; of those that are not watched nothing is read.
        """
        sidelight, port = self.start("libssl", "python3", "-c", FORKING)
        self.assertEqual(self.get_all(port, 40), [])
        dark = self.assert_complete(sidelight, 40).sum("sidelight_tls_connections_dark_total")
        harness.wait_for("the shared probe", lambda: SHARED in sidelight.process.text())
        self.assertEqual(self.get_all(port, 400), [])
        page = self.assert_complete(sidelight, 440)
        self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), dark)
        self.assertEqual(page.sum("sidelight_tls_secrets_lost_total"), 0)

        server = self.nginx("TLSv1.3")
        context = ssl._create_unverified_context()
        log = tls_schedule.Connection(context, self.scratch("keys"))
        url = f"https://127.0.0.1:{server.tls}/hello"
        urllib.request.urlopen(url, context=context, timeout=20).read()
        self.assertGreater(len(log.secrets()), 1)
        self.assertEqual(self.found_in(sidelight, log.secrets()), set())

    def test_forks_while_attaching(self):
        """
        A process of the target forks without end while sidelight starts and is killed. Its probe is
        shared as soon as four children have ended, which may be before all processes have one.
        """
        server = self.nginx("TLSv1.3")
        for is_watched in False, True:
            forks = self.spawn(
                ["python3", "-c", FORKS], cgroup=server.cgroup, stdin=harness.subprocess.PIPE
            )
            load = Load(self, server.tls, close=True)
            for _ in range(8):
                if is_watched:
                    sidelight = Sidelight(self, "--tls", "keys", cgroup=server.cgroup)
                    harness.wait_for("the shared probe", lambda: SHARED in sidelight.process.text())
                    self.wait_probed(sidelight, 1)
                    sidelight.process.stop(signal.SIGKILL)
                self.wait_answers(server, 300)
            forks.popen.stdin.close()
            self.assertEqual(forks.wait(20), 0, forks.text())
            load.finish()
            p50, p99, count = map(int, forks.text().split()[1:])
            who = "watched" if is_watched else "alone"
            print(f"figure: {count} forks, {who}: p50 {p50} us, p99 {p99} us", flush=True)
            self.assertGreater(count, 20)  # a busy machine forks seldom, with nobody watching, too


if __name__ == "__main__":
    harness.main()
