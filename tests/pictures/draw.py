#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Pictures of the dashboards with data of a real run: tests/pictures/draw.py [SECONDS]

A shop (shop.py) and a gRPC service run under sidelight while customers come for SECONDS; then a
real Prometheus answers each panel's queries over that time. Each dashboard is drawn with uPlot in
headless Chromium: build/pictures/NAME.png. The README files show two pictures, which are written
where they are: the beginning of the dashboard of a Pod, and the table of `make demo`.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import boards
import harness
import npm
from gateway import Prometheus, Pushgateway
from observer import Sidelight, http_get

OUT = harness.ROOT / "build" / "pictures"
SOURCE = harness.ROOT / "tests" / "pictures"
DEMO = harness.ROOT / "tests" / "demo"
SHOWN = {
    "dashboard": harness.ROOT / "kustomize" / "dashboard.png",
    "table": DEMO / "table.png",
}
PLACE = {"namespace": "shop", "workload": "web", "pod": "web-5d9c7b4f6-x2x7q"}
STEP_S = 2
RATE_INTERVAL = "15s"
WIDTH = 1280
CELL_HEIGHT = 30  # as in page.js
HEAD_HEIGHT = 62
TEXT_WIDTH = 132


def install():
    """uPlot, as package-lock.json has it, beside the page."""
    npm.install("pictures")
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        shutil.copy(OUT / "node_modules" / "uplot" / "dist" / name, OUT / name)
    for name in ("page.html", "page.js"):
        shutil.copy(SOURCE / name, OUT / name)


class Shop:
    """All of it, each part a process of the case."""

    def __init__(self, case):
        self.case = case
        self.cgroup = case.cgroup()
        self.port, self.grpc, bank = (harness.free_port() for _ in range(3))
        self.python(SOURCE / "shop.py", "bank", bank).wait_listening(bank)
        self.python(SOURCE / "shop.py", "serve", self.port, bank,
                    cgroup=self.cgroup).wait_listening(self.port)
        self.python(DEMO / "shop.py", "server", self.grpc,
                    cgroup=self.cgroup).wait_listening(self.grpc)
        self.gateway = Pushgateway(case)
        self.sidelight = Sidelight(
            case, "--body-sizes", "--by=process", "--syscalls=on", f"--push={self.gateway.url}",
            "--push-interval=2",
            f"--control={case.scratch('control')}",
            *(f"--{name}={value}" for name, value in PLACE.items()), cgroup=self.cgroup)

    def python(self, *words, **more):
        # Debian's, which has its grpc.
        return self.case.spawn(["/usr/bin/python3", *words], **more)

    def visit(self, seconds):
        customers = self.python(SOURCE / "shop.py", "visit", self.port, seconds)
        end = time.monotonic() + seconds
        seed = 0
        while time.monotonic() < end:
            # Its own gRPC customer, so that calls made are shown too.
            seed += 1
            self.python(DEMO / "shop.py", "client", self.grpc, seed, 20,
                        cgroup=self.cgroup).wait(60)
            time.sleep(1.5)
            self.case.assertTrue(self.sidelight.process.is_running())
        self.case.assertEqual(customers.wait(seconds), 0)


def series(prometheus, expr, start, end):
    """[(labels, values)] over the time; None where there is none."""
    words = urllib.parse.urlencode({"query": expr, "start": start, "end": end, "step": STEP_S})
    status, text = http_get(prometheus.port, f"/api/v1/query_range?{words}", seconds=30)
    if status != 200:
        raise AssertionError(f"{expr}: {text}")
    found = []
    for one in json.loads(text)["data"]["result"]:
        at = {int(when): float(value) for when, value in one["values"]}
        values = [at.get(when) for when in range(start, end + 1, STEP_S)]
        found.append((one["metric"], [None if v is None or v != v else v for v in values]))
    return found


def columns(panel):
    """Of a table, in the order in which Grafana's transformations put them: [(name, field)]."""
    organize = panel["transformations"][1]["options"]
    order = sorted(organize["indexByName"], key=organize["indexByName"].get)
    return [(organize["renameByName"][field], field) for field in order]


def override(panel, name, what):
    for each in panel["fieldConfig"]["overrides"]:
        if each["matcher"]["options"] == name:
            return next((p["value"] for p in each["properties"] if p["id"] == what), None)
    return None


def table(panel, answers):
    """Rows by labels, joined over the queries."""
    names = columns(panel)
    labels = [field for _, field in names if not field.startswith("Value")]
    rows = {}
    for letter, answer in zip("ABCDEFGH", answers):
        for metric, values in answer:
            key = tuple(metric.get(label, "") for label in labels)
            rows.setdefault(key, {})[f"Value #{letter}"] = values[-1]
    return {
        "columns": [{"name": name, "unit": override(panel, name, "unit"),
                     "steps": (override(panel, name, "thresholds") or {}).get("steps")}
                    for name, _ in names],
        "rows": [[*key, *(row.get(field) for _, field in names[len(labels):])]
                 for key, row in rows.items()],
    }


def drawn(board, panel, start, end):
    """What page.js draws of a panel."""
    answers = [series(board.prometheus, board.filled(target["expr"]), start, end)
               for target in panel["targets"]]
    defaults = panel["fieldConfig"]["defaults"]
    about = {"kind": panel["type"], "title": panel["title"], "at": panel["gridPos"],
             "unit": defaults.get("unit") or panel["options"].get("yAxis", {}).get("unit"),
             "steps": defaults.get("thresholds", {}).get("steps", [])}
    if not any(answers):
        print(f"{board.json['title']}: nothing for {panel['title']}")
        return about | {"kind": "empty"}
    if panel["type"] == "table":
        return about | table(panel, answers)
    lines = [{"legend": boards.legend(target, labels).strip(), "values": values}
             for target, answer in zip(panel["targets"], answers) for labels, values in answer]
    lines.sort(key=lambda line: -sum(v or 0 for v in line["values"]))
    stacking = defaults.get("custom", {}).get("stacking", {}).get("mode")
    return about | {"series": lines, "stacked": stacking == "normal"}


def photograph(data, width, height, path):
    (OUT / "data.js").write_text(f"const DATA = {json.dumps(data)};\n")
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--allow-file-access-from-files", f"--user-data-dir={OUT / 'profile'}",
         f"--window-size={width},{height}", f"--screenshot={path}", f"file://{OUT}/page.html"],
        check=True, capture_output=True, timeout=120)
    print(f"{path} {path.stat().st_size} bytes")


def picture(board, name, start, end):
    """Of a whole dashboard; that of a Pod also of its beginning."""
    panels = []
    for panel in board.json["panels"]:
        if panel["type"] == "row":
            panels.append({"kind": "row", "title": panel["title"], "at": panel["gridPos"]})
        else:
            panels.append(drawn(board, panel, start, end))
    data = {"title": board.json["title"], "panels": panels,
            "where": "  ".join(f"{name}: {value}" for name, value in board.values.items()
                               if value != ".*").replace("__rate_interval", "rates over"),
            "times": list(range(start, end + 1, STEP_S))}
    cells = max(panel["at"]["y"] + panel["at"]["h"] for panel in panels)
    photograph(data, WIDTH, HEAD_HEIGHT + cells * CELL_HEIGHT, OUT / f"{name}.png")
    if name == "red":
        beginning = [panel for panel in panels if panel["at"]["y"] < 22]
        photograph(data | {"panels": beginning}, WIDTH, HEAD_HEIGHT + 22 * CELL_HEIGHT,
                   SHOWN["dashboard"])


def fitted(line):
    """Words that a terminal of TEXT_WIDTH columns has no room for are left out."""
    if len(line) <= TEXT_WIDTH:
        return line.rstrip()
    return line[: TEXT_WIDTH - 3].rpartition(" ")[0] + " ..."


def picture_of_the_table():
    """Of what `make demo` prints: the table of requests, and the counts beside those of others."""
    done = harness.run([DEMO / "demo"], seconds=120, env={**os.environ, "STAY": "0"})
    table = re.search(r"^.*requests served in.*\n\n?(?: +.*\n)+", done.stderr, re.M)
    counts = re.search(r"^status (?:.*\n)+?\nstatus (?:.+\n)+", done.stdout, re.M)
    if not table or not counts:
        raise AssertionError(f"no table in:\n{done.stdout}{done.stderr}")
    text = f"$ make demo\n\n{table[0].rstrip()}\n\n{counts[0].rstrip()}"
    lines = [fitted(line) for line in text.split("\n")]
    photograph({"text": "\n".join(lines)}, 32 + 8 * max(map(len, lines)),
               26 + round(17.6 * len(lines)), SHOWN["table"])


def main():
    seconds = int(sys.argv[1]) if sys.argv[1:] else 120
    install()
    case = harness.Case()
    case.setUp()
    try:
        shop = Shop(case)
        prometheus = Prometheus(case, shop.gateway.port, honors_labels=True)
        shop.visit(seconds)
        end = int(time.time())
        for name in boards.NAMES:
            board = boards.Board(name, prometheus, PLACE, RATE_INTERVAL)
            picture(board, name, end - seconds + 20, end)
    finally:
        case.doCleanups()
    picture_of_the_table()


if __name__ == "__main__":
    main()
