# SPDX-License-Identifier: Apache-2.0
"""
The other end of OTLP/HTTP: a collector that answers as told, its requests as a strict decoder reads
them, and in the words of Prometheus, so that they can be compared with /metrics.
"""
import contextlib
import gzip
import json
import os
import pathlib
import re
import subprocess
import unittest
import urllib.parse

import harness
from gateway import FakeGateway
from observer import http_get

DECODER = harness.SERVERS / "otlp_decode.py"

# The documented mapping, backwards: of names that are not made by replacing dots.
LABELS = {"rpc.response.status_code": "rpc_status_code", "k8s.container.name": "container",
          "container.name": "container"}
UNITS = {"s": "_seconds", "By": "_bytes"}


def decode(body):
    """A request, as a list of resources; fails for what the protocol does not allow."""
    if not pathlib.Path("/usr/lib/python3/dist-packages/google/protobuf").exists():
        raise unittest.SkipTest("python3-protobuf is not installed")
    done = subprocess.run(["/usr/bin/python3", DECODER], input=body, capture_output=True, timeout=60)
    if done.returncode:
        raise AssertionError(f"not a request of OTLP: {done.stderr.decode()}")
    return json.loads(done.stdout)


def family_name(metric):
    """As Prometheus' translator of OTLP names it."""
    name = re.sub(r"[^a-zA-Z0-9:]", "_", metric["name"]) + UNITS.get(metric["unit"], "")
    return name + ("_total" if metric["kind"] == "sum" and metric["is_monotonic"] else "")


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labels(resource, point, **more):
    container = {key: value for key, value in resource["attributes"].items()
                 if LABELS.get(key) == "container"}
    have = {LABELS.get(key, re.sub(r"[^a-zA-Z0-9_]", "_", key)): text_of(value)
            for key, value in {**container, **point["attributes"], **more}.items()}
    return tuple(sorted(have.items()))


def samples(resources):
    """{(name, labels): value}, as observer.Metrics has them; `le` is the text of a float."""
    found = {}
    for resource in resources:
        for metric in resource["metrics"]:
            name = family_name(metric)
            for point in metric["points"]:
                if metric["kind"] != "histogram":
                    found[name, _labels(resource, point)] = float(point["value"])
                    continue
                below = 0
                for bound, count in zip(point["bounds"] + [float("inf")], point["buckets"]):
                    below += count
                    found[f"{name}_bucket", _labels(resource, point, le=repr(bound))] = below
                found[f"{name}_sum", _labels(resource, point)] = point["sum"]
                found[f"{name}_count", _labels(resource, point)] = point["count"]
    return found


def comparable(page_samples):
    """Those of a page of /metrics in the same form."""
    return {(name, tuple(sorted((k, repr(float(v)) if k == "le" else v) for k, v in labels))): value
            for (name, labels), value in page_samples.items()}


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def partial_success(rejected=0, message=""):
    """The answer that takes a request but for some points."""
    inner = (b"\x08" + varint(rejected % (1 << 64)) if rejected else b"")
    inner += b"\x12" + varint(len(message.encode())) + message.encode() if message else b""
    return b"\x0a" + varint(len(inner)) + inner


class Collector(FakeGateway):
    """
    A receiver of OTLP/HTTP. What to answer: a status, or (status, header fields, body), "hang",
    "nothing", or a function of the request that returns one of these. Its requests are (method,
    path, headers, body).
    """

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = (handler.command, handler.path, handler.headers, body)
        with self.lock:
            self.requests.append(request)
        answer = self.answer(request) if callable(self.answer) else self.answer
        if answer == "hang":
            self.released.wait()
        if answer in ("hang", "nothing"):
            handler.close_connection = True
            return
        status, fields, content = (answer, {}, b"") if isinstance(answer, int) else answer
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with contextlib.suppress(OSError):  # it may have heard enough
            handler.wfile.write(content)

    def last(self):
        return decode(self.requests[-1][3])

    def next(self, seconds=15):
        """A request that begins from now on."""
        self.wait_requests(len(self.requests) + 2, seconds)
        return self.last()


class VictoriaMetrics:
    """
    The real one: scrapes ports every second, as gateways or as applications, and receives OTLP,
    whose names it makes Prometheus' names of.
    """

    def __init__(self, case, *ports, port):
        program = harness.ROOT / "build" / "victoria-metrics" / "usr" / "bin" / "victoria-metrics"
        if not os.access(program, os.X_OK):
            raise unittest.SkipTest(
                "VictoriaMetrics of Debian 13 comes from its archive, which could not be reached")
        self.port = port
        directory = case.scratch("victoria-metrics")
        directory.mkdir()
        config = directory / "scrape.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            "- job_name: test\n"
            "  honor_labels: true\n"
            f"  static_configs: [{{targets: {[f'127.0.0.1:{one}' for one in ports]}}}]\n"
        )
        self.process = case.spawn([
            program, f"-storageDataPath={directory}/data", f"-httpListenAddr=127.0.0.1:{port}",
            f"-promscrape.config={config}", "-opentelemetry.usePrometheusNaming",
            "-search.latencyOffset=0s",
        ])
        self.process.wait_listening(port)

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        words = urllib.parse.urlencode({"query": expression, "nocache": 1})
        status, text = http_get(self.port, f"/api/v1/query?{words}")
        found = json.loads(text)["data"]["result"] if status == 200 else []
        return [(one["metric"], float(one["value"][1])) for one in found]
