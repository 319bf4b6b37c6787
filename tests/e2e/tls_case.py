# SPDX-License-Identifier: Apache-2.0
"""What tests of --tls keys share: a certificate, servers and requests over TLS, sidelight's memory."""
import collections
import json
import re
import ssl
import unittest
import urllib.error
import urllib.request

import clients
import harness
import servers
from observer import Sidelight, health, worker_of

PLAN = 60
# The log line about a library that was found.
READ = "the secrets of its handshakes are read"

LISTEN = """
	listen $TLS_HOST:$TLS ssl $TLS_HTTP2;
	ssl_certificate $FOLDER/cert.pem; ssl_certificate_key $FOLDER/key.pem;
	ssl_protocols $VERSION;
"""


def has_probes():
    """Whether this kernel has uprobes that we may use: what doctor says."""
    checks = json.loads(harness.run([harness.BINARY, "doctor", "--format", "json"], check=False).stdout)
    return any(c["check"] == "TLS probes" and c["state"] == "yes" for c in checks)


def setUpModule():
    """Of the tests that import it."""
    if not has_probes():
        raise unittest.SkipTest("this kernel does not allow the probes")


class TlsCase(harness.Case):
    PROBED = "probing [^ ]*$FILE[^ ]* of process"  # in the log

    def setUp(self):
        super().setUp()
        harness.need("nginx", "curl", "openssl")
        self.folder = self.scratch("certificate")
        self.folder.mkdir()
        self.folder.chmod(0o755)
        harness.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            + ["-subj", "/CN=a", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            + ["-keyout", self.folder / "key.pem"]
            + ["-out", self.folder / "cert.pem"]
        )

    def nginx(self, version, http2="", more="", host="127.0.0.1", **options):
        """nginx, which also listens for TLS, on server.tls. more: directives of its server."""
        tls = harness.free_port()
        listen = LISTEN.replace("$TLS_HTTP2", http2).replace("$TLS_HOST", host)
        listen = (listen + more).replace("$TLS", str(tls))
        listen = listen.replace("$FOLDER", str(self.folder)).replace("$VERSION", version)
        server = servers.Nginx(self, EXTRA_LISTEN=listen, host=host, **options)
        server.tls = tls
        return server

    def sidelight(self, server, *args):
        sidelight = Sidelight(self, "--tls", "keys", *args, cgroup=server.cgroup)
        self.wait_probed(sidelight, 3)  # nginx: the first process and two workers
        return sidelight

    def wait_probed(self, sidelight, probes=1):
        harness.wait_for(
            "probes to be attached",
            lambda: sidelight.latest_page().sum("sidelight_tls_probes") >= probes,
            seconds=30,
        )

    def ask(self, server, keep_alive=True, option="insecure", **more):
        """option: of curl, or several in lines."""
        plan = clients.make_plan(f"tls {keep_alive}", PLAN, server.methods)
        return clients.curl_plan(
            server.tls, plan, self.dir, keep_alive, option=option, scheme="https", **more
        )

    def assert_https(self, page, total, side="server"):
        """All but the sentinels, which came without TLS."""
        self.assertEqual(page.requests(side, url_scheme="https").total(), total)
        self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), 0)
        self.assertEqual(page.sum("sidelight_tls_secrets_lost_total"), 0)
        self.assertEqual(
            page.sum("sidelight_tls_handshakes_total"), page.sum("sidelight_tls_connections_total")
        )
        self.assertGreater(page.sum("sidelight_tls_handshakes_total", role=side), 0)

    def start(self, file, *command, options=()):
        """
        A program that sidelight starts, and that serves TLS on the port it is given. file: the one
        with the key-log function. options: further ones. Returns sidelight and the port.
        """
        port = harness.free_port()
        sidelight = Sidelight(
            self,
            *("--tls", "keys", "--log-level", "debug", *options),
            command=[*command, port, self.folder],
        )
        harness.wait_for("the server", lambda: harness.is_listening(port))
        harness.wait_for(
            "the probe",
            lambda: re.search(self.PROBED.replace("$FILE", file), sidelight.process.text()),
            seconds=30,
        )
        return sidelight, port

    def check_started(self, file, *command, served="/hello"):
        sidelight, port = self.start(file, *command)
        context = ssl._create_unverified_context()
        expected = collections.Counter()
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context.maximum_version = version
            for i in range(15):
                path = "/missing" if i % 3 == 0 else served
                try:
                    url = f"https://127.0.0.1:{port}{path}"
                    urllib.request.urlopen(url, context=context, timeout=20).read()
                except urllib.error.HTTPError as e:
                    self.assertEqual(e.code, 404)
                expected["GET", path, "404" if i % 3 == 0 else "200"] += 1
        page = sidelight.wait_counted(30)
        self.assertEqual(page.requests(), expected, health(page))
        self.assert_https(page, 30)

    def memory_of(self, pid):
        """Everything that is mapped and can be read."""
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, permissions = line.split()[:2]
                start, end = (int(n, 16) for n in span.split("-"))
                if permissions[0] != "r" or start >= 1 << 63:
                    continue
                mem.seek(start)
                try:
                    yield mem.read(end - start)
                except OSError:
                    continue  # [vvar]

    def found_in(self, sidelight, secrets):
        """Those of the secrets that are in the memory of its processes."""
        found = set()
        for process in sidelight.process.pid, worker_of(sidelight.process.pid):
            memory = b"".join(self.memory_of(process))
            self.assertGreater(len(memory), 1 << 20)
            found |= {secret for secret in secrets if bytes.fromhex(secret) in memory}
        return found
