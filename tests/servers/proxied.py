# SPDX-License-Identifier: Apache-2.0
"""
A server that expects a PROXY header before HTTP/1 or HTTP/2, in segments of any size (nginx and
haproxy want it in one): proxied.py HOST PORT LOG. All is answered with 200 and `hello`, of HTTP/2
the first request of a connection. Nothing is logged.
"""
import socket
import sys
import threading

BODY = b"hello\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def more(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def take_until(self, mark):
        while mark not in self.buffer:
            self.more()
        return self.take(self.buffer.index(mark) + len(mark))

    def header(self):
        first = self.take(1)
        if first == b"P":
            self.take_until(b"\r\n")
        else:
            self.take(int.from_bytes(self.take(15)[13:], "big"))

    def http2(self):
        self.take(len(PREFACE) - 4)
        kind = None
        while kind != 1:
            head = self.take(9)
            self.take(int.from_bytes(head[:3], "big"))
            kind = head[3]
        settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        headers = bytes([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88])
        data = bytes([0, 0, len(BODY), 0, 1, 0, 0, 0, 1]) + BODY
        self.sock.sendall(settings + headers + data)
        while True:
            self.more()

    def serve(self):
        self.header()
        head = self.take(4)
        if head == PREFACE[:4]:
            self.http2()
        while True:
            head += self.take_until(b"\r\n\r\n")
            is_head = head.startswith(b"HEAD")
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
            self.sock.sendall(answer + (b"" if is_head else BODY))
            head = b""


def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        Connection(sock).serve()
    except (EOFError, ConnectionError):
        sock.close()


def main():
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


main()
