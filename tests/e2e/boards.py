# SPDX-License-Identifier: Apache-2.0
"""
The dashboards of kustomize/dashboards as Grafana shows them, and a shop whose traffic gives every
panel something to show.
"""
import json
import re
import socket
import urllib.parse

import clients
import harness
import peers
import servers
from observer import Sidelight, http_get
from peers import Call

DIRECTORY = harness.ROOT / "kustomize" / "dashboards"
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.json"))
RULES = harness.ROOT / "kustomize" / "rules" / "sidelight.rules.yaml"


def load(name):
    return json.loads((DIRECTORY / f"{name}.json").read_text())


def panels_of(board):
    """All that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


class Board:
    """
    Grafana's part: variables and their choices. `chosen` has values of some; all of the others
    are taken, as Grafana does by itself.
    """

    def __init__(self, name, prometheus, chosen, rate_interval="1m"):
        self.json = load(name)
        self.prometheus = prometheus
        self.values = {}
        self.offered = {}
        for variable in self.json["templating"]["list"]:
            if variable["type"] == "query":
                name = variable["name"]
                self.offered[name] = self.choices(variable["query"])
                self.values[name] = chosen.get(name, variable["allValue"])
        self.values["__rate_interval"] = rate_interval

    def choices(self, query):
        """label_values(SELECTOR, LABEL), which is Grafana's word and not Prometheus'."""
        selector, label = re.fullmatch(r"label_values\((.*), *(\w+)\)", query).groups()
        words = urllib.parse.urlencode({"match[]": self.filled(selector)})
        path = f"/api/v1/label/{label}/values?{words}"
        status, text = http_get(self.prometheus.port, path)
        if status != 200:
            raise AssertionError(f"{path}: {text}")
        return json.loads(text)["data"]

    def filled(self, text):
        for name, value in self.values.items():
            text = text.replace(f"${name}", value)
        return text

    def panels(self):
        return panels_of(self.json)


def legend(target, labels):
    return re.sub(r"{{(\w+)}}", lambda m: labels.get(m.group(1), ""), target["legendFormat"])


# What happens in a round.
REQUESTS = [("GET", "/hello")] * 6 + [("GET", "/users/17")] * 3 + [("POST", "/gateway")] * 3
ASKED = ["/hello"] * 4 + ["/missing", "/gateway"]
SLEEP_MS = 120  # of all Slow, and of two Fast in eight
CALLS = (
    [Call("Fast", 0)] * 4
    + [Call("Fast", peers.STATUS.index("INTERNAL"))] * 2
    + [Call("Fast", peers.STATUS.index("NOT_FOUND"), SLEEP_MS)] * 2
    + [Call("Slow", 0, SLEEP_MS)] * 4
)
REDIS = b"*1\r\n$4\r\nPING\r\n"
TLS = bytes((22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3)) + bytes(194)
ECHO = """
import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    c = s.accept()[0]
    while data := c.recv(4096):
        c.sendall(data)
    c.close()
"""


class Shop:
    """
    A workload of HTTP, gRPC, and a port that speaks neither, which also asks a server elsewhere;
    all of it under one sidelight.
    """

    PLACE = {"namespace": "prod", "workload": "shop", "pod": "web-1"}
    COUNTED = {
        "http_server_request_duration_seconds_count": len(REQUESTS),
        "http_client_request_duration_seconds_count": len(ASKED),
        "rpc_server_call_duration_seconds_count": len(CALLS),
        "rpc_client_call_duration_seconds_count": len(CALLS),
        "sidelight_probe_requests_total": 1,
        "sidelight_tls_connections_dark_total": 1,
        "sidelight_connections_not_http_total": 1,
    }

    def __init__(self, case, *args):
        self.case = case
        self.calls = peers.Echo(case, language=peers.PYTHON)
        self.cgroup = self.calls.cgroup
        self.web = servers.PythonHttp(case, cgroup=self.cgroup)
        self.bank = servers.PythonHttp(case)
        self.echo = harness.free_port()
        case.spawn(["python3", "-c", ECHO, self.echo], cgroup=self.cgroup).wait_listening(self.echo)
        self.sidelight = Sidelight(
            case, "--body-sizes", f"--control={case.scratch('control')}",
            *(f"--{name}={value}" for name, value in self.PLACE.items()), *args,
            cgroup=self.cgroup)
        self.client = peers.Client(case, peers.PYTHON, self.calls.port, cgroup=self.cgroup)

    def traffic(self, times=1):
        clients.send_plan(self.web.port, REQUESTS * times)
        self.client.run(CALLS * times)
        self.ask(ASKED * times)
        for _ in range(times):
            clients.get(self.web.port, "/hello", headers={"User-Agent": "kube-probe/1.36"})
            self.speak(REDIS)
            self.speak(TLS)

    def ask(self, paths):
        """As a client of the server elsewhere."""
        urls = [f"http://127.0.0.1:{self.bank.port}{path}" for path in paths]
        curl = self.case.spawn(["curl", "-q", "-s", *urls], cgroup=self.cgroup)
        if curl.wait():
            raise AssertionError(f"curl failed: {curl.text()}")

    def speak(self, first):
        """A connection that is not HTTP."""
        with socket.create_connection(("127.0.0.1", self.echo)) as s:
            for _ in range(9):  # after eight answers it is read no more
                s.sendall(first)
                left = len(first)
                while left:
                    left -= len(s.recv(left))
