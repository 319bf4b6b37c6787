#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Sockets whose traffic does not pass the hooks of the cgroup that is watched:
made in another cgroup, in a BPF sockmap, or without hooks at all. They are
captured where that costs nobody else anything; else they are said and counted.
"""
import json
import os
import pathlib
import signal
import socket

import clients
import harness
import servers
from observer import Sidelight, links_of
from test_capabilities import NEEDED, having

SERVE = """
import http.server, socket
listener = socket.socket(fileno=3)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
server.socket.close()
server.socket = listener
print("serving", flush=True)
server.serve_forever()
"""
# A listener as a service manager makes it: the cgroup of its maker, which is gone.
MAKE = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
os.setuid(int(sys.argv[4]))
os.execvp("python3", ["python3", "-c", sys.argv[3]])
"""
# Takes a connection from its starter, over the socket that is its standard input.
TAKE = """
import socket
bus = socket.socket(fileno=0)
_, fds, _, _ = socket.recv_fds(bus, 1, 1)
connection = socket.socket(fileno=fds[0])
print("serving", flush=True)
while connection.recv(65536):
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
# Requests on one connection, one for each line of its standard input.
ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for line in sys.stdin:
    connection.request("GET", "/hello")
    connection.getresponse().read()
    print("answered", flush=True)
"""
UNSEEN = "sidelight_unseen_sockets"
NOBODY = 65534


def move(pids, group):
    for pid in pids:
        (group.path / "cgroup.procs").write_text(str(pid))


class Case(harness.Case):
    def unseen(self, sidelight, reason, ask=None, count=1):
        """The page once that many sockets are unseen for this reason."""

        def event():
            if ask:
                ask()
            page = sidelight.latest_page()
            return page.sum(UNSEEN, reason=reason) >= count and page

        try:
            return harness.wait_for(f"{count} unseen sockets", event, seconds=25, pause=0.1)
        except AssertionError:
            self.fail(f"{sidelight.latest_page().text}\n{sidelight.process.text()}")


class Elsewhere(Case):
    def serve_inherited(self, made_in=None, uid=0):
        """A server whose listener was made in our own cgroup, or that one; its cgroup and port."""
        group, port = self.cgroup(), harness.free_port()
        server = self.spawn(["python3", "-c", MAKE, group, port, SERVE, uid], cgroup=made_in)
        harness.wait_for("the server", lambda: "serving" in server.text() or not server.is_running())
        self.assertTrue(server.is_running(), server.text())
        return server, group, port

    def test_an_inherited_listener_of_a_cgroup_in_use(self):
        server, group, port = self.serve_inherited()
        sidelight = Sidelight(self, "--pid", str(server.pid))
        for _ in range(10):
            clients.get(port, "/hello")
        page = self.unseen(sidelight, "other_cgroup")
        self.assertEqual(page.requests().total(), 0)
        self.assertGreaterEqual(page.sum(f"{UNSEEN}_found_total", reason="other_cgroup"), 1)
        said = [l for l in sidelight.process.text().splitlines() if "this traffic is not seen" in l]
        self.assertEqual(len(said), 1, sidelight.process.text())
        self.assertIn(f"process {server.pid} (python3) of {group.path.name} has the listener "
                      f"127.0.0.1:{port} of ", said[0])
        server.stop(signal.SIGKILL)
        harness.wait_for("no unseen socket", lambda: sidelight.latest_page().sum(UNSEEN) == 0, 25)

    def test_a_process_of_another_user(self):
        server, _, port = self.serve_inherited(uid=NOBODY)
        sidelight = Sidelight(self, "--pid", str(server.pid))
        clients.get(port, "/hello")
        self.unseen(sidelight, "other_cgroup")
        # The first look is before capabilities that are not needed are given up.
        page = harness.wait_for("more looks", lambda: (page := sidelight.latest_page()).sum(
            "sidelight_socket_looks_total") >= 3 and page, seconds=20)
        self.assertEqual(page.sum(UNSEEN, reason="other_cgroup"), 1)
        self.assertEqual(page.sum("sidelight_socket_looks_cut_total"), 0)

    def test_a_cgroup_without_programs_costs_no_list(self):
        """The kernel walks its table of all connections for one, which costs the whole node."""
        harness.need("strace")

        def lists(log):
            return log.read_text().count("type=TCPDIAG_GETSOCK")

        def traced(cgroup, name):
            log = self.scratch(name)
            Sidelight(self, cgroup=cgroup, before=["strace", "-D", "-f", "-e", "trace=sendto", "-o", log])
            return log

        idle = traced(self.cgroup(), "idle")
        busy = traced(servers.Nginx(self).cgroup, "busy")
        harness.wait_for("two looks", lambda: lists(busy) >= 2)
        self.assertEqual(lists(idle), 0)

    def test_a_process_that_may_not_be_looked_at(self):
        """Without the capability, as in a Pod: looks that did not see all are counted."""
        server, group, port = self.serve_inherited(uid=NOBODY)
        sidelight = Sidelight(self, cgroup=group, before=having([*NEEDED, "sys_ptrace"]))
        clients.get(port, "/hello")
        harness.wait_for("a look", lambda: sidelight.latest_page().sum(
            "sidelight_socket_looks_cut_total") >= 1, seconds=20)

    def test_a_listener_of_a_socket_unit(self):
        """Made in a cgroup that nobody is in any more: watching that costs nobody anything."""
        unit = self.cgroup()
        server, group, port = self.serve_inherited(made_in=unit)
        self.assertEqual(unit.pids(), [])
        sidelight = Sidelight(self, cgroup=group)
        expected = {("GET", "/hello", "200"): 10}
        for _ in range(10):
            clients.get(port, "/hello")
        page = sidelight.assert_counted(expected, port)
        self.assertEqual(page.sum(UNSEEN), 0)
        self.assertEqual(page.sum("sidelight_watched_cgroups"), 1)
        self.assertIn(f"watching cgroup {unit}, too", sidelight.process.text())
        self.assertEqual({h["container"] for h, _ in page.each("sidelight_segments_total")},
                         {group.path.name})

    def test_processes_that_were_moved(self):
        old, new = self.cgroup(), self.cgroup()
        nginx = servers.Nginx(self, cgroup=old)
        move(old.pids(), new)
        sidelight = Sidelight(self, "--pid", str(nginx.process.pid))
        clients.send_plan(nginx.port, [("GET", "/hello")] * 10)
        sidelight.assert_counted(nginx.expected(10), nginx.port)
        # It is not for us alone any more once somebody else is there.
        self.assertEqual(len(links_of(old)), 3)
        self.spawn(["sleep", "60"], cgroup=old)
        page = self.unseen(sidelight, "other_cgroup")
        self.assertEqual(links_of(old), {})
        self.assertEqual(page.requests().total(), 10)
        self.assertIn(f"cgroup {old}, in which listeners of {new.path.name} were made, is used by "
                      "others now", sidelight.process.text())

    def test_moved_out_of_a_cgroup_with_others(self):
        old, new = self.cgroup(), self.cgroup()
        self.spawn(["sleep", "60"], cgroup=old)
        nginx = servers.Nginx(self, cgroup=old)
        move((pid for pid in old.pids() if pathlib.Path(f"/proc/{pid}/comm").read_text() == "nginx\n"),
             new)
        sidelight = Sidelight(self, cgroup=new)
        clients.send_plan(nginx.port, [("GET", "/hello")] * 10)
        page = self.unseen(sidelight, "other_cgroup")
        self.assertEqual((page.requests().total(), links_of(old)), (0, {}))
        self.assertIn(f"of cgroup {old}: a socket stays in the cgroup where it was made",
                      sidelight.process.text())

    def test_a_listener_that_another_target_shares(self):
        """Two services that were moved out of one cgroup: none may see the other's requests."""
        old, ours, theirs = self.cgroup(), self.cgroup(), self.cgroup()
        nginx, other = servers.Nginx(self, cgroup=old), servers.Nginx(self, cgroup=old)
        family = lambda s: [pid for pid in old.pids()
                            if pid == s.process.pid or f"\nPPid:\t{s.process.pid}\n" in
                            pathlib.Path(f"/proc/{pid}/status").read_text()]
        move(family(nginx), ours)
        move(family(other), theirs)
        self.assertEqual(old.pids(), [])
        sidelight = Sidelight(self, cgroup=ours)
        self.unseen(sidelight, "other_cgroup")
        self.assertEqual(links_of(old), {})

    def test_a_cgroup_in_which_another_has_a_connection(self):
        """The one that was moved out of it elsewhere; it is not ours to look at."""
        old, ours, theirs = self.cgroup(), self.cgroup(), self.cgroup()
        nginx = servers.Nginx(self, cgroup=old)
        move(old.pids(), ours)
        peer = self.own(socket.create_server(("127.0.0.1", 0)))
        other = self.spawn(["python3", "-c", "import socket, sys, time\n"
                            "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                            "time.sleep(60)", peer.getsockname()[1]], cgroup=old)
        self.own(peer.accept()[0])
        move([other.pid], theirs)
        self.assertEqual(old.pids(), [])
        sidelight = Sidelight(self, "--pid", str(nginx.process.pid))
        self.unseen(sidelight, "other_cgroup")
        self.assertEqual(links_of(old), {})

    def test_the_advice_for_a_process_in_the_root_cgroup(self):
        """To move it would leave its sockets behind: it says so, and a run on what was moved, too."""
        root = harness.cgroup2_root()
        while (root / ".." / "cgroup.procs").exists():
            root = (root / "..").resolve()
        if (root / "cgroup.events").exists():
            self.skipTest("the root cgroup is not mounted here")
        port, group = harness.free_port(), self.cgroup()
        server = self.spawn(["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port,
                             self.scratch("log")], cgroup=root)
        server.wait_listening(port)
        run = self.spawn([harness.BINARY, "run", "--pid", server.pid])
        self.assertEqual(run.wait(), 2)
        self.assertIn("start it in one of its own", run.text())
        self.assertIn("sockets that it has stay in the root cgroup", run.text())
        move([server.pid], group)
        sidelight = Sidelight(self, "--pid", str(server.pid))
        self.unseen(sidelight, "other_cgroup")
        self.assertIn(f"has the listener 127.0.0.1:{port} of the root cgroup",
                      sidelight.process.text())
        listeners = self.doctor("listeners where made")
        self.assertEqual(listeners["state"], "no")
        self.assertIn("of process ", listeners["found"])

    def doctor(self, check):
        done = harness.run([harness.BINARY, "doctor", "--format", "json"], check=False)
        return next(row for row in json.loads(done.stdout) if row["check"] == check)

    def test_a_connection_that_was_passed_on(self):
        group = self.cgroup()
        ours, theirs = socket.socketpair()
        listener = self.own(socket.create_server(("127.0.0.1", 0)))
        client = self.own(socket.create_connection(listener.getsockname()))
        server = self.spawn(["python3", "-c", TAKE], cgroup=group, stdin=self.own(theirs))
        accepted = listener.accept()[0]
        socket.send_fds(self.own(ours), [b"x"], [accepted.fileno()])
        accepted.close()
        harness.wait_for("the server", lambda: "serving" in server.text())
        sidelight = Sidelight(self, cgroup=group)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"200 OK", client.recv(4096))
        self.unseen(sidelight, "other_cgroup")
        self.assertIn("has the connection 127.0.0.1:", sidelight.process.text())

    def test_of_another_network_namespace(self):
        harness.need("unshare")
        group = self.cgroup()
        argv = ["unshare", "-n", "sh", "-c",
                'ip link set lo up && exec python3 -c "$0" "$@"', MAKE, group, 8080, SERVE, 0]
        server = self.spawn(argv)
        harness.wait_for("the server", lambda: "serving" in server.text())
        sidelight = Sidelight(self, cgroup=group)
        self.unseen(sidelight, "other_cgroup")
        self.assertIn("has the listener 127.0.0.1:8080 of ", sidelight.process.text())

    def test_nothing_is_said_of_others(self):
        nginx = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=nginx.cgroup)
        clients.send_plan(nginx.port, [("GET", "/hello")] * 10)
        with socket.create_connection(("127.0.0.1", nginx.port)):
            harness.wait_for("several looks", lambda: sidelight.latest_page().sum(
                "sidelight_socket_looks_total") >= 4, seconds=20)
        page = sidelight.scrape()
        self.assertEqual((page.sum(UNSEEN), page.sum("sidelight_socket_looks_cut_total")), (0, 0))
        self.assertNotIn("not seen", sidelight.process.text())

    def test_without_hooks(self):
        """Somebody has taken our programs off: data flows, and no segment is seen."""
        nginx = servers.Nginx(self)
        client = self.own(socket.create_connection(("127.0.0.1", nginx.port)))
        sidelight = Sidelight(self, cgroup=nginx.cgroup)
        for link in links_of(nginx.cgroup):
            harness.run(["bpftool", "link", "detach", "id", link])

        def ask():
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(4096)

        self.unseen(sidelight, "no_segment", ask)
        self.assertIn(f"connection 127.0.0.1:{nginx.port} (with port {client.getsockname()[1]} of "
                      "its peer)", sidelight.process.text())


class Sockmap(Case):
    def load(self, *defines):
        """A cgroup all of whose connections are in a sockmap."""
        harness.need("clang", "bpftool")
        group, pins, program = self.cgroup(), self.scratch("bpf"), self.scratch("sockmap.o")
        pins.mkdir()
        harness.run(["clang", "-O2", "-g", "-target", "bpf", *defines,
                     f"-I/usr/include/{os.uname().machine}-linux-gnu", "-c",
                     pathlib.Path(__file__).with_name("sockmap.bpf.c"), "-o", program])
        harness.run(["mount", "-t", "bpf", "bpf", pins])
        self.stack.callback(harness.run, ["umount", pins])
        harness.run(["bpftool", "prog", "loadall", program, pins / "p", "pinmaps", pins / "m"])
        harness.run(["bpftool", "prog", "attach", "pinned", pins / "p/redirect", "msg_verdict",
                     "pinned", pins / "m/ends"])
        attachment = [group, "sock_ops", "pinned", pins / "p/add"]
        harness.run(["bpftool", "cgroup", "attach", *attachment, "multi"])
        self.stack.callback(harness.run, ["bpftool", "cgroup", "detach", *attachment], check=False)
        return group

    def converse(self, group, sidelight_first=True):
        """A server, and a client that asks it once more whenever the function is called."""
        port = harness.free_port()
        server = self.spawn(["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port,
                             self.scratch("log")], cgroup=group)
        server.wait_listening(port)
        sidelight = Sidelight(self, cgroup=group)
        there, here = os.pipe()
        client = self.spawn(["python3", "-c", ASK, port], cgroup=group, stdin=there)
        os.close(there)
        self.own(pipe := os.fdopen(here, "wb", 0))
        asked = []

        def ask():
            pipe.write(b"\n")
            asked.append(1)
            harness.wait_for("an answer", lambda: client.text().count("answered") == len(asked))

        return sidelight, ask, asked

    def test_redirected_past_the_hooks(self):
        sidelight, ask, asked = self.converse(self.load())
        page = self.unseen(sidelight, "sockmap", ask, count=2)
        self.assertGreater(len(asked), 0)
        self.assertEqual(page.requests().total(), 0)
        self.assertEqual(page.sum(f"{UNSEEN}_found_total", reason="sockmap"), 2)
        self.assertIn("is in a BPF sockmap, and nothing of it passes TCP", sidelight.process.text())

    def test_that_lets_all_pass(self):
        sidelight, ask, asked = self.converse(self.load("-DPASS"))
        harness.wait_for("several looks", lambda: ask() or sidelight.latest_page().sum(
            "sidelight_socket_looks_total") >= 4, seconds=20)
        page = sidelight.wait_counted(len(asked))
        self.assertEqual(page.requests().total(), len(asked))
        self.assertEqual(page.sum(UNSEEN), 0, sidelight.process.text())


if __name__ == "__main__":
    harness.main()
