# SPDX-License-Identifier: Apache-2.0
"""
A server that does, byte by byte, what the path tells it: scripted.py HOST PORT LOG [defer].

One thread per connection, HTTP/1.1 with keep-alive and pipelining. A line per
request goes to LOG when it is over: method, target, version, and the status
code or, when none was sent, how the connection ended.

    /sleep/MS                    waits, then answers with how long it did, in ns
    /bytes/N                     Content-Length body of N bytes, by sendfile
    /chunks/COUNT/SIZE/PAUSE_MS  chunked body; 0 for no pause
    /trailers                    chunked, with extensions and trailers
    /trailers/SIZE/LENGTH        chunked, one chunk of SIZE bytes, a trailer of LENGTH bytes
    /until-close/N               body without length
    /pieces                      the response in writes of one byte
    /hints                       103, then 200
    /folded                      obsolete line folding and bare LF in the response's head
    /upgrade                     101, then echoes
    /early                       413 before the upload is read, then closes
    /eager                       200 before the upload is read, reads it, stays open
    /reset, /close               ends the connection without an answer
    /half/N                      announces 2 N bytes, sends N, closes
    /status/N                    that status code
    /batch/DEPTH/SIZE            200 with SIZE bytes; DEPTH of them at once, in one write
    /long-head/N/SIZE/FRAMING    200 with a head of N bytes and more, and SIZE bytes of body, in one
                                 write: FRAMING is length, chunks or close
    /noise/SEED                  random bytes, some of them nearly a response; closes
    CONNECT host:port            200, then relays
    anything else                200
"""
import os
import random
import select
import socket
import struct
import sys
import tempfile
import threading
import time

NAGLE_OFF = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
zeros = tempfile.TemporaryFile()
zeros.truncate(1 << 30)


class Connection:
    """One accepted socket: reads requests one by one, answers each."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.batch = []  # answers that wait for others, to be written at once
        sock.setsockopt(*NAGLE_OFF)

    def serve(self):
        try:
            while self.one_request():
                pass
        except OSError:
            pass
        finally:
            self.sock.close()

    def fill(self):
        data = self.sock.recv(1 << 16)
        self.buffer += data
        return bool(data)

    def head(self):
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            for mark in (b"\r\n\r\n", b"\n\n"):
                if mark in self.buffer:
                    head, self.buffer = self.buffer.split(mark, 1)
                    return head.decode("latin-1").replace("\r\n", "\n").split("\n")
            if not self.fill():
                return None

    def body(self):
        """Reads the body of the request that head() returned."""
        if self.fields.get("transfer-encoding") == "chunked":
            while True:
                while b"\r\n" not in self.buffer:
                    if not self.fill():
                        raise OSError("upload cut short")
                line, self.buffer = self.buffer.split(b"\r\n", 1)
                size = int(line.split(b";")[0], 16)
                self.skip(size + 2)
                if not size:
                    return
        self.skip(int(self.fields.get("content-length", 0)))

    def skip(self, count):
        while count:
            if not self.buffer and not self.fill():
                raise OSError("upload cut short")
            used = min(count, len(self.buffer))
            self.buffer = self.buffer[used:]
            count -= used

    def one_request(self):
        lines = self.head()
        if not lines:
            return False
        words = lines[0].split(" ")
        self.method, self.target = words[0], words[1]
        self.fields = {
            k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])
        }
        self.result = "connection_closed"
        keep = False
        try:
            name = self.target.split("?")[0].split("/")[1:] or [""]
            expects = self.fields.get("expect", "").lower() == "100-continue"
            if expects and name[0] != "refuse":
                self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if name[0] not in ("early", "eager", "reset", "close", "refuse"):
                self.body()
            action = (
                self.do_connect
                if self.method == "CONNECT"
                else getattr(self, "do_" + name[0].replace("-", "_"), self.do_default)
            )
            keep = action(*name[1:]) is not False
        finally:
            # One write per line: threads do not mix.
            os.write(log, f"{self.method} {self.target} HTTP/1.1 {self.result}\n".encode())
        return keep and self.fields.get("connection", "").lower() != "close"

    def start(self, status, *fields):
        """The head alone; the caller sends the body."""
        self.result = str(status)
        if self.fields.get("connection", "").lower() == "close":
            fields += ("Connection: close",)
        return "\r\n".join([f"HTTP/1.1 {status} E2E", "Server: scripted", *fields, "", ""]).encode()

    def answer(self, status, body=b"hello\n"):
        data = self.start(status, f"Content-Length: {len(body)}")
        self.sock.sendall(data if self.method == "HEAD" else data + body)

    def do_default(self, *_):
        self.answer(200)

    def do_refuse(self, status, sends):
        """The final answer at once; a client that "sends" does so all the same."""
        self.answer(int(status))
        if sends == "body":
            self.body()

    def do_status(self, status):
        if status in ("204", "304"):
            self.sock.sendall(self.start(int(status)))
        else:
            self.answer(int(status))

    def do_sleep(self, ms):
        start = time.monotonic_ns()
        time.sleep(int(ms) / 1000)
        self.answer(200, b"%d" % (time.monotonic_ns() - start))

    def do_bytes(self, count):
        left = int(count)
        self.sock.sendall(self.start(200, f"Content-Length: {left}"))
        if self.method == "HEAD":
            return
        offset = 0
        while offset < left:
            offset += os.sendfile(self.sock.fileno(), zeros.fileno(), offset, left - offset)

    def do_chunks(self, count, size, pause_ms):
        self.sock.sendall(self.start(200, "Transfer-Encoding: chunked"))
        chunk = f"{int(size):x}\r\n".encode() + b"c" * int(size) + b"\r\n"
        for _ in range(int(count)):
            self.sock.sendall(chunk)
            if int(pause_ms):
                time.sleep(int(pause_ms) / 1000)
        self.sock.sendall(b"0\r\n\r\n")

    def do_trailers(self, size=None, length=0):
        if size is None:
            body = b'5;name="a;b"\r\nhello\r\n0;last\r\nX-Sum: 1\r\nX-More: HTTP/1.1 500 no\r\n\r\n'
        else:
            body = b"%x\r\n%s\r\n0\r\nX-Sum: " % (int(size), b"c" * int(size))
            body += b"s" * int(length) + b"\r\n\r\n"
        self.sock.sendall(self.start(200, "Transfer-Encoding: chunked", "Trailer: X-Sum") + body)

    def do_until_close(self, count):
        self.sock.sendall(self.start(200, "Connection: close") + b"u" * int(count))
        return False

    def do_pieces(self):
        data = self.start(200, "Content-Length: 6") + b"hello\n"
        for at in range(len(data)):
            self.sock.sendall(data[at : at + 1])

    def do_hints(self):
        self.sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self.answer(200)

    def do_folded(self):
        self.result = "200"
        self.sock.sendall(b"HTTP/1.1 200 OK\nX-Long: one\n\ttwo\nContent-Length: 6\n\nhello\n")

    def do_upgrade(self):
        self.sock.sendall(self.start(101, "Connection: upgrade", "Upgrade: echo"))
        return self.echo()

    def echo(self):
        while self.buffer or self.fill():
            self.sock.sendall(self.buffer)
            self.buffer = b""
        return False

    def do_early(self):
        self.sock.sendall(self.start(413, "Content-Length: 0", "Connection: close"))
        self.sock.shutdown(socket.SHUT_WR)
        while self.fill():
            self.buffer = b""
        return False

    def do_eager(self):
        self.answer(200)
        self.body()

    def do_reset(self):
        self.result = "connection_reset"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def do_close(self):
        return False

    def do_batch(self, depth, size):
        self.batch.append(self.start(200, f"Content-Length: {size}") + b"b" * int(size))
        if len(self.batch) == int(depth):
            self.sock.sendall(b"".join(self.batch))
            self.batch = []

    def do_long_head(self, count, size, framing):
        body = b"b" * int(size)
        field, body = {
            "length": (f"Content-Length: {size}", body),
            "chunks": ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
            "close": ("Connection: close", body),
        }[framing]
        body = b"" if self.method == "HEAD" else body
        self.sock.sendall(self.start(200, "X-Long: " + "l" * int(count), field) + body)
        return framing != "close"

    def do_half(self, count):
        self.sock.sendall(self.start(200, f"Content-Length: {2 * int(count)}") + b"h" * int(count))
        return False

    def do_noise(self, seed):
        rng = random.Random(int(seed))
        data = bytearray(self.start(200, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
        for _ in range(int(seed) % 10):
            data[rng.randrange(len(data))] = rng.randrange(256)
        self.sock.sendall(rng.randbytes(400) if int(seed) % 3 == 0 else data)
        return False

    def do_plain(self, data):
        """Bytes, in hexadecimal, that are no response."""
        self.result = "malformed_response"
        self.sock.sendall(bytes.fromhex(data))
        return False

    def do_half_head(self, status):
        self.result = status
        self.sock.sendall(self.start(int(status), "Content-Type: text/plain")[:-2])
        return False

    def do_connect(self, *_):
        host, port = self.target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as other:
            self.sock.sendall(self.start(200))
            if self.buffer:
                other.sendall(self.buffer)
            while True:
                for ready in select.select([self.sock, other], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return False
                    (other if ready is self.sock else self.sock).sendall(data)


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server(
        (host, port), backlog=2048, family=socket.AF_INET6 if ":" in host else socket.AF_INET
    )
    if "defer" in sys.argv[4:]:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 10)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Connection(sock).serve, daemon=True).start()


log = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
main()
