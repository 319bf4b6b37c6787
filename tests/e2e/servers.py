# SPDX-License-Identifier: Apache-2.0
"""
Servers nobody here wrote, and the fixtures of tests/servers, each started in
a cgroup with an access log of its own.

Every server's log() is a list of (method, target, status) in the order in
which the server wrote it: what the counts are compared with. The sentinel
requests of observer.py are left out.
"""
import collections
import json
import signal
import string

import builds
import clients
import harness
from observer import SENTINEL

MIB = 1 << 20


class Server:
    """One running server; subclasses say how to start it and where its log is."""

    programs = ()
    log_name = "access.log"
    exact_status = True  # answers clients.PATHS with the statuses written there
    methods = clients.METHODS

    def __init__(self, case, cgroup=None, host="127.0.0.1", netns=None, **knobs):
        harness.need(*self.programs)
        self.case = case
        self.cgroup = cgroup or case.cgroup()
        self.host = host
        self.port = harness.free_port()
        self.dir = case.scratch(type(self).__name__.lower())
        self.dir.mkdir()
        self.dir.chmod(0o777)
        (self.dir / "www").mkdir()
        self.knobs = knobs
        argv, env = self.command()
        self.process = case.spawn(argv, cgroup=self.cgroup, netns=netns, env=env, cwd=self.dir)
        if netns:
            harness.wait_for(
                "the server to listen",
                lambda: harness.run(
                    ["ip", "netns", "exec", netns, "ss", "-Hltn", f"sport = :{self.port}"]
                ).stdout,
            )
        else:
            self.process.wait_listening(self.port)

    def command(self):
        raise NotImplementedError

    def config(self, name, **more):
        """A config of tests/servers with its $NAMES filled in."""
        bracket = f"[{self.host}]" if ":" in self.host else self.host
        text = string.Template((harness.SERVERS / name).read_text()).safe_substitute(
            DIR=self.dir, PORT=self.port, HOST=bracket, **{**self.knobs, **more}
        )
        path = self.dir / name
        path.write_text(text)
        return path

    def www(self, name, size):
        """A file of that size to serve; sparse."""
        path = self.dir / "www" / name
        with open(path, "wb") as f:
            f.truncate(size)
        path.chmod(0o644)

    def parse(self, line):
        """Common form of a line: the request line as it came, a space, the status."""
        request, status = line.rsplit(" ", 1)
        words = request.strip('"').split(" ")
        return words[0], words[1] if len(words) > 1 else "", status

    def log_text(self):
        path = self.dir / self.log_name
        return path.read_text(errors="replace") if path.exists() else ""

    def log(self):
        text = self.log_text()
        entries = [self.parse(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [entry for entry in entries if entry and entry[1] != SENTINEL]

    def wait_log(self, total, seconds=10):
        """The log, once it holds at least that many requests."""
        harness.wait_for(
            f"{total} lines in {self.dir}/{self.log_name}",
            lambda: len(self.log()) >= total,
            seconds,
            pause=0.05,
        )
        return self.log()

    def expected(self, total=None):
        """What must have been counted: the log as a Counter of (method, route, status)."""
        entries = self.log() if total is None else self.wait_log(total)
        return collections.Counter(
            (clients.label_of(method), clients.route_of(target), status)
            for method, target, status in entries
        )

    def stop(self):
        self.process.stop()


class Nginx(Server):
    programs = ("nginx",)

    def command(self):
        self.knobs.setdefault("WORKERS", 2)
        self.knobs.setdefault("HTTP2", "")  # "http2": no HTTP/1 on this port then
        self.knobs.setdefault("EXTRA_LISTEN", "")
        return [
            "nginx",
            "-p",
            self.dir,
            "-e",
            self.dir / "error.log",
            "-c",
            self.config("nginx.conf"),
        ], {}


class Apache(Server):
    """Debian's httpd as it comes: mpm_event, and TCP_DEFER_ACCEPT on its listener."""

    programs = ("apache2",)

    def command(self):
        if self.knobs.get("HTTP2"):
            module = "LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so"
            self.knobs["HTTP2"] = f"{module}\nProtocols h2c http/1.1"
        else:
            self.knobs["HTTP2"] = ""
        return ["apache2", "-DFOREGROUND", "-d", self.dir, "-f", self.config("apache.conf")], {}

    def stop(self):
        self.process.stop(signal.SIGTERM)


class Lighttpd(Server):
    """Its access log is written in large pieces: log() asks for it by SIGHUP."""

    programs = ("lighttpd",)
    exact_status = False
    methods = [m for m in clients.METHODS if m != "BREW"]  # logged without a name

    def command(self):
        # What is answered with 404 has to earn its route.
        for name in ("hello", "sentinel", "made", "empty"):
            self.www(name, 6)
        (self.dir / "www" / "api").mkdir()
        self.www("api/hello.world", 6)
        family = "enable" if ":" in self.host else "disable"
        return ["lighttpd", "-D", "-f", self.config("lighttpd.conf", IPV6=family)], {}

    def log(self):
        self.process.send(signal.SIGHUP)
        return super().log()


class Haproxy(Server):
    """In front of the server whose port is the knob BACKEND."""

    programs = ("haproxy",)

    def command(self):
        self.knobs.setdefault("MODE", "http-keep-alive")
        self.knobs.setdefault("REUSE", "always")
        self.knobs.setdefault("PROTO", "")  # "proto h2": on either side
        return ["haproxy", "-db", "-f", self.config("haproxy.cfg")], {}

    def log_text(self):
        lines = (line for line in self.process.text().splitlines(True) if line.startswith("log "))
        return "".join(line[4:] for line in lines)

    def parse(self, line):
        """Of HTTP/2, it logs whole URLs."""
        method, target, status = super().parse(line)
        return method, target.removeprefix(f"http://{self.host}:{self.port}"), status


class Caddy(Server):
    programs = ("caddy",)

    def command(self):
        more = "servers {\n\t\tprotocols h1 h2c\n\t}" if self.knobs.get("HTTP2") else ""
        config = self.config("Caddyfile", SERVERS=more)
        return ["caddy", "run", "--adapter", "caddyfile", "--config", config], {
            "HOME": str(self.dir),
            "XDG_DATA_HOME": str(self.dir),
            "XDG_CONFIG_HOME": str(self.dir),
        }

    def parse(self, line):
        entry = json.loads(line)
        if "request" not in entry:
            return None
        request = entry["request"]
        return request["method"], request["uri"], str(entry["status"])


class Fixture(Server):
    """The servers of tests/servers: HOST PORT LOG on their command line."""

    argv = ()

    def command(self):
        return [
            *self.argv,
            self.host,
            self.port,
            self.dir / self.log_name,
            *self.knobs.get("args", ()),
        ], {}


class Nghttpd(Server):
    """HTTP/2 only, files only, and no log: its clients tell what it answered."""

    programs = ("nghttpd",)

    def command(self):
        for name in ("hello", "users/1842", "users/7"):
            path = self.dir / "www" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("hello\n")
        argv = ["nghttpd", "--no-tls", "-a", self.host, "-d", self.dir / "www"]
        return [*argv, *self.knobs.get("args", ()), self.port], {}


class PythonHttp(Fixture):
    """ThreadingHTTPServer of the standard library; knob args=["HTTP/1.0"] for the old version."""

    argv = ("python3", harness.SERVERS / "pyhttp.py")


class Node(Fixture):
    programs = ("node",)
    argv = ("node", harness.SERVERS / "nodehttp.js")


class Scripted(Fixture):
    """Our own: does, byte by byte, what a path tells it to. See tests/servers/scripted.py."""

    argv = ("python3", harness.SERVERS / "scripted.py")


class Proxied(Fixture):
    """Our own: wants a PROXY header first. See tests/servers/proxied.py."""

    argv = ("python3", harness.SERVERS / "proxied.py")


class Go(Fixture):
    """
    net/http, built by the go of the distribution, or of the knob goroot; the knob build has options
    for it.
    """

    programs = ("go",)

    def command(self):
        options, goroot = self.knobs.get("build", ()), self.knobs.get("goroot")
        self.argv = (builds.build_go("gohttp.go", options, goroot),)
        return super().command()
