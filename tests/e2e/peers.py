# SPDX-License-Identifier: Apache-2.0
"""
gRPC peers nobody here wrote the protocol of: the echo service of
tests/servers/echo, with the gRPC implementations of four languages, in two
versions of one.

Three accounts of the same calls are compared: what the client's library
reported for each, what the server's handlers logged, and what sidelight
counted on either side. The last call of a test is a sentinel, as the last
request is in observer.py: events come in order.
"""
import collections
import subprocess

import harness
import observer
import servers

BUILT = harness.ROOT / "build" / "peers"
SERVICE = "e2e.Echo/"
SENTINEL = "S099"
STATUS = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS"
    " PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE"
    " UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()
KINDS = ("Unary", "Collect", "Expand", "Chat")

Call = collections.namedtuple(
    "Call",
    "method code sleep messages bytes deadline cancel extra",
    defaults=(0, 0, 0, 0, 0, 0, 0),
)
Result = collections.namedtuple(
    "Result", "number method code sent received start_ns duration_ns slept_ns"
)


class Language:
    """How the echo service of a language is started, and what its library does not do."""

    def __init__(self, name, argv, needs=(), env=None, metadata_max=65536, free_codes=False):
        self.name, self.argv, self.needs = name, argv, needs
        self.env = env or {}
        self.metadata_max = metadata_max  # one value of that size is sent
        self.free_codes = free_codes  # statuses beyond the seventeen are sent and reported

    def check(self):
        harness.need(*self.needs)
        why = BUILT / f"{self.name}.why"
        if why.exists():
            raise harness.unittest.SkipTest(f"{self.name}: {why.read_text().strip()}")
        if not (BUILT / f"{self.name}.built").exists() and self.name != "python":
            raise AssertionError(f"{self.name} is not built: make peers")


ECHO = harness.SERVERS / "echo"
GO = Language("go", [BUILT / "echo-go"], free_codes=True)
GO_NEW = Language("go-new", [BUILT / "echo-go-new"], free_codes=True)
CC = Language("cc", [BUILT / "echo-cc"])
# grpcio is Debian's, and so must the interpreter be. One value of more than 64 KiB with the rest
# of its headers is more than nghttp2, which Node uses, agrees to send.
PYTHON = Language("python", ["/usr/bin/python3", ECHO / "echo.py"])
NODE = Language(
    "node",
    ["node", ECHO / "echo.js"],
    needs=("node",),
    env={"NODE_PATH": str(BUILT / "node" / "node_modules")},
    metadata_max=60000,
)
LANGUAGES = (GO, GO_NEW, CC, PYTHON, NODE)


def for_each_language(case):
    """Makes test_X_LANGUAGE of every method check_X(language) of a Case."""
    for name in [n for n in vars(case) if n.startswith("check_")]:
        for language in LANGUAGES:
            test = f"{name.replace('check', 'test', 1)}_{language.name.replace('-', '_')}"
            setattr(case, test, lambda self, n=name, l=language: getattr(self, n)(l))
    return case


def security(folder):
    """The environment of a program that speaks TLS with the certificate of that folder, if any."""
    return {"ECHO_TLS": str(folder)} if folder else {}


class Echo(servers.Server):
    """The server of the knob language; over TLS, if the knob tls is a folder with a certificate."""

    def command(self):
        language = self.knobs["language"]
        language.check()
        address = (self.host, self.port, self.dir / self.log_name)
        return [*language.argv, "server", *address], {**language.env, **security(self.knobs.get("tls"))}

    def calls(self):
        """What its handlers logged, as a Counter of (method, status code)."""
        counted = collections.Counter()
        for line in self.log_text().splitlines():
            method, code = line.split()
            if method != SENTINEL:
                counted[method, int(code)] += 1
        return counted


class Client:
    """The client of a language: calls are fed to it, and each has a Result."""

    def __init__(
        self,
        case,
        language,
        port,
        connections=1,
        workers=8,
        host="127.0.0.1",
        tls=None,
        gate=None,
        **more,
    ):
        """gate: called when a process is there, before that executes the client's program."""
        language.check()
        self.fed = 0
        argv = [*language.argv, "client", host, port, connections, workers]
        env = {**language.env, **security(tls)}
        if gate:
            argv = ["sh", "-c", 'read line; exec "$@"', "gate", *argv]
        self.process = case.spawn(argv, stdin=subprocess.PIPE, env=env, **more)
        if gate:
            gate()
            self.process.popen.stdin.write(b"go\n")
            self.process.popen.stdin.flush()
        case.own(self.process.popen.stdin)
        harness.wait_for("the client's connections", self._is_ready, 30)

    def _is_ready(self):
        if not self.process.is_running():
            raise AssertionError(f"the client ended early:\n{self.process.text()}")
        return self.process.text().startswith("ready\n")

    def feed(self, calls):
        """Hands calls over; returns their numbers. They are begun in this order."""
        text = "".join(" ".join(map(str, call)) + "\n" for call in calls)
        self.process.popen.stdin.write(text.encode())
        self.process.popen.stdin.flush()
        first, self.fed = self.fed, self.fed + len(calls)
        return range(first, self.fed)

    def results(self):
        """Of the calls that have ended, in the order of their ends."""
        text = self.process.text()
        lines = text[: text.rfind("\n") + 1].splitlines()[1:]
        fields = [line.split() for line in lines]
        if any(len(words) != 8 for words in fields):
            raise AssertionError(f"the client says:\n{text[-2000:]}")
        return [Result(int(n), method, *map(int, rest)) for n, method, *rest in fields]

    def run(self, calls, seconds=60):
        """Feeds calls, waits for all their ends, and returns their results in order of feeding."""
        numbers = self.feed(calls)
        self.wait_ended(seconds)
        return sorted(r for r in self.results() if r.number in numbers)

    def wait_ended(self, seconds=60):
        """All calls that were fed have ended."""

        def event():
            if not self.process.is_running():
                raise AssertionError(f"the client ended early:\n{self.process.text()[-2000:]}")
            return self.process.text().count("\n") > self.fed

        harness.wait_for("the ends of all calls", event, seconds, pause=0.02)

    def finish(self, seconds=30):
        """No more calls: it ends when they have."""
        self.process.popen.stdin.close()
        if self.process.wait(seconds):
            raise AssertionError(f"the client failed:\n{self.process.text()[-2000:]}")
        return sorted(self.results())


def tally(calls):
    """Calls or results as a Counter of (method, status code)."""
    return collections.Counter((c.method, c.code) for c in calls)


def assert_as_asked(case, results, calls):
    """The client's library reported of each call the status that the server was asked for."""
    got, expected = tally(results), tally(calls)
    case.assertEqual(got, expected, f"the client's\n{observer.difference(got, expected)}")


def named(counts):
    """(method, code) as sidelight labels it: (rpc_method, rpc_status_code)."""
    out = collections.Counter()
    for (method, code), count in counts.items():
        out[SERVICE + method, STATUS[code] if code < len(STATUS) else str(code)] += count
    return out


def counted(scrape, side, **labels):
    """What sidelight counted as a Counter of (rpc_method, rpc_status_code), sentinels left out."""
    out = collections.Counter()
    for have, value in scrape.each(f"rpc_{side}_call_duration_seconds_count", **labels):
        if have.get("rpc_method") != SERVICE + SENTINEL:
            out[have.get("rpc_method"), have.get("rpc_status_code")] += int(value)
    return +out


def settle(sidelight, client, sides=("server",)):
    """
    One more call, waited for on these sides: what is not counted when it is
    will never be. Returns the scrape.
    """
    name = "rpc_{}_call_duration_seconds_count"

    def sentinels():
        scrape = sidelight.scrape()
        return [scrape.sum(name.format(s), rpc_method=SERVICE + SENTINEL) for s in sides]

    before = sentinels()
    client.run([Call(SENTINEL)])
    try:
        harness.wait_for(
            "the sentinel to be counted",
            lambda: all(new > old for new, old in zip(sentinels(), before)),
            pause=0.02,
        )
    except AssertionError as error:
        raise AssertionError(f"{error}\n{observer.health(sidelight.scrape())}") from None
    return sidelight.scrape()


def assert_counted(case, scrape, expected, side, what=""):
    got = counted(scrape, side)
    case.assertEqual(
        got,
        +expected,
        f"{what} {side}:\n{observer.difference(got, expected)}\n{observer.health(scrape)}",
    )
