#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
sidelight-webhook janitor against a real Pushgateway, against one behind a proxy that
pushes at the worst moment, and against servers that are no gateway.
"""
import base64
import http.server
import json
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import harness
from endless import HostileGateway, repeat
from gateway import Pushgateway

WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
AGE_S = 1


def setUpModule():
    harness.run(["make", "-s", "-C", harness.ROOT, "build/sidelight-webhook"], seconds=300)


def path_of(labels):
    """The path of a group, job first; everything as base64, so unlike what the janitor does."""
    def step(name):
        coded = base64.urlsafe_b64encode(labels[name].encode()).decode()
        return f"/{name}@base64/{coded or '='}"

    return "/metrics" + "".join(step(n) for n in sorted(labels, key=lambda n: n != "job"))


def push(gateway, body=b"some_metric 1\n", **labels):
    gateway.send("PUT", path_of(labels), body)


def janitor(url, *options, older_than=f"{AGE_S}s", seconds=60):
    return harness.run(
        [WEBHOOK, "janitor", "--gateway", url, "--once", "--older-than", older_than, *options],
        check=False, seconds=seconds)


def listing(gateway):
    with urllib.request.urlopen(f"{gateway.url}/api/v1/metrics", timeout=5) as answer:
        return json.load(answer)["data"]


def pushed_s(group, metric="push_time_seconds"):
    return float(group[metric]["metrics"][0]["value"])


def wait_until_old(gateway, count):
    """Until so many groups are older than what the janitor is told, by a second of rounding."""
    def event():
        now = time.time()
        old = [g for g in listing(gateway) if now - pushed_s(g) > AGE_S + 1.1]
        return len(old) >= count

    harness.wait_for(f"{count} old groups", event)


class Proxy:
    """In front of a gateway: `before(method, path)` is called for each request first."""

    def __init__(self, case, target, before):
        proxy = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                proxy.requests.append((self.command, self.path))
                before(self.command, self.path)
                request = urllib.request.Request(target + self.path, method=self.command)
                with urllib.request.urlopen(request, timeout=10) as answer:
                    body = answer.read()
                    self.send_response_only(answer.status)
                    self.send_header("Date", answer.headers["Date"])
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_DELETE = do_GET

        serve(case, self, Handler)


class Server:
    """Answers every request with these bytes."""

    def __init__(self, case, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                try:
                    self.wfile.write(answer)
                except OSError:
                    pass  # it has had enough

            do_DELETE = do_GET

        serve(case, self, Handler)


def serve(case, thing, handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thing.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    case.stack.callback(server.server_close)
    case.stack.callback(server.shutdown)


class Sweep(harness.Case):
    ODD = [
        {"job": "plain", "namespace": "shop", "pod": "web-7d4b9-x2"},
        {"job": "empty", "pod": "", "instance": ""},
        {"job": "a/b", "pod": "..", "zone": "."},
        {"job": "größe", "note": "two words? #1 %2F &x=y"},
        {"job": "quotes", "note": "\"}],[{\\ \n\t"},
        {"job": "@base64", "base64": "=="},
        {"job": "long", "note": "x" * 4000},
    ]

    def test_odd_names_go_and_no_others(self):
        gateway = Pushgateway(self)
        for labels in self.ODD:
            push(gateway, **labels)
        wait_until_old(gateway, len(self.ODD))
        push(gateway, job="alive")
        done = janitor(gateway.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        gateway.assert_groups([{"job": "alive"}])
        self.assertIn(f"{len(self.ODD) + 1} groups, removed {len(self.ODD)}", done.stderr)

    def test_dry_run_removes_nothing(self):
        gateway = Pushgateway(self)
        push(gateway, job="old", pod="a/b")
        wait_until_old(gateway, 1)
        done = janitor(gateway.url, "--dry-run")
        self.assertEqual(done.returncode, 0)
        self.assertIn("would remove /metrics/job/old/pod@base64/YS9i\n", done.stderr)
        self.assertEqual(len(gateway.groups()), 1)

    def test_young_groups_stay(self):
        gateway = Pushgateway(self)
        for n in range(20):
            push(gateway, job=f"j{n}")
        done = janitor(gateway.url, older_than="1")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(gateway.groups()), 20)
        self.assertIn("20 groups, removed 0", done.stderr)

    def test_a_push_that_fails_is_a_sign_of_life(self):
        gateway = Pushgateway(self)
        push(gateway, job="failing")
        push(gateway, job="dead")
        wait_until_old(gateway, 2)
        with self.assertRaises(urllib.error.HTTPError):
            push(gateway, b"# TYPE some_metric nonsense\n", job="failing")
        # Newer gateways record the time of the failure; none of them may lose the group then.
        failed = [g for g in listing(gateway) if g["labels"]["job"] == "failing"]
        is_recorded = pushed_s(failed[0], "push_failure_time_seconds") > 0
        done = janitor(gateway.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        gateway.assert_groups([{"job": "failing"}] if is_recorded else [])

    def test_a_nul_in_a_name_touches_no_other_group(self):
        gateway = Pushgateway(self)
        push(gateway, job="a")
        push(gateway, job="a\0b")
        wait_until_old(gateway, 2)
        push(gateway, job="a")
        done = janitor(gateway.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn({"job": "a"}, gateway.groups())
        self.assertIn("groups left alone: 1", done.stderr)

    def test_pushed_between_the_list_and_the_end(self):
        gateway = Pushgateway(self)
        push(gateway, job="back")
        push(gateway, job="dead")
        wait_until_old(gateway, 2)
        lists = []

        def before(method, path):
            if path == "/api/v1/metrics":
                lists.append(path)
                if len(lists) == 2:
                    push(gateway, b"some_metric 2\n", job="back")

        proxy = Proxy(self, gateway.url, before)
        done = janitor(proxy.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        gateway.assert_groups([{"job": "back"}])
        self.assertEqual([r for r in proxy.requests if r[0] == "DELETE"],
                         [("DELETE", "/metrics/job/dead")])
        self.assertIn("pushed to meanwhile", done.stderr)

    def test_hundreds_of_groups_behind_a_prefix(self):
        gateway = Pushgateway(self, None, "--web.route-prefix=/gw")
        for n in range(300):
            gateway.send("PUT", f"/gw/metrics/job/shop/pod/p{n}", b"some_metric 1\n")
        inner = type("Inner", (), {"url": gateway.url + "/gw"})
        wait_until_old(inner, 300)
        done = janitor(gateway.url + "/gw/")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(listing(inner), [])

    def test_again_and_again_until_told_to_end(self):
        gateway = Pushgateway(self)
        process = self.spawn([WEBHOOK, "janitor", "--gateway", gateway.url, "--interval", "1",
                              "--older-than", f"{AGE_S}s"])
        push(gateway, job="one")
        harness.wait_for("the first to go", lambda: not gateway.groups())
        push(gateway, job="two")
        harness.wait_for("the second to go", lambda: not gateway.groups())
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(5), 0, process.text())


class Trouble(harness.Case):
    """One line, exit status 1, nothing removed."""

    DATE = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 18:00:00 GMT\r\n\r\n"

    def fails(self, url, words, options=()):
        done = janitor(url, *options)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertRegex(done.stderr, words)
        return done

    def test_gateway_is_down(self):
        self.fails(f"http://127.0.0.1:{harness.free_port()}", "Failed to connect|Could not connect")

    def test_gateway_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.fails(url, "too slow|timed out", options=["--timeout", "1"])

    def test_answers_that_are_no_list(self):
        for body in (b"", b"<html>", b'{"data":[', b"[" * 100000, b'{"data":[}]}',
                     b'{"data":[]}{"data":[]}', b"\0" * 1000, b'{"data":["' + b"x" * 100000):
            with self.subTest(body=body[:20]):
                self.fails(Server(self, self.DATE + body).url, "cannot be read")

    def test_other_statuses(self):
        for line in (b"301 Moved\r\nLocation: /x", b"404 Not Found", b"500 Oops"):
            answer = b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"
            self.fails(Server(self, answer).url, f"answers {line[:3].decode()}")

    def test_no_clock_to_go_by(self):
        body = b'{"data":[{"labels":{"job":"a"},"push_time_seconds":{"metrics":[{"value":"1"}]}}]}'
        self.fails(Server(self, b"HTTP/1.1 200 OK\r\n\r\n" + body).url, "no Date")

    def test_a_huge_answer_takes_no_memory(self):
        group = (b'{"labels":{"job":"a"},"m":{"help":"' + b"x" * 1000000 + b'"}},')
        server = Server(self, self.DATE + b'{"status":"success","more":['
                        + b"[" * 5 + b"1" + b"]" * 5 + b'],"data":['
                        + group * 120 + b'{"labels":{"job":"b"}}]}')
        process = self.spawn(
            ["prlimit", "--as=104857600", WEBHOOK, "janitor", "--gateway", server.url, "--once"])
        self.assertEqual(process.wait(60), 0, process.text())
        self.assertRegex(process.text(), "121 groups, removed 0")

    def test_answers_without_end(self):
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        list_head = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
        for why, script, words in (
            ("header fields", repeat(list_head, b"X-A: " + b"y" * 1000 + b"\r\n"), "do not end"),
            ("interim answers", repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999), "do not end"),
            ("trailers", repeat(list_head + chunked + b'b\r\n{"data":[]}\r\n0\r\n',
                                b"X-T: y\r\n" * 999), "do not end"),
            ("a body that nobody wants", repeat(b"HTTP/1.1 500 no\r\n\r\n", b"x" * 65536),
             "answers 500"),
            ("an extension of a chunk", repeat(list_head + chunked + b"1;", b"e=f;" * 9999),
             "too slow|timed out"),
            ("a list that drips", repeat(list_head + b'\r\n{"data":[', b"x" * 9, 0.2), "timed out|too slow"),
        ):
            with self.subTest(why=why):
                hostile = HostileGateway(self, script)
                process = self.spawn(
                    ["prlimit", "--as=104857600", WEBHOOK, "janitor", "--gateway", hostile.url,
                     "--once", "--timeout", "1"])
                self.assertEqual(process.wait(20), 1, process.text())
                self.assertEqual(len(process.text().splitlines()), 1, process.text())
                self.assertRegex(process.text(), words)

    def test_groups_with_long_names(self):
        # 60 kB of each name, which are to be remembered: more than the janitor may take.
        old = '{"metrics":[{"value":"1"}]}'

        def group(n):
            return (f'{{"labels":{{"job":"j{n}","x":"{"y" * 60000}"}},'
                    f'"push_time_seconds":{old}}}').encode()

        body = b'{"data":[' + b",".join(group(n) for n in range(1000)) + b"]}"
        server = Server(self, self.DATE + body)
        process = self.spawn(["prlimit", "--as=104857600", WEBHOOK, "janitor", "--gateway",
                              server.url, "--once", "--dry-run"])
        self.assertEqual(process.wait(60), 0, process.text()[:2000])
        kept = process.text().count("would remove /metrics")
        self.assertIn(f"{1000 - kept} more are old; left to the next sweep", process.text())
        self.assertGreater(kept, 100)

    def test_a_group_that_will_not_go(self):
        class Refusing(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                old = '{"metrics":[{"value":"1"}]}'
                groups = ",".join(
                    f'{{"labels":{{"job":"j{n}"}},"push_time_seconds":{old}}}' for n in range(9))
                body = f'{{"data":[{groups}]}}'.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_DELETE(self):
                self.send_error(403)

        server = type("Address", (), {})()
        serve(self, server, Refusing)
        done = janitor(server.url)
        self.assertEqual(done.returncode, 1)
        lines = [line for line in done.stderr.splitlines() if "answers 403" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(re.search(r"/metrics/job/j0 stays: it answers 403", lines[0]), lines)

    def test_bad_use(self):
        for args, words in (
            (["--once"], "--gateway"),
            (["--gateway", "http://x"], "--once or --interval"),
            (["--gateway", "http://x", "--once", "--interval", "5"], "--once or --interval"),
            (["--gateway", "gw:9091", "--once"], "--gateway"),
            (["--gateway", "http://x", "--once", "--older-than", "soon"], "--older-than"),
            (["--gateway", "http://x", "--once", "--older-than", "0"], "--older-than"),
        ):
            done = harness.run([WEBHOOK, "janitor", *args], check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    harness.main()
