# SPDX-License-Identifier: Apache-2.0
"""A server whose answers have no end, and what it got rid of."""
import contextlib
import socket
import threading
import time


def repeat(head, piece, pause=0.0):
    """The script of an answer without end."""
    def script(sender):
        sender(head)
        while True:
            sender(piece)
            time.sleep(pause)  # the pace of the answer

    return script


def once(answer, then=None):
    def script(sender):
        sender(answer)
        if then:
            then(sender)

    return script


class HostileGateway:
    """Answers each connection by a script; tells how many bytes it got rid of, and how long."""

    def __init__(self, case, script):
        self.script = script
        self.done = []  # (bytes sent, seconds) of each connection that has ended
        self.targets = []
        self.is_over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        case.stack.callback(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.is_over.set()
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        self.listener.close()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    def answer(self, peer):
        sent, begin = 0, time.monotonic()

        def sender(data):
            nonlocal sent
            if self.is_over.is_set():
                raise OSError("the test is over")
            peer.sendall(data)
            sent += len(data)

        with contextlib.closing(peer):
            peer.settimeout(20)
            with contextlib.suppress(OSError):
                self.targets.append(peer.recv(65536).split(b"\r\n")[0])
                self.script(sender)
                while peer.recv(65536):
                    pass  # until the other side has had enough
        self.done.append((sent, time.monotonic() - begin))
