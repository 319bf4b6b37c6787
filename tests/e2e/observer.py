# SPDX-License-Identifier: Apache-2.0
"""
sidelight as the tests see it: a process, its exposition text, and the
question that matters: which requests has it counted?

A request is named (method, route, result), where result is the status code
or, when none came, the error_type.
"""
import collections
import json
import pathlib
import re
import time
import urllib.error
import urllib.request

import clients
import harness

SENTINEL = "/sentinel"
PRIVATE = re.compile(r"sidelight_|process_")

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(,|\})')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def http_get(port, path, host="127.0.0.1", seconds=5, headers=None):
    """(status, text); 0 when nobody answers."""
    request = urllib.request.Request(f"http://{host}:{port}{path}", headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError:
        return 0, ""


class Metrics:
    """Exposition text as {(name, labels): value}; labels are sorted pairs."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                key, value = _parse_sample(line)
                if key in self.samples:
                    raise AssertionError(f"the same series twice: {line}")
                self.samples[key] = value

    def is_collected_since(self, seconds):
        """Whether all values were collected at this Unix time or later."""
        return self.sum("sidelight_collected_timestamp_seconds") >= seconds

    def each(self, name, **labels):
        """(labels as dict, value) of every series of that name that has these labels."""
        for (sample, pairs), value in self.samples.items():
            have = dict(pairs)
            if sample == name and all(have.get(k, "") == v for k, v in labels.items()):
                yield have, value

    def sum(self, name, **labels):
        return sum(value for _, value in self.each(name, **labels))

    def requests(self, side="server", **labels):
        """What was counted, sentinels left out, as a Counter of (method, route, result)."""
        counted = collections.Counter()
        for have, value in self.each(f"http_{side}_request_duration_seconds_count", **labels):
            result = have.get("http_response_status_code") or have.get("error_type", "")
            if have.get("http_route") != SENTINEL:
                counted[have.get("http_request_method"), have.get("http_route"), result] += int(
                    value
                )
        return +counted

    def duration(self, side="server", **labels):
        """(count, sum of seconds) of all matching series."""
        name = f"http_{side}_request_duration_seconds"
        return self.sum(name + "_count", **labels), self.sum(name + "_sum", **labels)

    def lost_requests(self):
        """Requests that are known to have been there, and are not counted."""
        return int(
            self.sum("sidelight_events_lost_total", reason="request")
            + self.sum("sidelight_requests_lost_total")
        )

    def lost(self):
        """What sidelight says it has lost, by reason."""
        return {
            tuple(sorted(have.items())): value
            for have, value in self.each("sidelight_events_lost_total")
            if value
        }


def _sentinels(page):
    return page.sum("http_server_request_duration_seconds_count", http_route=SENTINEL)


def _parse_sample(line):
    name, labels, rest = line, [], ""
    if "{" in line:
        name, rest = line.split("{", 1)
        at = 0
        while rest[at] != "}":
            m = _LABEL.match(rest, at)
            if not m:
                raise AssertionError(f"malformed labels: {line}")
            value = re.sub(r"\\.", lambda e: _ESCAPES[e.group(0)], m.group(2))
            labels.append((m.group(1), value))
            at = m.end()
            if m.group(3) == "}":
                at -= 1
        rest = rest[at + 1 :]
    else:
        name, rest = line.split(" ", 1)
    return (name, tuple(sorted(labels))), float(rest.split()[0])


def worker_of(pid):
    """The worker of the broker with that pid: its first child."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])


class Sidelight:
    """
    `sidelight run`, ready: attached and serving /metrics on self.port, a page of its own for each
    scrape. before: words of a program that becomes it.
    """

    def __init__(self, case, *args, cgroup=None, command=None, env=None, before=()):
        self.case = case
        self.port = harness.free_port()
        argv = [*before, harness.BINARY, "run", "--metrics-age=0", *args]
        argv += ["--metrics-listen", f"127.0.0.1:{self.port}"]
        if cgroup:
            argv += ["--cgroup", cgroup]
        if command:
            argv += ["--", *command]
        self.process = case.spawn(argv, env=env)
        harness.wait_for("sidelight to be ready", self._is_ready)

    def _is_ready(self):
        if not self.process.is_running():
            raise AssertionError(
                f"sidelight ended with {self.process.popen.returncode}:\n{self.process.text()}"
            )
        return harness.is_listening(self.port) and http_get(self.port, "/readyz")[0] == 200

    @property
    def worker(self):
        """The pid of the process that reads the ring, and whatever else strangers send."""
        return worker_of(self.process.pid)

    def scrape(self):
        """
        All that has happened until now: making pages may be limited, so this waits for one that
        was made after the call.
        """
        asked = time.time()
        latest = []

        def event():
            latest[:] = [self.latest_page()]
            return latest[0].is_collected_since(asked)

        harness.wait_for("a page that is new", event, seconds=15, pause=0.02)
        return latest[0]

    def latest_page(self):
        """What /metrics says now."""
        status, text = http_get(self.port, "/metrics")
        self.case.assertEqual(
            status, 200, f"/metrics of sidelight; its output:\n{self.process.text()}"
        )
        return Metrics(text)

    def wait_counted(self, total, side="server", seconds=10, **labels):
        """Waits until that many requests are counted (or deadline), returns the scrape."""
        latest = []

        def event():
            latest[:] = [self.latest_page()]
            return latest[0].requests(side, **labels).total() >= total

        try:
            harness.wait_for("requests to be counted", event, seconds, pause=0.05)
        except AssertionError:
            pass  # the caller compares, and shows the difference
        return latest[0]

    def settle(self, ask):
        """
        One more request, waited for: the stream of events is in order, so
        what is not counted when this one is will never be. ask is a port on
        loopback, or a function that requests the target it is given.
        """
        if isinstance(ask, int):
            port = ask
            ask = lambda target: clients.get(port, target)
        before = _sentinels(self.scrape())
        ask(SENTINEL)

        def event():
            page = self.latest_page()
            return page if _sentinels(page) > before else None

        return harness.wait_for("the sentinel to be counted", event, pause=0.02)

    def assert_counted(self, expected, ask, side="server", seconds=10, **labels):
        """Exactly these requests were counted: none missing, none twice, none invented."""
        expected = +collections.Counter(expected)
        self.wait_counted(expected.total(), side, seconds, **labels)
        scrape = self.settle(ask)
        counted = scrape.requests(side, **labels)
        if counted != expected:
            self.case.fail(
                f"{side} side: {difference(counted, expected)}\n"
                f"lost, as it says: {scrape.lost()}\n{health(scrape)}"
            )
        return scrape

    def stop(self):
        return self.process.stop(seconds=5)


def difference(counted, expected):
    rows = [
        f"  {key}: counted {counted[key]}, expected {expected[key]}"
        for key in sorted(set(counted) | set(expected), key=str)
        if counted[key] != expected[key]
    ]
    return "\n".join([f"counted {counted.total()}, expected {expected.total()}", *rows])


def health(scrape):
    """Its own counters that are not zero, for messages of failed tests."""
    return "\n".join(
        f"  {name}{dict(labels) or ''} {value:g}"
        for (name, labels), value in sorted(scrape.samples.items())
        if PRIVATE.match(name) and value and not name.endswith("_bucket")
    )


def links_of(cgroup):
    """The BPF links on a cgroup, as {link id: program id}."""
    links = json.loads(harness.run(["bpftool", "-j", "link", "show"]).stdout or "[]")
    return {link["id"]: link["prog_id"] for link in links if link.get("cgroup_id") == cgroup.id}


def programs():
    return {
        p["id"] for p in json.loads(harness.run(["bpftool", "-j", "prog", "show"]).stdout or "[]")
    }
