# SPDX-License-Identifier: Apache-2.0
"""
What strace(1) says that a program did: the calls of each thread that `sidelight syscalls` counts,
calls on sockets by the names of their descriptors.
"""
import collections
import re

ON_SOCKETS = """accept accept4 connect read readv pread64 preadv preadv2 write writev pwrite64 pwritev
pwritev2 recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg sendfile splice shutdown close""".split()
WAITS = "epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6".split()
OTHERS = ["io_uring_enter"]
NO_BYTES = {"accept", "accept4", "connect", "shutdown", "close", "recvmmsg", "sendmmsg", *WAITS, *OTHERS}

_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)")
_RESULT = re.compile(r"(-?\d+|0x[0-9a-f]+|\?)(?:<[^>]*>)?(?: (E\w+))?")
_SOCKET = re.compile(r"\d+<socket:\[\d+\]>")


def command(log, argv):
    """strace with what read() below needs, for the program and all that it starts."""
    names = ",".join("?" + name for name in (*ON_SOCKETS, *WAITS, *OTHERS))
    return ["strace", "-f", "-y", "-s0", "-qqq", "-o", log, "-e", f"trace={names}", *argv]


class Truth:
    """By (thread, call): how many returned, with which errors and bytes; unknown: how many ended
    together with their thread, which strace does not see."""

    def __init__(self, text):
        self.calls = collections.Counter()
        self.errors = collections.Counter()
        self.bytes = collections.Counter()
        self.unknown = collections.Counter()
        self._open = {}
        for line in text.splitlines():
            match = _LINE.fullmatch(line)
            if match:
                self._read(int(match[1]), match[2], match[3], "resumed>" in line.split("(")[0])
        for thread, (name, arguments) in self._open.items():
            if self._is_counted(name, arguments):
                self.unknown[thread, name] += 1

    def _read(self, thread, name, rest, is_resumed):
        if is_resumed:
            arguments = self._open.pop(thread)[1] + rest
        else:
            arguments = rest
        if rest.endswith("<unfinished ...>"):
            self._open[thread] = (name, arguments)
        elif self._is_counted(name, arguments):
            self._add((thread, name), _RESULT.match(rest.rsplit(" = ", 1)[1]))

    def _add(self, key, result):
        if result[1] == "?" and not result[2]:
            self.unknown[key] += 1
            return
        self.calls[key] += 1
        if result[2]:
            self.errors[(*key, result[2])] += 1
        elif key[1] not in NO_BYTES:
            self.bytes[key] += int(result[1])

    @staticmethod
    def _is_counted(name, arguments):
        if name not in ON_SOCKETS:
            return name in WAITS + OTHERS
        words = arguments.split(", ")
        ends = [words[0], words[2]] if name == "splice" else words[:1]
        return any(_SOCKET.match(word) for word in ends)

    def threads(self):
        return {key[0] for key in (*self.calls, *self.unknown)}
