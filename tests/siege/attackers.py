#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What a stranger does to a server that is watched, to a page of metrics and to a
webhook. Each attack is a process of its own, goes on until it is killed, and is
bounded in what it has open and how fast it is, so that the machine is left with
time for the honest ones.

    attackers.py ATTACK PORT
"""
import contextlib
import itertools
import os
import random
import socket
import ssl
import struct
import sys
import threading
import time

WORDS = "abcdefghijklmnopqrstuvwxyz"


def connect(port, **options):
    sock = socket.socket()
    for name, value in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    sock.settimeout(3)
    sock.connect(("127.0.0.1", port))
    return sock


class Crowd:
    """At most so many connections, the oldest reset for the next."""

    def __init__(self, most):
        self.most = most
        self.open = []

    def add(self, sock):
        self.open.append(sock)
        if len(self.open) > self.most:
            old = self.open.pop(0)
            with contextlib.suppress(OSError):
                old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            old.close()


def repeat(pause, attack):
    """For ever; a peer that refuses is the point, and no end."""
    for i in itertools.count():
        with contextlib.suppress(OSError):
            attack(i)
        time.sleep(pause)


def word(n):
    return "".join(random.choice(WORDS) for _ in range(n))


def exchange(sock, data):
    sock.sendall(data)
    sock.recv(65536)


# --- to the watched server -------------------------------------------------------


def unfinished_heads(port):
    crowd = Crowd(4000)

    def attack(i):
        sock = connect(port)
        crowd.add(sock)
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 7000)

    repeat(0.002, attack)


def unfinished_frames(port):
    """The preface, whatever the server speaks, and a header block without end."""
    crowd = Crowd(1000)
    settings = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    headers = (16000).to_bytes(3, "big") + bytes((1, 0, 0, 0, 0, 1)) + b"\x00" * 15000

    def attack(i):
        sock = connect(port)
        crowd.add(sock)
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers)

    repeat(0.01, attack)


def idle_connections(port):
    crowd = Crowd(6000)
    repeat(0.002, lambda i: crowd.add(connect(port)))


def scanner(port):
    """Paths, methods and hosts that nobody has."""

    def attack(i):
        with connect(port) as sock:
            for _ in range(50):
                line = f"{word(4).upper()} /{word(8)}/{word(5)} HTTP/1.1"
                exchange(sock, f"{line}\r\nHost: {word(12)}\r\n\r\n".encode())
                line = f"GET /www/{word(8)}/{word(5)}?{word(9)} HTTP/1.1"
                exchange(sock, f"{line}\r\nHost: {word(12)}\r\n\r\n".encode())

    repeat(0.1, attack)


def tiny_fields(port):
    """As many header fields as a head can have."""
    head = b"GET /tiny HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 1200 + b"\r\n"

    def attack(i):
        with connect(port) as sock:
            for _ in range(10):
                exchange(sock, head)

    repeat(0.05, attack)


def resets(port):
    def attack(i):
        sock = connect(port, SO_LINGER=struct.pack("ii", 1, 0))
        sock.sendall(b"GET /reset HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.close()

    repeat(0.005, attack)


# --- to /metrics -----------------------------------------------------------------


def deaf_readers(port):
    """Ask for the page, and do not read it."""
    crowd = Crowd(64)

    def attack(i):
        sock = connect(port, SO_RCVBUF=2048)
        crowd.add(sock)
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    repeat(0.05, attack)


def pipelined_scrapes(port):
    crowd = Crowd(16)

    def attack(i):
        sock = connect(port, SO_RCVBUF=2048)
        crowd.add(sock)
        sock.setblocking(False)
        sock.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)

    repeat(0.2, attack)


def fast_scrapes(port):
    def attack(i):
        with connect(port) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
                         b"Connection: close\r\n\r\n")
            while sock.recv(1 << 16):
                pass

    repeat(0.02, attack)


# --- to the webhook --------------------------------------------------------------

TLS = ssl._create_unverified_context()


def tls(port):
    return TLS.wrap_socket(connect(port))


def review_head(length):
    return (b"POST /mutate-pod HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % length)


def silent_connections(port):
    crowd = Crowd(600)

    def attack(i):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
        crowd.add(sock)

    repeat(0.0005, attack)


def handshakes(port):
    repeat(0.02, lambda i: tls(port).close())


def silent_handshakes(port):
    crowd = Crowd(300)
    repeat(0.02, lambda i: crowd.add(tls(port)))


def unfinished_bodies(port):
    crowd = Crowd(240)

    def attack(i):
        sock = tls(port)
        crowd.add(sock)
        sock.sendall(review_head(2900000) + b" " * 130000)

    repeat(0.05, attack)


def wide_json(port):
    bodies = [
        b'{"a":[' + b"0," * 600000 + b"0]}",
        b'{"a":[' + b"[]," * 400000 + b"0]}",
        b'{"a":' * 100000,
        b'{"a":[' + b'{"":0},' * 200000 + b"0]}",
    ]

    def attack(i):
        body = bodies[i % len(bodies)]
        with tls(port) as sock:
            exchange(sock, review_head(len(body)) + body)

    repeat(0.5, attack)


# --- a gateway -------------------------------------------------------------------


def hostile_gateway(port):
    """Listens: the answer to a push has trailers, interim responses or a body without end."""
    beginnings = itertools.cycle((
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-T: y\r\n" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 300),
        (b"HTTP/1.1 200 OK\r\n", b"X-H: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    ))

    def serve(sock):
        with contextlib.suppress(OSError), sock:
            sock.recv(65536)
            begin, more = next(beginnings)
            sock.sendall(begin)
            while True:
                sock.sendall(more)

    listener = socket.create_server(("127.0.0.1", port))
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    os.nice(15)
    globals()[sys.argv[1]](int(sys.argv[2]))
