# SPDX-License-Identifier: Apache-2.0
"""
Clients that send exactly what a plan says, and check what comes back.

A plan is a list of (method, target). Plans are made from a seed, so that two
runs ask for the same things.
"""
import fcntl
import http.client
import json
import random
import socket
import ssl
import struct
import sys
import termios
import threading
import time

import harness

# Paths that every server here has, what the route of each must be, and what
# the servers that can choose their status codes answer.
UUID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
PATHS = [
    ("/hello", "/hello", 200),
    ("/users/1842", "/users/{id}", 200),
    (f"/orders/{UUID}/lines", "/orders/{id}/lines", 200),
    ("/api/hello.world", "/api/hello.world", 200),
    ("/search?q=a/b%20c&n=7#x", "/search", 200),
    ("/empty", "/empty", 204),
    ("/made", "/made", 201),
    ("/moved", "/moved", 302),
    ("/bad", "/bad", 400),
    ("/denied", "/denied", 401),
    ("/missing", "/missing", 404),
    ("/gateway", "/gateway", 502),
    ("/late", "/late", 504),
]
STATUS = {path.split("?")[0]: status for path, _, status in PATHS}
ROUTE = {path.split("?")[0]: route for path, route, _ in PATHS}
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
METHODS = ["GET"] * 6 + ["POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "PROPFIND", "BREW"]


def make_plan(seed, count, methods=METHODS, paths=PATHS):
    """Half ordinary paths, half the others, every method; users' numbers differ."""
    rng = random.Random(seed)
    plan = []
    for _ in range(count):
        target = rng.choice(paths)[0]
        if target.startswith("/users/"):
            target = f"/users/{rng.randrange(10, 10**9)}"
        plan.append((rng.choice(methods), target.split("#")[0]))
    return plan


def route_of(target):
    """The route that the targets of our plans must get: written down, not computed."""
    path = target.split("?")[0]
    if path.startswith("/users/"):
        return "/users/{id}"
    return ROUTE.get(path, path)


def label_of(method):
    return method if method in KNOWN_METHODS else "_OTHER"


def send_plan(port, plan, keep_alive=True, host="127.0.0.1", body=b"k=v&n=1", context=None):
    """
    Sends a plan by http.client, over TLS with that context; returns [(method, target, status)].
    With keep_alive, one connection for as long as the server keeps it.
    """
    results = []
    if context:
        conn = http.client.HTTPSConnection(host, port, timeout=20, context=context)
    else:
        conn = http.client.HTTPConnection(host, port, timeout=20)
    headers = {"User-Agent": "e2e"} if keep_alive else {"User-Agent": "e2e", "Connection": "close"}
    for method, target in plan:
        payload = body if method in ("POST", "PUT", "PATCH") else None
        conn.request(method, target, payload, headers)
        answer = conn.getresponse()
        answer.read()
        results.append((method, target, answer.status))
        if not keep_alive:
            conn.close()
    conn.close()
    return results


def curl_plan(
    port, plan, directory, keep_alive=True, host="127.0.0.1", option=None, scheme="http", **more
):
    """The same by one curl process, to which more goes; returns [(method, target, status)]."""
    base = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    parts = []
    for method, target in plan:
        part = [
            f'url = "{base}{target}"',
            "silent",
            "path-as-is",
            'output = "/dev/null"',
            'write-out = "%{http_code}\\n"',
            "max-time = 20",
        ]
        if option:
            part.append(option)
        part.append("head" if method == "HEAD" else f'request = "{method}"')
        if method in ("POST", "PUT", "PATCH"):
            part.append('data = "k=v&n=1"')
        if not keep_alive:
            part.append('header = "Connection: close"')
        parts.append("\n".join(part))
    config = directory / f"curl-{port}-{keep_alive}.conf"
    config.write_text("\nnext\n".join(parts) + "\n")
    statuses = harness.run(["curl", "-q", "-K", config], seconds=120, **more).stdout.split()
    return [
        (method, target, int(status))
        for (method, target), status in zip(plan, statuses, strict=True)
    ]


def get(port, target, host="127.0.0.1", headers=None, method="GET"):
    conn = http.client.HTTPConnection(host, port, timeout=20)
    conn.request(method, target, headers={"Connection": "close", **(headers or {})})
    answer = conn.getresponse()
    answer.read()
    conn.close()
    return answer.status


class Wire:
    """A connection whose every byte and cut is chosen by the test."""

    def __init__(self, port, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def send_cut(self, data, pieces):
        """One segment per piece: each is acknowledged before the next is sent."""
        for piece in pieces(data) if callable(pieces) else pieces:
            self.sock.sendall(piece)
            self.drained()

    def drained(self):
        """Waits until the kernel has sent and seen acknowledged all we wrote."""
        deadline = time.monotonic() + 5
        while self._unsent():
            if time.monotonic() > deadline:
                raise AssertionError("what was sent is not acknowledged")

    def _unsent(self):
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0" * 4))[0]

    def read_until(self, mark):
        while mark not in self.buffer:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError(f"closed before {mark!r}; had {self.buffer[-200:]!r}")
            self.buffer += data
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def read(self, count):
        """Exactly count bytes."""
        while len(self.buffer) < count:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError(f"closed {count - len(self.buffer)} bytes early")
            self.buffer += data
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def read_end(self):
        """Everything until the peer closes."""
        out = self.buffer
        self.buffer = b""
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                return out
            out += data

    def response(self, method="GET"):
        """One response: (status, body). Interim responses are skipped."""
        while True:
            head = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(head[0].split()[1])
            if status >= 200 or status == 101:
                break
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        if method == "HEAD" or status in (101, 204, 304):
            return status, b""
        if fields.get("transfer-encoding", "") == "chunked":
            return status, self._chunked()
        if "content-length" in fields:
            return status, self.read(int(fields["content-length"]))
        return status, self.read_end()

    def _chunked(self):
        body = b""
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if not size:
                while self.read_until(b"\r\n"):
                    pass
                return body
            body += self.read(size)
            self.read(2)

    def reset(self):
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request_bytes(method, target, *fields, body=b""):
    if body:
        fields += (f"Content-Length: {len(body)}",)
    return (
        "\r\n".join([f"{method} {target} HTTP/1.1", "Host: e2e", *fields, "", ""])
    ).encode() + body


def main():
    """
    clients.py http|https HOST PORT SEED CONNECTIONS COUNT [TARGET...]: plans at once; results as
    JSON.
    """
    scheme, host, port, seed, connections, count, *targets = sys.argv[1:]
    context = ssl._create_unverified_context() if scheme == "https" else None
    results = []

    def one(number):
        plan = make_plan(f"{seed} {number}", int(count))
        if targets:
            plan = [
                (m, random.Random(f"{seed} {number} {i}").choice([t, *targets]))
                for i, (m, t) in enumerate(plan)
            ]
        results.extend(send_plan(int(port), plan, number % 4 != 3, host, context=context))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
