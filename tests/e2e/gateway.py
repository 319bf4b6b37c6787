# SPDX-License-Identifier: Apache-2.0
"""
Both ends of a push: the driver (push_driver.c), a real Pushgateway, a real
Prometheus, and a gateway that misbehaves on request.
"""
import gzip
import http.server
import json
import os
import subprocess
import threading
import urllib.parse
import urllib.request

import harness
from observer import Metrics, http_get

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "push_driver"
COUNT = "http_server_request_duration_seconds_count"


def build_driver():
    """For unittest's setUpModule; `make test` has built it already."""
    harness.run(
        ["make", "-s", "-C", harness.ROOT, DRIVER.relative_to(harness.ROOT)], seconds=300
    )


class Driver:
    """
    The exporters with made-up transactions; each feed(n) is n requests to three routes, each mix(n)
    n requests of other kinds.
    """

    def __init__(self, case, *args, push=None, group=("job=shop",)):
        argv = [DRIVER, *args]
        if push:
            argv += ["--push", push]
            for label in group:
                argv += ["--group", label]
        reader, self.writer = os.pipe()
        case.stack.callback(os.close, self.writer)
        with os.fdopen(reader) as stdin:
            self.process = case.spawn(argv, stdin=stdin)
        self.fed = 0
        self.tells("up\n", "port ")

    def tells(self, *any_of):
        def event():
            if any(text in self.process.text() for text in any_of):
                return True
            if not self.process.is_running():
                raise AssertionError(f"the driver has ended:\n{self.process.text()}")
            return False

        harness.wait_for(f"{any_of} from the driver", event)

    def command(self, line, answer):
        before = self.process.text().count(answer)
        os.write(self.writer, line.encode() + b"\n")
        harness.wait_for(answer, lambda: self.process.text().count(answer) > before)

    def feed(self, n):
        self.command(f"feed {n}", f"fed {n}\n")
        self.fed += n

    def mix(self, n):
        self.command(f"mix {n}", f"mixed {n}\n")

    @property
    def port(self):
        return int(self.process.text().split("port ")[1].split()[0])

    def log(self, word=""):
        return [
            line
            for line in self.process.text().splitlines()
            if line.startswith("sidelight: ") and word in line
        ]


class Pushgateway:
    """The real one. It keeps nothing over a restart, so that what is there was pushed."""

    def __init__(self, case, port=None, *args):
        harness.need("prometheus-pushgateway")
        self.case = case
        self.port = port or harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = case.spawn(
            [
                "prometheus-pushgateway",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--persistence.file=",
                *args,
            ]
        )
        self.process.wait_listening(self.port)

    def metrics(self):
        return Metrics(http_get(self.port, "/metrics")[1])

    def groups(self):
        """The grouping keys of all groups."""
        data = json.loads(http_get(self.port, "/api/v1/metrics")[1])["data"]
        return [group["labels"] for group in data]

    def assert_groups(self, wanted):
        """It answers DELETE before it deletes (202), so in a moment, if not now."""
        try:
            harness.wait_for("groups to go", lambda: self.groups() == wanted, 5)
        except AssertionError:
            self.case.assertEqual(self.groups(), wanted)

    def send(self, method, path, body=None, kind="text/plain"):
        request = urllib.request.Request(self.url + path, data=body, method=method,
                                         headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status

    def has(self, count, **labels):
        """Every route of the driver was counted so often."""
        metrics = self.metrics()
        return all(
            metrics.sum(COUNT, http_route=route, **labels) == count
            for route in ("/ok", "/slow/{id}", "/fail")
        )

    def wait_has(self, count, seconds=10, **labels):
        harness.wait_for(f"{count} requests per route", lambda: self.has(count, **labels), seconds)


class Prometheus:
    """
    The real one, scraping ports every second as gateways or as applications; `rules` are files,
    `args` more of its flags.
    """

    def __init__(self, case, *ports, honors_labels, rules=(), args=(), program="prometheus"):
        harness.need(str(program))
        self.port = harness.free_port()
        directory = case.scratch("prometheus")
        directory.mkdir()
        config = directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"rule_files: {[str(path) for path in rules]}\n"
            "scrape_configs:\n"
            "- job_name: test\n"
            f"  honor_labels: {str(honors_labels).lower()}\n"
            f"  static_configs: [{{targets: {[f'127.0.0.1:{port}' for port in ports]}}}]\n"
        )
        self.process = case.spawn(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                *args,
            ],
            cwd=directory,
        )
        self.process.wait_listening(self.port)

    def query(self, expression, at=None):
        """[(labels, value)] of an instant query, now or at a Unix time."""
        words = urllib.parse.urlencode({"query": expression} | ({"time": at} if at else {}))
        status, text = http_get(self.port, f"/api/v1/query?{words}")
        if status != 200:
            return []
        result = json.loads(text)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]


class FakeGateway:
    """
    Answers as told, and remembers (method, path, headers, text). What to
    answer: a status, or "nothing" (closes without a word), "hang" (until
    released), or a function of the request that returns one of these. A GET
    is no push: its answer is `page`, or `status` if it asks what the gateway
    is, and 404 if that is None; "hang" likewise.
    """

    def __init__(self, case, answer=200, context=None, delay=None, port=0):
        self.answer = answer
        self.requests = []
        self.page = self.status = None
        self.reads = 0  # GETs of the page
        self.asked = []  # after how many requests it was asked what it is
        self.released = threading.Event()
        self.delay = delay  # seconds before each answer
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_PUT(self):
                gateway.handle(self)

            do_DELETE = do_GET = do_POST = do_PUT

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that give up are what some tests are about

        self.server = Server(("127.0.0.1", port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.stack.callback(self.server.server_close)
        case.stack.callback(self.server.shutdown)
        case.stack.callback(self.released.set)

    def show(self, handler):
        with self.lock:
            if handler.path.endswith("/api/v1/status"):
                self.asked.append(len(self.requests))
                answer = self.status
            else:
                self.reads += 1
                answer = self.page
        if answer == "hang":
            self.released.wait()
            handler.close_connection = True
            return
        handler.send_response(404 if answer is None else 200)
        handler.send_header("Content-Length", str(len(answer or b"")))
        handler.end_headers()
        handler.wfile.write(answer or b"")

    def handle(self, handler):
        if handler.command == "GET":
            self.show(handler)
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        # Protobuf comes back by the same way.
        text = body.decode(errors="surrogateescape")
        request = (handler.command, handler.path, handler.headers, text)
        with self.lock:
            self.requests.append(request)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        answer = self.answer(request) if callable(self.answer) else self.answer
        if self.delay:
            self.released.wait(self.delay)
        if answer == "hang":
            self.released.wait()
        with self.lock:
            self.open -= 1
        if answer in ("nothing", "hang"):
            handler.close_connection = True
            return
        text = b"" if answer == 204 else b"first line\r\nsecond line\n"
        handler.send_response(answer)
        if 300 <= answer < 400:
            handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
        if answer != 204:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def bodies(self):
        return [Metrics(text) for method, _, _, text in self.requests if method == "PUT"]

    def wait_requests(self, count, seconds=15):
        harness.wait_for(
            f"request {count} at the gateway", lambda: len(self.requests) >= count, seconds
        )


class Certificates:
    """A CA, a server's certificate for localhost, a client's, and a CA that signed nothing."""

    def __init__(self, directory):
        harness.need("openssl")
        self.dir = directory
        for name in ("ca", "other-ca"):
            self.openssl(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                f"-subj /CN={name} -keyout {name}.key -out {name}.pem"
            )
        (directory / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        for name in ("server", "client"):
            self.openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                f"-subj /CN={name} -keyout {name}.key -out {name}.csr"
            )
            self.openssl(
                f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
                f"-extfile san -out {name}.pem"
            )

    def openssl(self, words):
        subprocess.run(
            ["openssl", *words.split()], cwd=self.dir, check=True, capture_output=True, timeout=30
        )

    def __getitem__(self, name):
        return str(self.dir / name)
