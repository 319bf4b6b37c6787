# SPDX-License-Identifier: Apache-2.0
"""
Those who behave: each does one thing again and again in a thread of its own, and remembers how
long each time took, and what failed.
"""
import socket
import threading
import time


class Honest(threading.Thread):
    """Calls act() with pauses of so many seconds, from start() to stop()."""

    def __init__(self, name, pause, act):
        super().__init__(name=name, daemon=True)
        self.pause = pause
        self.act = act
        self.times = []
        self.failures = []
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(self.pause):
            begin = time.monotonic()
            try:
                self.act()
            except Exception as e:
                self.failures.append(repr(e))
            self.times.append((time.monotonic() - begin) * 1e3)

    def stop(self, seconds=10):
        self.done.set()
        if self.is_alive():
            self.join(seconds)


class Client:
    """Requests on one connection, made anew when it ends."""

    def __init__(self, port):
        self.port = port
        self.sock = None

    def ask(self, target="/hello"):
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        try:
            self.sock.sendall(f"GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            answer = b""
            while b"hello\n" not in answer:
                more = self.sock.recv(4096)
                if not more:
                    raise OSError("closed")
                answer += more
        except OSError:
            self.close()
            raise

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None


def ask_once(port, target="/hello"):
    client = Client(port)
    try:
        client.ask(target)
    finally:
        client.close()
