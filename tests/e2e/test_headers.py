#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Header fields of real servers: all that was sent and nothing else, by flag, by annotation and for as
long as a client asks; and no secret of them anywhere.
"""
# tests/run: shares the machine
import csv
import json

import harness
import peers
import servers
import workbook
from clients import Wire, request_bytes
from tracing import Traced, lines_of

BYTES = "sidelight_recorder_headers_bytes"
SECRET = "Hunter2-c0rrect"
# Names of fields that hold secrets, in spellings of HTTP and of gRPC metadata.
SECRET_NAMES = """
Authorization authorization AUTHORIZATION Proxy-Authorization X-Forwarded-Authorization
authorization-bin grpc-metadata-authorization Cookie Cookie2 X-Original-Cookie X-Api-Key X-API-KEY
ApiKey Api-Key X-Goog-Api-Key Ocp-Apim-Subscription-Key X-Functions-Key X-RapidAPI-Key X-Auth
X-Auth-User X-Auth-Token X-Access-Token X-Id-Token X-CSRF-Token X-XSRF-Token X-Gitlab-Token
X-Vault-Token X-Amz-Security-Token token-bin X-Secret X-Client-Secret X-Shared-Secret X-Password
Password X-User-Pwd X-Otp X-Jwt X-Jwt-Assertion X-Session-Id X-Sid X-Hub-Signature-256
X-Amz-Credential X-Pin X-Pass X-Private-Key X-Passphrase
""".split()


def pairs(line, member):
    return None if line[member] is None else [(f["name"], f["value"]) for f in line[member]]


class Headers(Traced):
    def ask(self, count=1, target="/hello"):
        """What was sent, and the fields that came back."""
        sent = ("X-One: 1", "x-two: a, b", "User-Agent: e2e/1", "X-Empty:")
        got = []
        with Wire(self.server.port) as wire:
            for _ in range(count):
                wire.send(request_bytes("GET", target, *sent))
                head = wire.read_until(b"\r\n\r\n").decode()
                got.append([tuple(f.split(": ", 1)) for f in head.split("\r\n")[1:] if f])
                wire.read(int(dict(got[-1])["Content-Length"]))
        self.sidelight.settle(self.server.port)
        want = [("Host", "e2e"), *((n, v.strip()) for n, _, v in (f.partition(":") for f in sent))]
        return want, got

    def mine(self, *args):
        lines = self.past("--headers", "all", *args)
        return [line for line in lines if line["target"] not in ("/", None)][-10:]

    def test_all_of_them(self):
        """Of repeated heads, which come from the parser's cache, too."""
        self.start("--headers", "all")
        want, got = self.ask(5)
        lines = [line for line in self.mine() if line["target"] == "/hello"]
        self.assertEqual(len(lines), 5)
        for line, response in zip(lines, got):
            self.assertEqual(pairs(line, "request_headers"), want)
            self.assertEqual(pairs(line, "response_headers"), response)
            self.assertIsNone(line["request_trailers"])
            self.assertIsNone(line["response_trailers"])
            self.assertFalse(line["headers_cut"])
        self.assertGreater(self.sidelight.scrape().sum(BYTES), 0)
        # A list of them, by the sidecar and by who asks; and none unless somebody asks.
        some = self.past("--headers", "x-*")[0]
        self.assertEqual(pairs(some, "request_headers"), want[1:3] + want[4:])
        self.assertEqual(pairs(some, "response_headers"), [])
        self.assertNotIn("request_headers", self.past()[0])

    def test_forbidden(self):
        """Neither the command line, nor an annotation, nor a client gets any."""
        podinfo = self.scratch("podinfo")
        podinfo.mkdir()
        (podinfo / "annotations").write_text('sidelight.dev/headers="all"\n')
        self.start("--header-capture", "forbidden", "--podinfo", podinfo,
                   env={"SIDELIGHT_HEADERS": "all"})
        harness.wait_for("the warning", lambda: "annotation sidelight.dev/headers: it is forbidden "
                         "here; ignored" in self.sidelight.process.text())
        self.ask(5)
        line = self.past()[-1]
        self.assertNotIn("request_headers", line)
        for words in (["--headers=all"], ["--header", "x-one"]):
            out, said = self.trace("--last=1h", *words, status=2)
            self.assertEqual(out, "")
            self.assertIn("this sidecar captures no header fields", said)
        question = "http://x/requests?try-headers=all"
        out = harness.run(["curl", "-sg", "--unix-socket", self.path, question]).stdout
        self.assertEqual(len(lines_of(out)), len(self.past()))
        self.assertNotIn("e2e/1", out)
        self.assertEqual(self.sidelight.scrape().sum(BYTES), 0)

    def test_table(self):
        self.start("--headers", "x-one,content-type")
        _, got = self.ask()
        out, _ = self.trace("--last=1h", "--headers=all")
        lines = out.splitlines()
        at = next(i for i, line in enumerate(lines) if line.endswith("/hello"))
        kind = dict(got[0])["Content-Type"]
        self.assertEqual(lines[at + 1 : at + 3], ["    > X-One: 1", f"    < Content-Type: {kind}"])

    def test_only_as_long_as_somebody_asks(self):
        self.start()
        self.ask()
        self.assertEqual(self.sidelight.scrape().sum(BYTES), 0)
        first = self.follow("--headers", "x-one")
        second = self.follow("--headers", "user-agent")
        self.ask(3)
        harness.wait_for("the lines", lambda: first.text().count("/hello") >= 3)
        harness.wait_for("the lines", lambda: second.text().count("/hello") >= 3)
        for reader, want in ((first, [("X-One", "1")]), (second, [("User-Agent", "e2e/1")])):
            lines = [v for v in lines_of(reader.text()) if v["target"] == "/hello"]
            self.assertEqual([pairs(v, "request_headers") for v in lines], [want] * 3)
        first.stop()
        self.wait_readers(1)
        self.ask(2)
        self.assertEqual(pairs(self.mine()[-3], "request_headers"), [("User-Agent", "e2e/1")])
        second.stop()
        self.wait_readers(0)
        self.assertEqual(self.sidelight.scrape().sum(BYTES), 0)
        self.ask(2)
        self.assertEqual({pairs(v, "request_headers") is None for v in self.mine()}, {True})

    def wait_readers(self, count):
        harness.wait_for(
            f"{count} readers",
            lambda: self.sidelight.scrape().sum("sidelight_control_readers") == count,
            pause=0.05,
        )

    def test_annotation(self):
        podinfo = self.scratch("podinfo")
        podinfo.mkdir()

        def annotate(text):
            new = podinfo / "new"
            new.write_text(text)
            new.rename(podinfo / "annotations")

        def wait_says(text):
            harness.wait_for(text, lambda: text in self.sidelight.process.text())

        annotate("")
        self.start("--podinfo", podinfo)
        self.ask()
        annotate('sidelight.dev/headers="x-*"\n')
        wait_says("header fields that are recorded: x-*")
        want, _ = self.ask()
        self.assertEqual(pairs(self.mine("--route=/hello")[-1], "request_headers"),
                         want[1:3] + want[4:])
        annotate('sidelight.dev/headers="a b"\n')
        wait_says('sidelight.dev/headers: "a b" is neither all, off nor a list')
        wait_says("header fields that are recorded: off")
        self.assertEqual(self.sidelight.scrape().sum(BYTES), 0)

    def test_http2(self):
        self.server = servers.Nginx(self, HTTP2="http2")
        self.start("--headers", "all")
        authority = f"127.0.0.1:{self.server.port}"
        argv = ["curl", "-qsSv", "--http2-prior-knowledge", "-Hx-one: 1", "-HCookie: s=" + SECRET]
        url = f"http://{authority}/hello?token={SECRET}"
        said = [harness.run([*argv, "-o/dev/null", url]).stderr for _ in range(3)]
        self.sidelight.wait_counted(3)
        lines = self.past("--headers", "all")
        self.assertEqual(len(lines), 3)
        for line, words in zip(lines, said):
            fields = pairs(line, "request_headers")
            self.assertEqual(
                sorted(fields[:4]),
                [(":authority", authority), (":method", "GET"), (":path", "/hello"),
                 (":scheme", "http")],
            )
            self.assertEqual(dict(fields)["x-one"], "1")
            self.assertEqual(dict(fields)["cookie"], "***")
            response = pairs(line, "response_headers")
            self.assertEqual(response[0], (":status", "200"))
            self.assertEqual(
                [f"{name}: {value}" for name, value in response[1:]],
                [w[2:].strip() for w in words.splitlines() if w.startswith("< ") and ":" in w],
            )
            self.assertEqual(line["stream"], 1)
        queried = self.past("--headers", ":path", "--query")
        self.assertEqual(pairs(queried[0], "request_headers"), [(":path", "/hello?token=***")])


class Trailers(Traced):
    server_class = servers.Scripted

    def test_of_chunked_bodies(self):
        self.start("--headers", "all")
        with Wire(self.server.port) as wire:
            wire.send(request_bytes("GET", "/trailers"))
            wire.response()
            wire.send(b"POST /hello HTTP/1.1\r\nHost: e2e\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"2\r\nab\r\n0\r\nX-Sum: 7\r\nX-Token: " + SECRET.encode() + b"\r\n\r\n")
            wire.response()
        self.sidelight.settle(self.server.port)
        first, second = self.past("--headers", "all")[:2]
        self.assertEqual(pairs(first, "response_trailers"),
                         [("X-Sum", "1"), ("X-More", "HTTP/1.1 500 no")])
        self.assertEqual(pairs(second, "request_trailers"), [("X-Sum", "7"), ("X-Token", "***")])

    def test_secrets_never_appear(self):
        self.start("--log-level", "debug", "--headers", "*," + ",".join(SECRET_NAMES))
        for name in SECRET_NAMES:
            with Wire(self.server.port) as wire:
                wire.send(request_bytes("GET", "/hello", f"{name}: a {SECRET}"))
                wire.response()
        page = self.sidelight.settle(self.server.port).text
        lines = self.past("--headers", "all")
        self.assertEqual(len(lines), len(SECRET_NAMES) + 1)
        for name, line in zip(SECRET_NAMES, lines):
            self.assertIn((name, "***"), pairs(line, "request_headers"))
        for what, text in (
            ("trace", json.dumps(lines)),
            ("its table", self.trace("--last=1h", "--headers=all")[0]),
            ("HAR", self.trace("--last=1h", "--headers=all", "--format=har")[0]),
            ("/metrics", page),
            ("the log", self.sidelight.process.text()),
        ):
            self.assertNotIn(SECRET, text, what)


class Metadata(Traced):
    def setUp(self):
        harness.Case.setUp(self)
        self.server = peers.Echo(self, language=peers.PYTHON)
        self.path = self.dir / "control.sock"

    def test_of_grpc(self):
        self.start("--headers", "all")
        client = peers.Client(self, peers.PYTHON, self.server.port)
        client.run([peers.Call("Unary", code, 0, 1, 10, 0, 0, 20) for code in (0, 5, 0, 5)])
        peers.settle(self.sidelight, client)
        client.finish()
        lines = [v for v in self.past("--headers", "all") if v["target"] == "/e2e.Echo/Unary"]
        self.assertEqual(len(lines), 4)
        blob = "b~" * 10
        for line in lines:
            request = dict(pairs(line, "request_headers"))
            code = {"OK": "0", "NOT_FOUND": "5"}[line["rpc_status"]]
            self.assertEqual(request[":path"], "/e2e.Echo/Unary")
            self.assertEqual((request["want-code"], request["x-blob"]), (code, blob))
            self.assertEqual(request["te"], "trailers")
            end = pairs(line, "response_trailers") or pairs(line, "response_headers")
            self.assertEqual((dict(end)["grpc-status"], dict(end)["x-blob"]), (code, blob))


class Chosen(Traced):
    """Requests with a header field, columns that somebody chose, and exports."""

    def ask(self, *ones):
        for one in ones:
            with Wire(self.server.port) as wire:
                fields = (f"X-One: {one}", "X-Forwarded-For: 10.0.0.7", "x-forwarded-for: 10.9.9.9")
                wire.send(request_bytes("GET", f"/hello?n={one}", *fields))
                wire.response()
        self.sidelight.settle(self.server.port)

    def test_conditions(self):
        self.start("--headers", "x-*,content-type")
        self.ask("a", "b", "abc", "=x")

        def found(*args):
            return [v["target"] for v in self.past("--query", *args)]

        self.assertEqual(found("--header=X-ONE=a"), ["/hello?n=a"])
        self.assertEqual(found("--header=x-one=a*"), ["/hello?n=a", "/hello?n=abc"])
        self.assertEqual(found("--header=x-one=b,x-one==x"), ["/hello?n=b", "/hello?n==x"])
        self.assertEqual(len(found("--header=x-one")), 4)
        self.assertEqual(len(found("--header=content-type=text/plain*", "--route=/hello")), 4)
        self.assertEqual(found("--header=x-one=a*", "--count=1"), ["/hello?n=abc"])
        self.assertEqual(found("--header=x-two"), [])

    def test_a_condition_captures(self):
        """And is seen by nobody else; the fields are in no line unless somebody wants them."""
        self.start()
        reader = self.follow("--header", "x-one=b", "--count=2", "--query")
        self.ask("a", "b", "c", "b")
        self.assertEqual(reader.wait(), 0)
        lines = lines_of(reader.text())
        self.assertEqual([v["target"] for v in lines], ["/hello?n=b"] * 2)
        self.assertNotIn("request_headers", lines[0])

    def test_fields(self):
        self.start()
        fields = "status,header:x-forwarded-for,response-header:content-type,header:x-no,method"
        reader = self.follow("--fields", fields, "--count=2")
        self.ask("a", "b")
        self.assertEqual(reader.wait(), 0)
        for line in lines_of(reader.text()):
            self.assertEqual(list(line), fields.split(","))
            self.assertEqual(
                (line["status"], line["header:x-forwarded-for"], line["header:x-no"]),
                (200, "10.0.0.7, 10.9.9.9", None),
            )
            self.assertRegex(line["response-header:content-type"], "^text/plain")

    def test_table_of_fields(self):
        self.start("--headers", "all")
        self.ask("a", "bcd")
        fields = "method,header:x-one,status"
        out, _ = self.trace("--last=1h", "--route=/hello", "--fields", fields)
        self.assertEqual(
            out.splitlines(),
            ["METHOD  HEADER:X-ONE  STATUS",
             "GET     a                200",
             "GET     bcd              200"],
        )
        said = self.trace("--last=1h", "--fields", "status,nothing", status=2)[1]
        self.assertIn('--fields: there is no field "nothing"; there are time, container', said)
        self.trace("--last=1h", "--fields", "status", "--format=har", status=2)

    def export(self, name, *args):
        path = self.dir / name
        harness.run([harness.BINARY, "export", "--control", self.path, "--last=1h",
                     "--route=/hello", "--output", path, *args])
        return path

    def test_exports(self):
        """Every captured field, in each format."""
        self.start("--headers", "all")
        self.ask("a", "=1+1")
        lines = self.past("--headers", "all", "--route=/hello")
        text = [" | ".join(f"{n}: {v}" for n, v in pairs(v, "request_headers")) for v in lines]
        with open(self.export("x.csv", "--headers=all"), newline="", encoding="ascii") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["request_headers"] for row in rows], text)
        self.assertEqual({row["headers_cut"] for row in rows}, {"false"})
        with open(self.export("y.csv", "--fields=header:x-one,status"), newline="",
                  encoding="ascii") as file:
            self.assertEqual(list(csv.reader(file)),
                             [["header:x-one", "status"], ["a", "200"], ["'=1+1", "200"]])
        sheets = workbook.sheets_of(self.export("x.xlsx", "--headers=all"))
        self.assertEqual([row["Request headers"] for row in sheets["HTTP"]], text)
        har = json.loads(self.export("x.har", "--headers=all").read_text())
        self.assertEqual(
            [[(h["name"], h["value"]) for h in e["request"]["headers"]]
             for e in har["log"]["entries"]],
            [pairs(v, "request_headers") for v in lines],
        )
        whole = lines_of(self.export("x.ndjson", "--headers=all").read_text())
        for line in (*whole, *lines):
            line.pop("time")  # on the clock of the moment that it is asked for
        self.assertEqual(whole, lines)


if __name__ == "__main__":
    harness.main()
