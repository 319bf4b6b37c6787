#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
sidelight-webhook as a server: what strangers send it, its certificate, how it
comes and how it goes.
"""
# tests/run: shares the machine
import base64
import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import warnings

from admission import SERVICE, WEBHOOK, Server, pod, review, workload
from harness import Case, main, run, wait_for

MIB = 1 << 20


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) / 1024


class Strangers(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self)

    def is_alive(self):
        """It answers a proper review, and nothing of earlier ones is left."""
        self.assertTrue(self.server.review(pod()).patch)
        self.assertLess(self.server.metric("sidelight_webhook_json_bytes"), 64 << 10)

    def test_heads(self):
        s, body = self.server, json.dumps(review(pod()))
        for why, status, answer in [
            ("no type", 415, s.request("POST", "/mutate-pod", body)),
            ("another type", 415, s.post("/mutate-pod", body, "text/json")),
            ("a longer word", 415, s.post("/mutate-pod", body, "application/jsonx")),
            ("with a parameter", 200, s.post("/mutate-pod", body, "application/json; charset=utf-8")),
            ("in other letters", 200, s.post("/mutate-pod", body, "Application/JSON")),
            ("read", 405, s.request("GET", "/mutate-pod")),
            ("put", 405, s.request("PUT", "/mutate-workload", body)),
            ("a page, written to", 405, s.post("/readyz", body)),
            ("no such page", 404, s.post("/mutate", body)),
            ("no such page", 404, s.request("GET", "/")),
            ("a query", 200, s.post("/mutate-pod?timeout=10s", body)),
        ]:
            with self.subTest(why):
                self.assertEqual(answer.status, status)
        self.assertEqual(s.request("GET", "/mutate-pod").headers["Allow"], "POST")
        self.assertEqual(s.plain("/mutate-pod").status, 404, "reviews come by TLS only")
        self.is_alive()

    def test_malformed(self):
        good = json.dumps(review(pod()))
        for why, body in [
            ("nothing", b""), ("blanks", b"  \n"), ("a word", b"review"), ("null", b"null"),
            ("a list", b"[]"), ("cut", good[:-1]), ("something behind it", good + "x"),
            ("two of them", good + good), ("not UTF-8 nor JSON", b"\xff\xfe{"),
            ("a zero byte", good.replace("shop", "sh\0op").encode()),
            ("deep lists", b"[" * 100000), ("deep objects", b'{"a":' * 100000),
            ("deep in the object", json.dumps(review(pod())).replace(
                '"dryRun": false', '"dryRun": ' + "[" * 5000 + "]" * 5000)),
            ("no uid", json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                                   "request": {}})),
            ("a number as uid", json.dumps({**review(pod()), "request": {"uid": 7}})),
            ("a long uid", good.replace('"uid": "', '"uid": "' + "7" * 300, 1)),
            ("another kind", good.replace("AdmissionReview", "Pod", 1)),
            ("another version", good.replace("admission.k8s.io/v1", "admission.k8s.io/v3", 1)),
            ("a million elements", b"[" + b"0," * 1000000 + b"0]"),
        ]:
            for path in ("/mutate-pod", "/mutate-workload"):
                with self.subTest(why, path=path):
                    answer = self.server.post(path, body)
                    self.assertEqual(answer.status, 400)
                    self.assertTrue(answer.body.endswith(b"\n"))
        self.is_alive()

    def test_shapes_of_objects(self):
        """Every member of a review replaced by everything it must not be."""
        odd = [None, True, 7, "x", [], {}, [[]], [None], {"name": []}, [{"name": {}}]]

        def variants(node):
            for key in list(node if isinstance(node, dict) else range(len(node))):
                kept = node[key]
                for value in odd:
                    node[key] = value
                    yield
                node[key] = kept
                if isinstance(kept, (dict, list)):
                    yield from variants(kept)

        count = 0
        for path, obj in (("/mutate-pod", pod(spec={"initContainers": [{"name": "a"}],
                                                    "volumes": [{"name": "v"}]})),
                          ("/mutate-workload", workload("CronJob", {"sidelight.dev/inject": "true"}))):
            whole = review(obj)
            for _ in variants(whole):
                answer = self.server.post(path, whole)
                self.assertIn(answer.status, (200, 400), whole)
                if answer.status == 200:
                    self.assertIs(answer.response["allowed"], True)
                count += 1
        self.assertGreater(count, 500)
        self.is_alive()

    def test_numbers_stay(self):
        """Beyond 2^53, and in every spelling: a patch does not touch what is not ours."""
        text = json.dumps(review(pod(spec={"initContainers": [
            {"name": "a", "securityContext": {"runAsUser": 9007199254740993}}],
            "activeDeadlineSeconds": 123456789012345678})))
        patch = self.server.post("/mutate-pod", text.replace('"timeout": 1', '"t": 1.0e0')).patch
        self.assertEqual([op["path"] for op in patch if "initContainers" in op["path"]],
                         ["/spec/initContainers/0"])
        self.assertTrue(all(op["op"] == "add" for op in patch), patch)
        self.assertNotIn("900719925474099", json.dumps(patch))

    def test_equal_names(self):
        """Of two equal names the first counts, and the answer is one review."""
        text = json.dumps(review(pod())).replace(
            '"operation": "CREATE"', '"operation": "CREATE", "operation": "DELETE"')
        self.assertTrue(self.server.post("/mutate-pod", text).patch)

    def test_v1beta1(self):
        self.assertTrue(self.server.review(pod(), version="admission.k8s.io/v1beta1").patch)

    def test_size(self):
        """A review of 3 MiB is read, one byte more is not; both ways of sending it."""
        text = json.dumps(review(pod())).encode()
        whole = text + b" " * (3 * MIB - len(text))
        self.assertTrue(self.server.post("/mutate-pod", whole).patch)
        for body in (whole + b" ", whole + b" " * MIB):
            self.assertEqual(self.server.post("/mutate-pod", body).status, 413)
        connection = self.own(self.server.connect())
        chunks = [whole[:MIB], whole[MIB:], b" "]
        connection.request("POST", "/mutate-pod", iter(chunks),
                           {"Content-Type": "application/json"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 413)
        self.assertEqual(self.server.metric(
            'sidelight_webhook_requests_refused_total{reason="size"}'), 3)

    def test_endless_body(self):
        connection = self.own(self.server.connect())
        connection.putrequest("POST", "/mutate-pod")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        with self.assertRaises(OSError):
            for _ in range(64):
                connection.send(b"100000\r\n" + b" " * MIB + b"\r\n")
        self.is_alive()

    def finish(self, connection):
        """The status of a request that lacks a byte; None: its time was up on a busy machine."""
        try:
            with contextlib.suppress(OSError):
                connection.send(b" ")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None

    def test_memory(self):
        """Bodies that are small as text and large as trees, and many at once."""
        pid = self.server.process.pid
        for _ in range(6):
            self.server.post("/mutate-pod", b"[" + b"0," * 1500000 + b"0]")
        halves = [self.own(self.server.connect()) for _ in range(40)]
        for c in halves:
            c.putrequest("POST", "/mutate-pod")
            c.putheader("Content-Type", "application/json")
            c.putheader("Content-Length", str(3 * MIB))
            c.endheaders()
            c.send(b" " * (3 * MIB - 1))
        statuses = {self.finish(c) for c in halves}
        self.assertLessEqual(statuses, {400, 503, None})
        self.assertIn(503, statuses)
        self.assertLess(resident_mib(pid), 110)
        self.is_alive()

    def test_not_tls(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as plain:
            plain.sendall(b"POST /mutate-pod HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"HTTP/1", plain.recv(4096))
        warnings.simplefilter("ignore", DeprecationWarning)  # of old versions: that is the point
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as plain:
            with self.assertRaises((ssl.SSLError, OSError)):
                old.wrap_socket(plain)
        self.is_alive()

    def test_metrics(self):
        self.server.review(pod())
        self.server.review(pod())
        self.server.review(workload("Deployment", {"sidelight.dev/inject": "true"}))
        self.server.post("/mutate-pod", "x")
        total = 'sidelight_webhook_reviews_total{target="%s",result="%s"}'
        for target, result, n in [("pod", "injected", 2), ("workload", "carried", 1),
                                  ("pod", "malformed", 1), ("pod", "skipped", 0)]:
            self.assertEqual(self.server.metric(total % (target, result)), n)
        self.assertEqual(self.server.metric(
            "sidelight_webhook_review_duration_seconds_count"), 4)


class Certificates(Case):
    def test_made(self):
        where = self.scratch("made")
        where.mkdir()
        run([WEBHOOK, "certs", "--dir", where, "--service", "hook", "--namespace", "team-a",
             "--days", "30"])
        run(["openssl", "verify", "-CAfile", where / "ca.crt", "-purpose", "sslserver",
             "-verify_hostname", "hook.team-a.svc", "-x509_strict", where / "tls.crt"])
        refused = run(["openssl", "verify", "-CAfile", where / "ca.crt", "-verify_hostname",
                       "hook.team-b.svc", where / "tls.crt"], check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual((where / "tls.key").stat().st_mode & 0o777, 0o600)
        run(["openssl", "x509", "-in", where / "tls.crt", "-noout", "-checkend", 29 * 86400])
        late = run(["openssl", "x509", "-in", where / "tls.crt", "-noout", "-checkend",
                    31 * 86400], check=False)
        self.assertEqual(late.returncode, 1)

    def test_secret(self):
        text = run([WEBHOOK, "certs", "--namespace", "team-a", "--secret", "hook-tls"]).stdout
        self.assertIn("kind: Secret\ntype: kubernetes.io/tls\n", text)
        self.assertIn("  name: hook-tls\n  namespace: team-a\n", text)
        data = dict(re.findall(r"^[# ] (\S+): (\S+)$", text, re.M))
        self.assertEqual(data["ca.crt"], data["caBundle"])
        for name, word in (("ca.crt", b"CERTIFICATE"), ("tls.crt", b"CERTIFICATE"),
                           ("tls.key", b"PRIVATE KEY")):
            pem = base64.b64decode(data[name], validate=True)
            self.assertTrue(pem.startswith(b"-----BEGIN " + word), name)

    def test_names(self):
        for words in (["--service", "a.b"], ["--namespace", "A"], ["--secret", "-x"],
                      ["--days", "0"], ["--service", "x" * 64], ["--dir", "/nowhere"]):
            with self.subTest(words):
                done = run([WEBHOOK, "certs", *words], check=False)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_exchanged(self):
        """New files are used for new connections; open ones go on."""
        server = Server(self)
        kept = self.own(server.connect())
        self.assertEqual(server.post("/mutate-pod", review(pod()), connection=kept).status, 200)
        old = kept.serial()
        server.renew()
        wait_for("the new certificate", lambda: self.serial(server) not in (None, old))
        self.assertEqual(server.post("/mutate-pod", review(pod()), connection=kept).status, 200)
        self.assertEqual(kept.serial(), old)
        self.assertGreaterEqual(server.metric(
            'sidelight_webhook_certificate_reloads_total{result="ok"}'), 1)

    def serial(self, server):
        """Of the certificate in use; None while it does not fit the authority's file."""
        connection = server.connect()
        try:
            connection.connect()
            return connection.serial()
        except ssl.SSLError:
            return None
        finally:
            connection.close()

    def test_bad_files(self):
        """What is broken is not used; the old one stays."""
        server = Server(self)
        name = 'sidelight_webhook_certificate_reloads_total{result="failed"}'
        (server.dir / "tls.key").write_text("nonsense")
        wait_for("a failed reload", lambda: server.metric(name) >= 1)
        self.assertIn("the certificate stays the one it was", server.process.text())
        self.own(server.connect()).connect()
        server.renew()
        wait_for("the next one", lambda: self.serial(server))

    def test_missing(self):
        where = self.scratch("none")
        where.mkdir()
        run([WEBHOOK, "certs", "--dir", where])
        other = self.scratch("other")
        other.mkdir()
        run([WEBHOOK, "certs", "--dir", other])
        good = ["--tls-cert", where / "tls.crt", "--tls-key", where / "tls.key"]
        for words, why in [
            ([], "--tls-cert and --tls-key are needed"),
            (["--tls-cert", "/nowhere", "--tls-key", where / "tls.key"], "/nowhere: No such file"),
            (["--tls-cert", where / "tls.key", "--tls-key", where / "tls.key"], "no certificate"),
            (["--tls-cert", where / "tls.crt", "--tls-key", where / "tls.crt"], "no private key"),
            (["--tls-cert", where / "tls.crt", "--tls-key", other / "tls.key"], "is not the key"),
            ([*good, "--listen", "nowhere.invalid:1"], "cannot listen on nowhere.invalid:1"),
            ([*good, "--image", "A B"], "is not an image reference"),
        ]:
            with self.subTest(why):
                done = run([WEBHOOK, "serve", *words], check=False)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(why, done.stderr)


class Clients(Case):
    """--client-ca: who shows no certificate of that authority gets no answer."""

    def authority(self, name):
        """A directory with an authority, and a certificate for clients and one for servers."""
        where = self.scratch(name)
        where.mkdir()
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=" + name, "-days", "2", "-keyout", where / "ca.key",
             "-out", where / "ca.crt"])
        for use in ("clientAuth", "serverAuth"):
            (where / "ext").write_text("extendedKeyUsage=" + use)
            run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-subj", "/CN=kube-apiserver", "-keyout", where / (use + ".key"),
                 "-out", where / "csr"])
            run(["openssl", "x509", "-req", "-in", where / "csr", "-CA", where / "ca.crt",
                 "-CAkey", where / "ca.key", "-CAcreateserial", "-days", "2",
                 "-extfile", where / "ext", "-out", where / (use + ".crt")])
        return where

    def status(self, server, where=None, use="clientAuth", version=ssl.TLSVersion.TLSv1_3):
        """Of a review; None if the connection is refused."""
        connection = self.own(server.connect())
        connection.tls.maximum_version = version
        if where:
            connection.tls.load_cert_chain(where / (use + ".crt"), where / (use + ".key"))
        try:
            return server.post("/mutate-pod", review(pod()), connection=connection).status
        except OSError:
            return None

    def test_client_ca(self):
        ours, others = self.authority("ours"), self.authority("others")
        server = Server(self, "--client-ca", ours / "ca.crt")
        for why, status, answer in [
            ("ours", 200, self.status(server, ours)),
            ("ours, by TLS 1.2", 200, self.status(server, ours, version=ssl.TLSVersion.TLSv1_2)),
            ("none", None, self.status(server)),
            ("none, by TLS 1.2", None, self.status(server, version=ssl.TLSVersion.TLSv1_2)),
            ("of another authority", None, self.status(server, others)),
            ("ours, but not for clients", None, self.status(server, ours, "serverAuth")),
        ]:
            with self.subTest(why):
                self.assertEqual(answer, status)
        self.assertEqual(server.metric(
            'sidelight_webhook_connections_dropped_total{reason="tls"}'), 4)
        (others / "ca.crt").rename(ours / "ca.crt")
        wait_for("the new authority", lambda: self.status(server, others) == 200)
        self.assertIsNone(self.status(server, ours))
        (ours / "ca.crt").write_text("nonsense")
        wait_for("a failed reload", lambda: "stays the one it was" in server.process.text())
        self.assertEqual(self.status(server, others), 200)

    def test_bad_file(self):
        where = self.scratch("tls")
        where.mkdir()
        run([WEBHOOK, "certs", "--dir", where])
        for file in ("/nowhere", where / "tls.key"):
            done = run([WEBHOOK, "serve", "--tls-cert", where / "tls.crt", "--tls-key",
                        where / "tls.key", "--client-ca", file], check=False)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("--client-ca", done.stderr)


class Strictness(Case):
    """Over the wire: what is ambiguous is refused, and ends the connection."""

    def exchange(self, server, request):
        tls = ssl.create_default_context(cafile=str(server.dir / "ca.crt"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain, \
                tls.wrap_socket(plain, server_hostname=SERVICE) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):  # to the end: the server closes
                answer += piece
            return answer

    def test_refused(self):
        server = Server(self)
        post = b"POST /mutate-pod HTTP/1.1\r\n"
        next_one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for why, request in [
            ("both lengths", post + b"Host: x\r\nContent-Length: 4\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("a bare LF", b"GET /healthz HTTP/1.1\nHost: x\n\n"),
            ("obs-fold", post + b"Host: x\r\nX-A: b\r\n c\r\n\r\n"),
            ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n"),
            ("two Hosts", b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
            ("NUL in the request line", b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        ]:
            with self.subTest(why):
                answer = self.exchange(server, request + next_one)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
                self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(server.metric(
            'sidelight_webhook_requests_refused_total{reason="malformed"}'), 6)


class ComingAndGoing(Case):
    def test_resource_limits(self):
        """Where a library would abort, there is a line and a status."""
        made = self.scratch("certs")
        made.mkdir()
        run([WEBHOOK, "certs", "--dir", made])
        serve = [WEBHOOK, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
                 "--tls-cert", made / "tls.crt", "--tls-key", made / "tls.key"]
        for option, says in ([(f"--nofile={n}", "ulimit -n") for n in (8, 10, 12, 16, 24)] +
                             [(f"--as={n << 20}", "ulimit -v") for n in (28, 32, 36, 40)]):
            with self.subTest(option):
                done = run(["prlimit", option, *serve], check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(says, done.stderr)

    def test_ready(self):
        server = Server(self)
        for path in ("/readyz", "/healthz"):
            self.assertEqual(server.plain(path).status, 200)
            self.assertEqual(server.request("GET", path).status, 200)

    def test_drained(self):
        """Not ready at once, but serving until the API servers know."""
        server = Server(self, drain="600")
        kept = self.own(server.connect())
        self.assertEqual(server.post("/mutate-pod", review(pod()), connection=kept).status, 200)
        server.process.send(signal.SIGTERM)
        wait_for("it to be unready", lambda: server.plain("/readyz").status == 503)
        answer = server.post("/mutate-pod", review(pod()), connection=kept)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertTrue(server.post("/mutate-pod", review(pod()),
                                    connection=self.own(server.connect())).patch)
        self.assertEqual(server.plain("/healthz").status, 200)
        server.process.send(signal.SIGTERM)
        self.assertEqual(server.process.wait(), 0)

    def test_half_a_request_at_the_end(self):
        """A review that is half here is answered before the server goes."""
        server = Server(self)
        body = json.dumps(review(pod()))
        connection = self.own(server.connect())
        connection.putrequest("POST", "/mutate-pod")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:100].encode())
        wait_for("the head to be read",
                 lambda: server.metric("sidelight_webhook_requests_open") == 1)
        server.process.send(signal.SIGTERM)
        wait_for("the end of listening", lambda: not self.accepts(server.port))
        connection.send(body[100:].encode())
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(server.process.wait(), 0)

    def accepts(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return True
        except (ConnectionRefusedError, ConnectionResetError):
            return False # reset: in the queue when listening ended


if __name__ == "__main__":
    main()
