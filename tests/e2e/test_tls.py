#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys: HTTPS of servers and clients nobody here wrote, counted exactly as the server's own
access log has it; nothing of the secrets is left behind, and sidelight's end harms nobody.
"""
# tests/run: shares the machine
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import time

import harness
import tls_schedule
from observer import Sidelight
from tls_case import PLAN, READ, TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

# ThreadingHTTPServer behind ssl: PORT FOLDER.
PYTHON = """
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\\n")
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

# Returns what it gets, over TLS, which a client of "starttls" asks for first as PostgreSQL's does:
# KIND PORT FOLDER.
ECHO = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3] + "/cert.pem", sys.argv[3] + "/key.pem")
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
while True:
    connection = server.accept()[0]
    if sys.argv[1] == "starttls" and connection.recv(8):
        connection.sendall(b"S")
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(65536):
                tls.sendall(data)
    except OSError:
        pass  # the client has closed
"""
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


def way():
    """How this kernel lets a program be probed."""
    release = tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])
    if release >= (6, 10):
        return "of single processes"
    return "of all processes that have a file" if release >= (6, 6) else "by perf events"


class Tls(TlsCase):
    WAY = way()
    NGINX_PROBES = 3  # the first process and two workers

    def test_nginx(self):
        """Processes that run already, keep-alive and a connection for each request."""
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version=version):
                server = self.nginx(version)
                sidelight = self.sidelight(server, "--route-cap", "200")
                sent = []
                for keep_alive in True, False:
                    sent += self.ask(server, keep_alive)
                    expected = server.expected(len(sent))
                    self.assertEqual(expected.total(), len(sent))
                    page = sidelight.assert_counted(expected, server.port)
                    self.assert_https(page, len(sent))
                    handshakes = page.sum(
                        "sidelight_tls_handshakes_total", role="server", version=version[-3:]
                    )
                    self.assertGreaterEqual(handshakes, 1 if keep_alive else PLAN)
                sidelight.stop()
                server.stop()

    def test_http2(self):
        server = self.nginx("TLSv1.3", "http2")
        sidelight = self.sidelight(server, "--route-cap", "200")
        sent = self.ask(server)
        page = sidelight.assert_counted(server.expected(len(sent)), server.port)
        self.assert_https(page, len(sent))
        self.assertEqual(
            page.duration(network_protocol_version="2", url_scheme="https")[0], len(sent)
        )

    def test_python_from_its_start(self):
        """The library is found before the first handshake."""
        self.check_started("libssl", "python3", "-c", PYTHON)

    def test_go(self):
        """A stripped program: its function is in the table of Go's runtime."""
        harness.need("prometheus-pushgateway")
        (self.folder / "web.yml").write_text(
            f"tls_server_config: {{cert_file: {self.folder}/cert.pem, key_file: {self.folder}/key.pem}}\n"
        )
        script = "exec prometheus-pushgateway --web.listen-address=127.0.0.1:$0 --web.config.file=$1/web.yml"
        self.check_started("prometheus-pushgateway", "sh", "-c", script, served="/-/healthy")

    def test_client(self):
        """curl is watched, the server is not."""
        server = self.nginx("TLSv1.3")
        cgroup = self.cgroup()
        args = ["--tls", "keys", "--route-cap", "200", "--log-level", "debug"]
        sidelight = Sidelight(self, *args, cgroup=cgroup)
        # The library is known from its first process on, which may be too late for that one.
        process = self.spawn(
            ["python3", "-c", "import ssl, time; time.sleep(600)"], cgroup=cgroup
        )
        harness.wait_for("the library to be found", lambda: READ in sidelight.process.text())
        process.stop()
        enter = lambda: (cgroup.path / "cgroup.procs").write_text(str(os.getpid()))
        sent = self.ask(server, preexec_fn=enter)
        expected = server.expected(len(sent))
        page = sidelight.wait_counted(len(sent), side="client")
        self.assertEqual(page.requests("client"), expected)
        self.assert_https(page, len(sent), side="client")
        self.check_early_probe(sidelight)

    def check_early_probe(self, sidelight):
        """Its probe is there from exec on, and stays."""
        line = r"probing \S*libssl\S* of process \d+ \(curl\)"
        self.assertEqual(len(re.findall(line, sidelight.process.text())), 1)

    def test_client_with_gnutls(self):
        """Debian's wget is linked with GnuTLS: a pointer of the session, too."""
        harness.need("wget")
        server = self.nginx("TLSv1.2 TLSv1.3")
        targets = ["/hello", "/missing", "/hello?a=1", "/users/1842"]
        urls = [f"https://127.0.0.1:{server.tls}{target}" for target in targets]
        for version in "TLSv1_2", "TLSv1_3":
            with self.subTest(version=version):
                argv = ["wget", "-q", "-O", "/dev/null", "--no-check-certificate"]
                argv += [f"--secure-protocol={version}", "--tries=1", *urls]
                self.assertTrue(any(self.reads_wget(server, argv, len(urls)) for _ in range(5)))

    def reads_wget(self, server, argv, count):
        """
        On a busy machine a new process may shake hands before its probe is there: its connection is
        dark then, which is counted, and this returns False.
        """
        before = server.expected()
        logged = before.total() + count
        gate = self.scratch("gate")
        os.mkfifo(gate)
        script = "read line <$0; \"$@\"; exec sleep 600"
        sidelight = Sidelight(self, "--tls", "keys", command=["sh", "-c", script, gate, *argv])
        # sidelight itself is linked with GnuTLS, and was what runs the script.
        harness.wait_for("the library to be found", lambda: READ in sidelight.process.text())
        gate.write_text("go\n")
        server.wait_log(logged)
        dark = "sidelight_tls_connections_dark_total"

        def is_over():
            page = sidelight.scrape()
            return page.requests("client").total() >= count or page.sum(dark)

        harness.wait_for("requests, or the count of what is dark", is_over, seconds=15)
        page = sidelight.scrape()
        is_read = page.sum(dark) == 0
        if is_read:
            self.assertEqual(page.requests("client"), server.expected() - before)
            self.assert_https(page, count, side="client")
        sidelight.stop()
        return is_read

    def test_secrets_are_overwritten(self):
        """
        After the connection's end no process of sidelight has its secrets and keys, nor does any
        export.
        """
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version=version):
                server = self.nginx("TLSv1.2 TLSv1.3")
                sidelight = self.sidelight(server, "--log-level", "debug")
                context = ssl._create_unverified_context()
                context.maximum_version = version
                context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # of TLS 1.2
                log = tls_schedule.Connection(context, self.scratch("keys"))
                client = http.client.HTTPSConnection("127.0.0.1", server.tls, context=context)
                for _ in range(3):
                    client.request("GET", "/hello")
                    client.getresponse().read()
                sidelight.assert_counted(server.expected(3), server.port)
                secrets, keys = log.secrets(), log.keys(client.sock.cipher()[0])
                self.assertEqual(self.found_in(sidelight, keys), keys)
                # Those of TLS 1.3 are needed to follow a change of keys, while it is open.
                self.assertEqual(
                    len(self.found_in(sidelight, secrets)),
                    2 if version == ssl.TLSVersion.TLSv1_3 else 0,
                )
                client.close()
                harness.wait_for(
                    "the connection to end",
                    lambda: sidelight.latest_page().sum("sidelight_connections_open") == 0,
                )
                self.assertEqual(self.found_in(sidelight, secrets | keys), set())
                for text in sidelight.latest_page().text, sidelight.process.text():
                    for secret in secrets | keys:
                        self.assertNotIn(secret[:32], text)
                sidelight.stop()
                server.stop()

    def test_waiting_in_the_socket(self):
        """A worker that stands still for 0.3 s: how long the record lay there, not the request."""
        control = self.dir / "control.sock"
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version):
                server = self.nginx(version, WORKERS=1)
                sidelight = Sidelight(self, "--tls", "keys", "--syscalls", "on", "--control",
                                      control, cgroup=server.cgroup)
                self.wait_probed(sidelight, 2)
                client = http.client.HTTPSConnection("127.0.0.1", server.tls, timeout=20,
                                                     context=ssl._create_unverified_context())
                for path in "/quick", "/late":
                    master = server.process.pid
                    children = pathlib.Path(f"/proc/{master}/task/{master}/children")
                    (worker,) = map(int, children.read_text().split())
                    if path == "/late":
                        os.kill(worker, signal.SIGSTOP)
                    client.request("GET", path)
                    if path == "/late":
                        time.sleep(0.3)
                        os.kill(worker, signal.SIGCONT)
                    client.getresponse().read()
                sidelight.settle(server.port)
                done = harness.run([harness.BINARY, "trace", "--control", control, "--last=1h",
                                    "--format=ndjson"])
                lines = {line["target"]: line for line in map(json.loads, done.stdout.splitlines())}
                self.assertGreater(lines["/late"]["wait_ns"], 0.25e9)
                self.assertLess(lines["/late"]["program_ns"], 0.1e9)
                self.assertLess(lines["/quick"]["wait_ns"], 0.1e9)
                client.close()
                sidelight.stop()
                server.stop()

    def test_not_http(self):
        """
        Other protocols over TLS: the connection is muted, and no secret of it is kept.
        """
        for kind in "echo", "starttls":
            with self.subTest(kind=kind):
                sidelight, port = self.start("libssl", "python3", "-c", ECHO, kind)
                context = ssl._create_unverified_context()
                log = tls_schedule.Connection(context, self.scratch("keys"))
                connection = socket.create_connection(("127.0.0.1", port), timeout=20)
                if kind == "starttls":
                    connection.sendall(SSL_REQUEST)
                    self.assertEqual(connection.recv(1), b"S")
                connection = context.wrap_socket(connection)

                def echo(size):
                    connection.sendall(b"x" * size)
                    while size:
                        size -= len(connection.recv(65536))

                def is_muted():
                    echo(100)
                    page = sidelight.latest_page()
                    return page.sum("sidelight_connections_muted_total", reason="not_http") == 1

                harness.wait_for("the connection to be muted", is_muted)
                before = sidelight.scrape().sum("sidelight_captured_bytes_total")
                for _ in range(16):
                    echo(65536)
                page = sidelight.scrape()
                self.assertEqual(page.sum("sidelight_captured_bytes_total"), before)
                self.assertEqual(page.requests().total(), 0)
                self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), 0)
                if kind == "starttls":
                    name = "sidelight_connections_not_http_total"
                    self.assertEqual(page.sum(name, protocol="PostgreSQL"), 1)
                else:
                    secrets = log.secrets() | log.keys(connection.cipher()[0])
                    self.assertGreater(len(secrets), 2)
                    self.assertEqual(self.found_in(sidelight, secrets), set())
                connection.close()
                sidelight.stop()

    def test_doctor(self):
        """Each process that would be watched, with the file that can be probed, or why there is none."""
        cgroup = self.cgroup()
        wants = {}
        for name, script, state, found in (
            ("python3", "import ssl, time; time.sleep(600)", "yes", "libssl.so"),
            ("sleep", None, "no", "no file of it has a key-log function"),
        ):
            argv = ["python3", "-c", script] if script else ["sleep", "600"]
            process = self.spawn(argv, cgroup=cgroup)
            wants[f"TLS of {process.pid} ({name})"] = state, found
            if script:
                maps = pathlib.Path(f"/proc/{process.pid}/maps")
                harness.wait_for("the library", lambda: "libssl" in maps.read_text())
        argv = [harness.BINARY, "doctor", "--format", "json", "--cgroup", cgroup]
        rows = json.loads(harness.run(argv).stdout)
        found = {row["check"]: row for row in rows if row["check"].startswith("TLS of")}
        self.assertEqual(found.keys(), wants.keys())
        for name, (state, detail) in wants.items():
            self.assertEqual(found[name]["state"], state)
            self.assertIn(detail, found[name]["found"])
        self.assertIn(name, harness.run([harness.BINARY, "doctor", "--cgroup", cgroup]).stdout)
        way = next(row["found"] for row in rows if row["check"] == "TLS probes")
        self.assertEqual(way, self.WAY)

    def test_looked_at_on_demand(self):
        """trace, where no sidecar runs: decryption is its default, too."""
        server = self.nginx("TLSv1.3")
        process = self.spawn(
            [harness.BINARY, "trace", "--format=ndjson", "--cgroup", server.cgroup, "--log-level=debug"],
        )
        probed = self.PROBED.replace("$FILE", "libssl")
        harness.wait_for(
            "its probes",
            lambda: len(re.findall(probed, process.text())) == self.NGINX_PROBES,
            seconds=30,
        )
        sent = self.ask(server, False)
        logged = server.expected(len(sent)).total()

        def lines():
            return [json.loads(l) for l in process.text().splitlines() if l.startswith("{")]

        harness.wait_for("the lines", lambda: len(lines()) == logged)
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), 0, process.text())
        self.assertEqual({line["scheme"] for line in lines()}, {"https"})

    def test_looked_at_on_demand_without_decryption(self):
        """... unless its environment says otherwise, as in the ephemeral container of a cluster."""
        server = self.nginx("TLSv1.3")
        process = self.spawn(
            [harness.BINARY, "trace", "--format=ndjson", "--cgroup", server.cgroup, "--log-level=debug"],
            env={"SIDELIGHT_TLS": "off"},
        )
        harness.wait_for("the capture", lambda: "run: watching" in process.text())
        self.ask(server, False)
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), 0, process.text())
        self.assertNotIn("tls: ", process.text())
        self.assertNotIn('"scheme"', process.text())

    def test_by_default(self):
        server = self.nginx("TLSv1.3")
        sidelight = Sidelight(self, cgroup=server.cgroup)
        self.wait_probed(sidelight, 3)
        sent = self.ask(server, False)
        sidelight.wait_counted(len(sent))

    def test_off(self):
        """Nothing is loaded for TLS, and the connections are counted as such."""
        server = self.nginx("TLSv1.3")
        sidelight = Sidelight(self, "--tls=off", cgroup=server.cgroup)
        sent = self.ask(server, keep_alive=False)
        page = harness.wait_for(
            "the connections",
            lambda: (
                p := sidelight.latest_page()
            ).sum("sidelight_tls_connections_dark_total", reason="off") == len(sent) and p,
        )
        self.assertEqual(page.requests().total(), 0)
        files = pathlib.Path(f"/proc/{sidelight.process.pid}/fdinfo").glob("*")
        names = [f.read_text() for f in files]
        self.assertFalse([n for n in names if "raw_tracepoint" in n or "uprobe" in n])


if __name__ == "__main__":
    harness.main()
