#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`sidelight ui`: what it answers, how it ends; and the page itself in headless Chromium, whose numbers
are those of /metrics.
"""
import collections
import filecmp
import http.client
import json
import os
import re
import signal
import unittest
import urllib.parse

import clients
import harness
import npm
from browser import SECONDS, Browser
from observer import SENTINEL
from tracing import Traced, lines_of

LINK = re.compile(r"^http://127\.0\.0\.1:(\d+)/\?token=([0-9a-f]{32})$", re.M)
# A page is loaded in 60 ms here. DESIGN wants 200 ms; a machine of CI may be busy.
LOAD_MS = 200 * float(os.environ.get("UI_LOAD_FACTOR", 10))
PICTURES = os.environ.get("UI_PICTURES")  # a directory: pictures are kept there
HOSTILE = [
    ("GET", "/%3Cimg%20src=x%20onerror=window.hit=1%3E"),
    ("GET", "/<script>window.hit=1</script>"),
    ("GET", "/\"'><b>bold"),
    ("GET", "/{{7*7}}/${window.hit=1}"),
]
PLAN = [("GET", "/hello"), ("GET", "/missing"), ("POST", "/made"), ("GET", "/users/17"), ("GET", "/gateway")]


class Ui(Traced):
    """The server and sidelight run; ui() starts the command."""

    def ui(self, *args, where=None):
        process = self.spawn([harness.BINARY, "ui", *(where or ("--control", self.path)), *args])
        harness.wait_for("the link", lambda: LINK.search(process.text())
                         or not process.is_running(), seconds=SECONDS)
        self.assertTrue(process.is_running(), process.text())
        return process

    def links(self, process):
        return [match.groups() for match in LINK.finditer(process.text())]

    def get(self, port, path, host=None, **fields):
        """(status, header fields, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        self.stack.callback(connection.close)
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}", **fields})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def enter(self, process):
        """(port, cookie) of a session."""
        port, token = self.links(process)[-1]
        status, headers, _ = self.get(port, f"/?token={token}")
        self.assertEqual(status, 200)
        return port, headers["Set-Cookie"].split(";")[0]

    def ask(self, port, cookie, path):
        status, _, body = self.get(port, path, Cookie=cookie)
        self.assertEqual(status, 200, body)
        return lines_of(body)


class Answers(Ui):
    def windows(self, port, cookie, wanted):
        """Rows of all windows, when so many requests are in them, sentinels left out."""
        found = []

        def event():
            head, *lines = self.ask(port, cookie, "/api/windows")
            self.assertEqual(head["next"] - head["first"], len(lines))
            found[:] = [row for line in lines for row in line["routes"] if row["route"] != SENTINEL]
            return sum(row["requests"] for row in found) >= wanted

        harness.wait_for("the windows", event, seconds=SECONDS, pause=0.1)
        return found

    def test_windows_are_the_metrics(self):
        self.start()
        port, cookie = self.enter(self.ui())
        clients.send_plan(self.server.port, PLAN * 20)
        counted = self.sidelight.wait_counted(len(PLAN) * 20)
        rows = self.windows(port, cookie, len(PLAN) * 20)
        results = collections.Counter()
        for row in rows:
            self.assertEqual(sum(n for _, n in row["durations"]), row["requests"])
            self.assertNotIn("p50_ns", row)
            for status, count in row["statuses"].items():
                results[row["method"], row["route"], status] += count
        self.assertEqual(results, counted.requests())

    def test_past_and_windows_have_each_request_once(self):
        self.start()
        clients.send_plan(self.server.port, PLAN)
        self.sidelight.settle(self.server.port)
        port, cookie = self.enter(self.ui())
        head, *past = self.ask(port, cookie, "/api/past")
        self.assertEqual((head["lost"], head["end"]), (0, len(past)))
        asked = [(r["method"], r["target"]) for r in past if r["target"] != SENTINEL]
        self.assertEqual(sorted(asked), sorted(PLAN))
        clients.get(self.server.port, "/hello")
        rows = self.windows(port, cookie, 1)
        self.assertEqual([(r["route"], r["requests"]) for r in rows if r["requests"]], [("/hello", 1)])

    def test_requests_by_their_conditions(self):
        self.start()
        port, cookie = self.enter(self.ui())
        clients.send_plan(self.server.port, PLAN)
        self.sidelight.settle(self.server.port)
        for words, wanted in (("status=404", ["/missing"]), ("method=POST&follow=1", ["/made"]),
                              ("count=1&route=/hello", ["/hello"]), ("status=418", [])):
            lines = self.ask(port, cookie, f"/api/requests?{words}")
            self.assertEqual([line["target"] for line in lines], wanted, words)
        for words, said in (("status=9", "no list"), ("colour=red", "no condition"), ("status=", "")):
            (line,) = self.ask(port, cookie, f"/api/requests?{words}")
            self.assertEqual((line["ok"], said in line["error"]), (False, True), line)
        (settings,) = self.ask(port, cookie, "/api/settings")
        self.assertEqual(settings["recorder"]["recent"], 2000)
        self.assertEqual(self.get(port, "/api/windows?from=x", Cookie=cookie)[0], 400)
        self.assertEqual(self.get(port, "/nothing", Cookie=cookie)[0], 404)

    def test_without_a_recorder(self):
        self.start("--recorder", "off")
        port, cookie = self.enter(self.ui())
        (line,) = self.ask(port, cookie, "/api/requests")
        self.assertIn("the recorder is off", line["error"])
        self.assertEqual(len(self.ask(port, cookie, "/api/past")), 1)


class Life(Ui):
    def test_ends(self):
        self.start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.ui()
            process.send(number)
            self.assertEqual(process.wait(), 0, process.text())
        self.assertEqual(self.ui("--for", "1s").wait(), 0)
        process = self.ui("--idle", "1s")
        self.assertEqual(process.wait(), 0, process.text())
        process = self.ui()
        self.enter(process)
        self.sidelight.stop()
        self.assertEqual(process.wait(), 1)
        self.assertIn("ui: the sidecar has ended", process.text())

    def test_a_port(self):
        self.start()
        port = harness.free_port()
        self.assertEqual(self.links(self.ui("--port", port))[0][0], str(port))
        done = harness.run([harness.BINARY, "ui", "--control", self.path, "--port", port], check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, rf"\A.*cannot listen at 127\.0\.0\.1:{port} .*in use.*\n\Z")

    def test_no_sidecar(self):
        done = harness.run([harness.BINARY, "ui", "--control", self.path], check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\A.*no sidecar has a control socket.*\n\Z")
        done = harness.run([harness.BINARY, "ui", "--control", self.path, "--pid", "1"], check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("more than one thing to look at", done.stderr)

    def test_a_capture_of_its_own(self):
        process = self.ui(where=("--cgroup", self.server.cgroup))
        port, cookie = self.enter(process)
        clients.get(self.server.port, "/hello")
        lines = lambda: self.ask(port, cookie, "/api/requests")
        harness.wait_for("the request", lambda: [r["target"] for r in lines()] == ["/hello"])
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), 0, process.text())

    def test_many_clients_and_one_that_reads_nothing(self):
        self.start()
        process = self.ui()
        port, cookie = self.enter(process)
        question = f"GET /api/requests HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
        for _ in range(40):
            stalled = self.own(clients.Wire(int(port)))
            stalled.send(question.encode())
        self.assertEqual(self.get(port, "/api/windows", Cookie=cookie)[0], 200)
        with open(f"/proc/{process.pid}/status") as f:
            resident = int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1])
        self.assertLess(resident, 32 << 10)


ROUTES = """[...document.querySelectorAll("#routes tbody tr")].map((row) => row.innerText.split("\\t"))"""
REQUESTS = """[...document.querySelectorAll("#requests tbody tr[tabindex] td.text")]
    .map((cell) => cell.textContent)"""
TILE = """document.querySelector('[data-tile="%s"] dd').textContent"""
TOTAL = "(document.querySelector('[data-tile=\"requests\"] dd') ?? {}).textContent"


class InBrowsers(Ui):
    def setUp(self):
        super().setUp()
        self.start()

    def open(self, process, browser=None):
        """A page that has drawn something."""
        page = (browser or Browser(self)).page()
        port, token = self.links(process)[-1]
        self.assertEqual(page.open(f"http://127.0.0.1:{port}/?token={token}"), 200)
        page.wait("document.querySelector('#tiles dd')")
        return page

    def assert_well(self, page):
        self.assertEqual(page.complaints(), [])
        self.assertIsNone(page.value("window.hit"))
        hosts = {urllib.parse.urlparse(url).hostname for url in page.urls() if not url.startswith("data:")}
        self.assertLessEqual(hosts, {"127.0.0.1", None})

    def shown(self, page):
        """{(method, route): requests} of the table."""
        return {(row[0], row[1]): int(row[2]) for row in page.value(ROUTES)}

    def expected(self, scrape):
        """The same of /metrics, and how many of them are errors."""
        counts = collections.Counter()
        for (method, route, _), count in scrape.requests().items():
            counts[method, route] += count
        errors = sum(n for (_, _, status), n in scrape.requests().items() if not "100" <= status < "500")
        return dict(counts), errors

    def test_numbers_are_the_metrics_in_two_browsers(self):
        clients.send_plan(self.server.port, PLAN * 3)  # before anybody looks: of the recorder
        self.sidelight.wait_counted(len(PLAN) * 3)
        process = self.ui()
        pages = [self.open(process)]
        harness.wait_for("the next link", lambda: len(self.links(process)) == 2)
        pages.append(self.open(process))
        clients.send_plan(self.server.port, PLAN * 7)
        total = len(PLAN) * 10
        scrape = self.sidelight.wait_counted(total)
        counts, errors = self.expected(scrape)
        self.assertEqual(sum(counts.values()), total)
        for page in pages:
            page.wait(f"{TOTAL} === '{total}'")
            self.assertEqual(self.shown(page), counts)
            self.assertEqual(page.value(TILE % "errors").split(" ")[0], str(errors))
            page.wait(f"{REQUESTS}.length === {total}")
            self.assertEqual(collections.Counter(page.value(REQUESTS)),
                             collections.Counter(target for _, target in PLAN * 10))
            self.assertEqual(page.value("location.search"), "")
            self.assert_well(page)

    def test_percentiles_are_those_of_top(self):
        """Give or take what the classes of both are wide."""
        process = self.ui()
        page = self.open(process)
        top = self.spawn([harness.BINARY, "top", "--once", "--for=8s", "--format=json",
                          "--control", self.path])
        settings = ["curl", "-s", "--unix-socket", self.path, "http://x/settings"]
        harness.wait_for("both windows", lambda: json.loads(
            harness.run(settings).stdout)["windows"] == 2)
        clients.send_plan(self.server.port, [("GET", "/hello")] * 200)
        self.assertEqual(top.wait(30), 0)
        (row,) = [r for r in json.loads(top.text())["routes"] if r["route"] == "/hello"]
        page.wait(f"{TOTAL} === '200'")
        for name in ("p50", "p90", "p99"):
            shown = page.value(f"[...history_.routes('server').values()][0].quantile({name[1:]} / 100)")
            self.assertLess(abs(shown / row[f"{name}_ns"] - 1), 0.09, name)

    def test_hostile_targets_are_text(self):
        for method, target in HOSTILE:
            wire = self.own(clients.Wire(self.server.port))
            wire.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.sidelight.wait_counted(len(HOSTILE))
        page = self.open(self.ui())
        page.wait(f"{REQUESTS}.length === {len(HOSTILE)}")
        self.assertEqual(sorted(page.value(REQUESTS)), sorted(target for _, target in HOSTILE))
        for _ in HOSTILE:  # details of each
            page.press("j")
            page.press("Enter")
        self.assertEqual(page.value("document.querySelectorAll('td img, td script, td b').length"), 0)
        self.assert_well(page)

    def test_keys(self):
        clients.send_plan(self.server.port, PLAN)
        self.sidelight.wait_counted(len(PLAN))
        page = self.open(self.ui())
        page.wait(f"{REQUESTS}.length === {len(PLAN)} && {ROUTES}.length === {len(PLAN)}")
        page.press("j")
        route = page.value("document.activeElement.querySelector('.text').textContent")
        page.press("Enter")
        page.wait(f"{REQUESTS}.length === 1")
        self.assertEqual(page.value(REQUESTS), [route.replace("{id}", "17")])
        self.assertEqual(page.value("document.querySelector('#chosen span').textContent.split(' ')[1]"), route)
        for _ in PLAN:
            page.press("j")
        page.press("Enter")
        page.wait("document.querySelector('.details')")
        details = page.value("document.querySelector('.details').innerText")
        for word in ("duration", "client", "conn", "process" if self.has_process() else "time"):
            self.assertIn(word, details)
        page.press("Escape")
        page.wait("document.querySelector('#chosen').hidden")
        page.press("/")
        page.call("Input.insertText", text="404")
        page.wait(f"{REQUESTS}.join() === '/missing'")
        page.call("Input.insertText", text="x")
        page.wait("!document.querySelector('#filter-trouble').hidden")
        page.press("Escape")
        page.press("h")
        self.assertEqual(page.value("document.querySelector('#headers').ariaPressed"), "true")
        readers = lambda: self.sidelight.scrape().sum("sidelight_control_readers")
        harness.wait_for("the page's reader", lambda: readers() == 1)
        page.press("h")
        harness.wait_for("no reader", lambda: readers() == 0)
        page.press("p")
        self.assertEqual(page.value("document.querySelector('#pause').textContent"), "Go on")
        page.press("?")
        self.assertTrue(page.value("document.querySelector('#help').open"))
        self.assert_well_but_refusals(page)

    def assert_well_but_refusals(self, page):
        self.assertEqual([text for text in page.complaints() if "400" not in text], [])

    def has_process(self):
        return any(r["process"] for r in self.past())

    def test_threads(self):
        """Of the requests that are shown; system calls are not, unless they are counted."""
        clients.send_plan(self.server.port, PLAN * 4)
        self.sidelight.wait_counted(len(PLAN) * 4)
        page = self.open(self.ui())
        page.wait(f"{REQUESTS}.length === {len(PLAN) * 4}")
        rows = "[...document.querySelectorAll('#threads tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
        want = collections.Counter(
            f"{r['process']}" + (f"/{r['thread']}" if r["thread"] != r["process"] else "")
            for r in self.past() if r["process"])
        page.wait(f"{rows}.length === {len(want)}")
        self.assertEqual({row[0]: int(row[1]) for row in page.value(rows)}, dict(want))
        self.assertTrue(page.value("document.querySelector('#syscalls-shown').hidden"))
        self.assert_well(page)

    def test_system_calls(self):
        """While they are counted: the numbers of /metrics, and the stage that they make known."""
        self.sidelight.stop()
        self.start("--syscalls", "on")
        counted = lambda: self.sidelight.scrape().sum("sidelight_syscalls_counted")
        harness.wait_for("counting", lambda: counted() == 1)
        clients.send_plan(self.server.port, PLAN)
        self.sidelight.wait_counted(len(PLAN))
        page = self.open(self.ui())
        rows = "[...document.querySelectorAll('#syscalls tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
        name = "sidelight_syscall_duration_seconds_count"

        def is_same():
            shown = {row[1]: int(row[2]) for row in page.value(rows)}
            have = {labels["syscall"]: int(n) for labels, n in self.sidelight.scrape().each(name) if n}
            return len(have) > 2 and shown == have

        harness.wait_for("the numbers of /metrics", is_same, pause=0.5)
        self.assertFalse(page.value("document.querySelector('#syscalls-shown').hidden"))
        page.press("/")
        page.press("Escape")
        page.value("document.querySelector('#requests tbody tr').click()")
        page.wait("document.querySelector('.details')")
        self.assertIn("waiting in the socket", page.value("document.querySelector('.details').innerText"))
        self.assert_well(page)

    def test_loads_at_once(self):
        process = self.ui()
        page = self.open(process)
        times = []
        for _ in range(5):
            page.call("Page.reload", ignoreCache=True)
            page.wait("document.readyState === 'complete' && document.querySelector('#tiles dd')")
            times.append(page.value("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        print(f"the page loads in {min(times):.0f} to {max(times):.0f} ms")
        self.assertLess(min(times), LOAD_MS)

    def test_it_fits_any_screen(self):
        """Nothing is wider than the screen; light and dark differ; UI_PICTURES keeps pictures."""
        targets = [("GET", f"/a/very/long/path/that/goes/on/and/on/{'x' * 100}?q=1"), *PLAN * 8]
        clients.send_plan(self.server.port, targets)
        self.sidelight.wait_counted(len(targets))
        page = self.open(self.ui())
        page.wait(f"{TOTAL} === '{len(targets)}'")
        grounds = set()
        for width in (390, 768, 1280):
            for scheme in ("light", "dark"):
                page.show(width, scheme=scheme)
                page.wait("document.querySelectorAll('canvas').length === 3")
                self.assertLessEqual(page.value("document.documentElement.scrollWidth"), width, scheme)
                self.assertGreater(page.value("document.querySelector('canvas').clientWidth"), 200)
                grounds.add(page.value("getComputedStyle(document.body).backgroundColor"))
                if PICTURES:
                    os.makedirs(PICTURES, exist_ok=True)
                    page.picture(harness.pathlib.Path(PICTURES) / f"ui-{width}-{scheme}.png")
        self.assertEqual(len(grounds), 2)
        self.assert_well(page)

    def test_the_end_of_the_command_is_shown(self):
        process = self.ui()
        page = self.open(process)
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        page.wait("document.querySelector('#trouble').textContent.startsWith('No answer')")


class Vendored(unittest.TestCase):
    def test_uplot_is_the_one_of_npm(self):
        """What the program serves is what the lock file of the pictures names, with its licence."""
        ours = harness.ROOT / "sidecar" / "cmd" / "ui"
        theirs = npm.install("pictures") / "node_modules" / "uplot"
        for mine, other in (("uPlot.iife.min.js", "dist/uPlot.iife.min.js"),
                            ("uPlot.min.css", "dist/uPlot.min.css"), ("uPlot.LICENSE", "LICENSE")):
            self.assertTrue(filecmp.cmp(ours / mine, theirs / other, shallow=False), mine)


if __name__ == "__main__":
    harness.main()
