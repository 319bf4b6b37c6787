#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Requests in files: what `sidelight export` and `sidelight replay --output` write is what the server
logged, by readers that others wrote (openpyxl, the csv module, a published schema of HAR); and the
file is whole however the command ends, or it is not there.
"""
import collections
import csv
import datetime
import io
import json
import os
import pty
import re
import signal
import subprocess
import threading
import zipfile

import clients
import harness
import npm
import peers
import servers
import test_trace
from clients import Wire, request_bytes
from observer import SENTINEL
from tracing import READERS, Traced, lines_of
from workbook import sheets_of

FORMATS = ("ndjson", "json", "csv", "xlsx", "har")
# openpyxl rounds dates to milliseconds.
DATE_ERROR = datetime.timedelta(milliseconds=1)


def time_of(text):
    return datetime.datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f")


def read(path):
    """Requests of a file, in its order, in the words of NDJSON: (method, target, status, error)."""
    form = path.suffix[1:]
    if form == "ndjson":
        lines = lines_of(path.read_text())
    elif form == "json":
        lines = json.loads(path.read_text())
    elif form == "csv":
        lines = list(csv.DictReader(io.StringIO(path.read_text(), newline=""), strict=True))
    elif form == "xlsx":
        lines = [
            {"method": r["Method"], "target": r["Target"], "status": r["HTTP status"], "error": r["Error"]}
            for r in sheets_of(path)["HTTP"]
        ]
    else:
        lines = [
            {
                "method": e["request"]["method"],
                "target": re.sub(r"^http://[^/]*", "", e["request"]["url"]),
                "status": e["response"]["status"],
                "error": e.get("_error"),
            }
            for e in json.loads(path.read_text())["log"]["entries"]
        ]
    return [
        (r["method"], r["target"], str(r["status"]), r["error"] or None)
        for r in lines
        if r["target"] != SENTINEL
    ]


class Exported(Traced):
    def argv(self, *args):
        return [harness.BINARY, "export", "--control", self.path, *args]

    def export(self, path, *args, status=0):
        done = harness.run(self.argv("--output", path, *args), check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assert_tidy(path.parent)
        return done.stderr

    def assert_tidy(self, directory):
        self.assertEqual([p.name for p in directory.iterdir() if p.name.startswith(".")], [])

    def folder(self):
        folder = self.scratch("files")
        folder.mkdir()
        return folder

    def start_export(self, *args, **more):
        """`sidelight export`, once it reads."""
        before = self.sidelight.scrape().sum(READERS)
        process = self.spawn(self.argv(*args), **more)
        harness.wait_for(
            "the reader", lambda: self.sidelight.scrape().sum(READERS) > before, pause=0.05
        )
        return process

    def assert_har(self, path):
        modules = npm.install("har") / "node_modules"
        done = harness.run(
            ["node", harness.ROOT / "tests" / "har" / "validate.mjs", path],
            env={**os.environ, "NODE_MODULES": str(modules)},
        )
        self.assertEqual(done.stdout, "")


class Formats(Exported):
    HOSTILE = [
        b"/=1+1", b"/a,b", b'/"x"', b"/\xff\xfe\x9b", b"/_x0041_<&>", b"/a\\b", b"*", b"/%zz?a=1&b",
        b"/[x]#y", b"http://h/{a}|^`",
    ]
    COUNT = 10000
    THREADS = 5

    def test_each_equals_the_log(self):
        """Past requests, and those that come while it follows: the same, in each format."""
        self.start("--recorder", str(2 * self.COUNT), "--memory", "64M")
        folder = self.folder()
        following = [
            self.start_export("--follow", f"--count={self.COUNT + 1}", "--output", folder / f"live.{form}")
            for form in FORMATS
        ]
        threads = [
            threading.Thread(
                target=clients.send_plan,
                args=(
                    self.server.port,
                    clients.make_plan(seed, self.COUNT // self.THREADS, ["GET", "POST"]),
                ),
            )
            for seed in range(self.THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sidelight.settle(self.server.port)
        log = self.server.wait_log(self.COUNT)
        want = collections.Counter((m, t.split("?")[0], s, None) for m, t, s in log)
        self.assertEqual(want.total(), self.COUNT)
        past = None
        for form, process in zip(FORMATS, following):
            said = self.export(folder / f"past.{form}", "--last=1h")
            self.assertIn(f"{self.COUNT + 1} requests in ", said)
            # In their order, which the log of two workers has only more or less.
            past = past or read(folder / f"past.{form}")
            self.assertEqual(read(folder / f"past.{form}"), past, form)
            self.assertEqual(process.wait(30), 0, process.text())
            self.assertEqual(read(folder / f"live.{form}"), past, form)
        self.assertEqual(collections.Counter(past), want)
        self.assert_same_values(folder)

    def assert_same_values(self, folder):
        """Every field of every request, of which NDJSON is the original."""
        lines = lines_of((folder / "past.ndjson").read_text())
        with open(folder / "past.csv", newline="") as file:
            table = list(csv.DictReader(file, strict=True))
        sheet = sheets_of(folder / "past.xlsx")["HTTP"]
        entries = json.loads((folder / "past.har").read_text())["log"]["entries"]
        for line, row, cells, entry in zip(lines, table, sheet, entries, strict=True):
            # Each reading compares the clocks by itself: its times differ by some nanoseconds.
            for other in (row.pop("time"), entry["startedDateTime"]):
                self.assertLessEqual(abs(time_of(other) - time_of(line["time"])), DATE_ERROR)
            for name, value in line.items():
                if name == "time":
                    continue
                text = str(value).lower() if isinstance(value, bool) else str(value)
                self.assertEqual(row.pop(name), "" if value is None else text, name)
            self.assertEqual(set(row.values()), {""})
            self.assertLessEqual(abs(cells["Time (UTC)"] - time_of(line["time"])), DATE_ERROR)
            for heading, name in (
                ("Client", "client"), ("Server", "server"), ("Container", "container"),
                ("Route", "route"), ("Role", "role"), ("Version", "version"),
                ("Connection", "conn"), ("HTTP status", "status"), ("Error", "error"),
                ("Request bytes", "request_bytes"), ("Response bytes", "response_bytes"),
                ("Probe", "probe"), ("Target cut", "is_cut"), ("Thread", "thread"),
            ):
                self.assertEqual(cells[heading], line[name], heading)
            self.assertAlmostEqual(cells["Duration (ms)"], line["duration_ns"] / 1e6, places=6)
            self.assertAlmostEqual(cells["First byte (ms)"], line["first_byte_ns"] / 1e6, places=6)
            self.assertAlmostEqual(entry["time"], line["duration_ns"] / 1e6, places=6)
            self.assertAlmostEqual(sum(entry["timings"].values()), entry["time"], places=5)
            self.assertEqual(entry["response"]["bodySize"], line["response_bytes"])

    def test_hostile_targets(self):
        self.start()
        for target in self.HOSTILE:
            with Wire(self.server.port) as wire:
                wire.send(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                wire.response()
        with Wire(self.server.port) as wire:
            wire.send(b"+CMD /x HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.response()
        self.sidelight.settle(self.server.port)
        folder = self.folder()
        for form in FORMATS:
            self.export(folder / f"x.{form}", "--last=1h", "--query")
        want = [t.decode("latin-1") for t in self.HOSTILE]
        want = [re.sub(r"[^ -~]", lambda m: f"\\x{ord(m[0]):02x}", t.replace("\\", "\\\\")) for t in want]
        for form in ("ndjson", "json", "csv", "xlsx"):
            got = [entry[1] for entry in read(folder / f"x.{form}")]
            if form == "xlsx":  # openpyxl leaves the escape of an escape
                got = [t.replace("_x005F_", "_") for t in got]
            self.assertEqual(got[: len(want)], want, form)
        self.assertTrue((folder / "x.csv").read_bytes().isascii())
        self.assertIn("'+CMD", (folder / "x.csv").read_text())
        for row in csv.reader(io.StringIO((folder / "x.csv").read_text(), newline="")):
            for cell in row:
                self.assertNotRegex(cell, r"^[=+@\t\r-]")

    def test_har_schema(self):
        """Of what clients may ask for, of nothing, and of what has no response."""
        self.start()
        clients.send_plan(self.server.port, clients.make_plan(3, 50, ["GET", "POST"]))
        for target in self.HOSTILE:
            with Wire(self.server.port) as wire:
                wire.send(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                wire.response()
        with Wire(self.server.port) as wire:
            wire.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.reset()
        self.sidelight.settle(self.server.port)
        folder = self.folder()
        self.export(folder / "some.har", "--last=1h", "--query")
        self.export(folder / "none.har", "--last=1h", "--method=BREW")
        self.assertGreater(len(read(folder / "some.har")), 50)
        self.assertEqual(read(folder / "none.har"), [])
        self.assert_har(folder / "some.har")
        self.assert_har(folder / "none.har")

    def test_filters_and_count(self):
        self.start()
        for target in ("/hello", "/late", "/gateway", "/hello"):
            clients.get(self.server.port, target)
        self.sidelight.settle(self.server.port)
        folder = self.folder()
        self.export(folder / "a.csv", "--last=1h", "--status=5xx")
        self.assertEqual([r[1] for r in read(folder / "a.csv")], ["/late", "/gateway"])
        self.export(folder / "a.csv", "--last=1h", "--route=/late", "--count=1")
        self.assertEqual([r[1] for r in read(folder / "a.csv")], ["/late"])
        self.export(folder / "b.har", "--for=300ms")
        self.assertEqual(read(folder / "b.har"), [])

    def test_standard_output(self):
        self.start()
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        for form in FORMATS:
            path = self.scratch(f"x.{form}")
            with open(path, "wb") as out:
                argv = self.argv("--last=1h", "--format", form)
                subprocess.run([str(a) for a in argv], check=True, stdout=out, stderr=subprocess.DEVNULL)
            self.assertEqual(read(path), [("GET", "/hello", "200", None)])

    def test_trace_as_har(self):
        self.start()
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        path = self.scratch("x.har")
        path.write_text(self.trace("--last=1h", "--format=har")[0])
        self.assertEqual(read(path), [("GET", "/hello", "200", None)])

    def test_grpc(self):
        """Calls have a sheet of their own, with the fields that only they have."""
        self.start()
        clients.get(self.server.port, "/hello")
        echo = peers.Echo(self, cgroup=self.server.cgroup, language=peers.PYTHON)
        client = peers.Client(self, peers.PYTHON, echo.port)
        for code in (0, 5, 14):
            client.run([peers.Call("Unary", code)])
        peers.settle(self.sidelight, client)
        path = self.folder() / "x.xlsx"
        self.export(path, "--last=1h")
        sheets = sheets_of(path)
        self.assertEqual(list(sheets), ["HTTP", "gRPC"])
        self.assertEqual([r["Target"] for r in sheets["HTTP"]][0], "/hello")
        calls = [r for r in sheets["gRPC"] if not r["Target"].endswith(peers.SENTINEL)]
        self.assertEqual([r["gRPC status"] for r in calls], ["OK", "NOT_FOUND", "UNAVAILABLE"])
        for row in calls:
            self.assertEqual((row["Target"], row["HTTP status"]), ("/e2e.Echo/Unary", 200))
            self.assertEqual(row["Request messages"], 1)
            self.assertGreater(row["Stream"], 0)


class Stops(Exported):
    """However it ends: whole, or not there."""

    def begin(self):
        """Paths and processes of one for each format, which have read 501 requests."""
        self.start()
        folder = self.folder()
        paths = [folder / f"x.{form}" for form in FORMATS]
        processes = [self.start_export("--follow", "--output", path) for path in paths]
        clients.send_plan(self.server.port, [("GET", "/hello")] * 500)
        self.sidelight.settle(self.server.port)
        pids = {process.pid for process in processes}
        harness.wait_for("all to be read", lambda: self.is_read(pids, 501), pause=0.05)
        return paths, processes

    def is_read(self, pids, lines):
        """The sidecar has sent so many lines to each, and nothing waits for them."""
        scrape = self.sidelight.scrape()
        table = harness.run(["ss", "-xpH"]).stdout
        queues = [
            row.split()[2]
            for row in table.splitlines()
            if pids & {int(pid) for pid in re.findall(r"pid=(\d+),", row)}
        ]
        return (
            scrape.sum("sidelight_control_lines_total") == lines * len(pids)
            and scrape.sum("sidelight_control_buffer_bytes") == 0
            and set(queues) == {"0"}
        )

    def check(self, stop, status):
        paths, processes = self.begin()
        self.assertEqual([path for path in paths if path.exists()], [])
        stop(processes)
        for path, process in zip(paths, processes):
            self.assertEqual(process.wait(), status, process.text())
            self.assertEqual(read(path), [("GET", "/hello", "200", None)] * 500)
        self.assert_tidy(paths[0].parent)

    def test_interrupted(self):
        self.check(lambda processes: [process.send(signal.SIGINT) for process in processes], 0)

    def test_terminated(self):
        self.check(lambda processes: [process.send(signal.SIGTERM) for process in processes], 0)

    def test_sidecar_ends(self):
        self.check(lambda _: self.sidelight.stop(), 0)

    def test_sidecar_is_killed(self):
        def kill(_):
            worker = self.sidelight.worker
            os.kill(worker, signal.SIGKILL)  # first: without its broker it ends in order
            os.kill(self.sidelight.process.pid, signal.SIGKILL)

        self.check(kill, 1)

    def test_no_sidecar(self):
        path = self.folder() / "x.csv"
        self.assertIn("no sidecar has a control socket", self.export(path, "--last=1h", status=2))
        self.assertFalse(path.exists())

    def test_an_old_file_stays_until_the_new_one_is_whole(self):
        self.start()
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        folder = self.folder()
        real, link = folder / "real.csv", folder / "link.csv"
        real.write_text("old")
        real.chmod(0o640)
        link.symlink_to(real)
        self.export(link, "--last=nonsense", status=2)
        self.assertEqual(real.read_text(), "old")
        self.export(link, "--last=1h")
        self.assertTrue(link.is_symlink())
        self.assertEqual(read(real), [("GET", "/hello", "200", None)])
        self.assertEqual(real.stat().st_mode & 0o777, 0o640)

    def test_full_disk(self):
        """One line, no file, status 1: where the rows go, and where a workbook's parts go."""
        self.start("--recorder=4000")
        clients.send_plan(self.server.port, [("GET", f"/hello?{n:0190}") for n in range(2000)])
        self.sidelight.settle(self.server.port)
        small = self.scratch("small")
        small.mkdir()
        harness.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", small])
        self.stack.callback(harness.run, ["umount", small])
        for form in FORMATS:
            said = self.export(small / f"x.{form}", "--last=1h", "--query", status=1)
            self.assertEqual(len(said.splitlines()), 1, said)
            self.assertIn("No space left on device", said)
            self.assertEqual(list(small.iterdir()), [])
        done = harness.run(self.argv("--output", small / "no" / "x.csv", "--last=1h"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("x.csv: cannot be written (No such file or directory)", done.stderr)

    def test_progress_on_a_terminal_only(self):
        self.start()
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        path = self.folder() / "x.csv"
        self.assertNotIn("\r", self.export(path, "--last=1h"))
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [str(a) for a in self.argv("--last=1h", "--output", path)], stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.assertEqual(process.wait(), 0)
        said = os.read(ours, 65536).decode()
        os.close(ours)
        self.assertRegex(said, r"\r\d+ requests")

    def test_bad_use(self):
        for args, words in (
            ((), "which --format? export prints ndjson, json, csv, xlsx or har"),
            (("--output=x.txt",), "which --format?"),
            (("--format=table",), "--format table: export prints"),
            (("--output=x.csv", "--status=7"), "status"),
        ):
            done = harness.run([harness.BINARY, "export", *args], check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertIn(words, done.stderr)


class Secrets(Exported):
    server_class = servers.Scripted

    def test_never_appear(self):
        self.start()
        for target in test_trace.SECRET_TARGETS:
            with Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", target.replace("!", test_trace.SECRET)))
                wire.response()
        self.sidelight.settle(self.server.port)
        folder = self.folder()
        for form in FORMATS:
            path = folder / f"x.{form}"
            self.export(path, "--last=1h", "--query")
            text = path.read_bytes()
            if form == "xlsx":
                with zipfile.ZipFile(path) as archive:
                    self.assertIsNone(archive.testzip())
                    text = b"".join(archive.read(name) for name in archive.namelist())
            self.assertFalse(test_trace.SECRET.encode() in text, form)
            self.assertGreaterEqual(text.count(b"***"), len(test_trace.SECRET_TARGETS), form)


class Replayed(Exported):
    def test_a_capture_file(self):
        harness.need("tcpdump")
        capture = self.scratch("x.pcap")
        dump = self.spawn(
            ["tcpdump", "-i", "lo", "-U", "-w", capture, f"tcp port {self.server.port}"]
        )
        harness.wait_for("tcpdump", lambda: "listening on" in dump.text())
        plan = clients.make_plan(7, 200, ["GET", "POST"])
        want = [(m, t.split("?")[0], str(s), None) for m, t, s in clients.send_plan(self.server.port, plan)]
        folder = self.folder()
        argv = [harness.BINARY, "replay", capture]
        harness.wait_for(
            "the last packet",
            lambda: f"{len(plan)} requests" in harness.run(argv, check=False).stderr,
        )
        dump.stop(signal.SIGINT)
        for form in FORMATS:
            harness.run([*argv, "--output", folder / f"x.{form}"])
            self.assertEqual(read(folder / f"x.{form}"), want, form)
        done = harness.run([*argv, "--format=csv", "--output=/dev/full"], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/dev/full: cannot be written (No space left on device)", done.stderr)


if __name__ == "__main__":
    harness.main()
