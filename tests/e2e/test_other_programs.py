#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Programs of others at the hooks: one that shares its hook with nobody keeps us
away, with a reason; and one of a cgroup above is never switched off by ours.
"""
import json
import os
import socket

import clients
import harness
from observer import Sidelight, http_get, links_of

FIREWALL = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("cgroup_skb/ingress") int firewall(struct __sk_buff *skb)
{
	unsigned char protocol = 0;
	unsigned short port = 0;

	bpf_skb_load_bytes(skb, 9, &protocol, sizeof(protocol));
	bpf_skb_load_bytes(skb, 22, &port, sizeof(port));
	return !(protocol == 6 && port == __builtin_bswap16(PORT));
}
SEC("sockops") int onlooker(struct bpf_sock_ops *ctx) { return 1; }
"""


class Below:
    """A cgroup below one that a test owns, which removes it."""

    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True)

    def __str__(self):
        return str(self.path)

    @property
    def id(self):
        return self.path.stat().st_ino


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("clang", "bpftool")
        self.port = harness.free_port()
        self.pins = self.scratch("bpf")
        self.pins.mkdir()
        source, program = self.scratch("firewall.c"), self.scratch("firewall.o")
        source.write_text(FIREWALL)
        harness.run(["clang", "-O2", "-g", "-target", "bpf", f"-DPORT={self.port}",
                     f"-I/usr/include/{os.uname().machine}-linux-gnu", "-c", source, "-o", program])
        harness.run(["mount", "-t", "bpf", "bpf", self.pins])
        self.stack.callback(harness.run, ["umount", self.pins])
        harness.run(["bpftool", "prog", "loadall", program, self.pins / "p"])
        self.top = self.cgroup()
        self.app = Below(self.top.path / "app.service")

    def attach(self, cgroup, *flags, hook="ingress", name="firewall", check=True):
        words = [cgroup, hook, "pinned", self.pins / "p" / name]
        done = harness.run(["bpftool", "cgroup", "attach", *words, *flags], check=check)
        if done.returncode == 0:
            self.stack.callback(harness.run, ["bpftool", "cgroup", "detach", *words], check=False)
        return done.returncode == 0

    def refused(self, cgroup):
        """The one line of a run on that cgroup, which ends with status 2."""
        process = self.spawn([harness.BINARY, "run", "--cgroup", cgroup])
        self.assertEqual(process.wait(), 2, process.text())
        lines = process.text().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertEqual(links_of(cgroup), {})
        return lines[0]

    def serve(self, port):
        server = self.spawn(["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", port,
                             self.scratch("log")], cgroup=self.app)
        server.wait_listening(port)

    def passes(self, port):
        """Does a connection to the port get through?"""
        with socket.socket() as s:
            s.settimeout(0.5)
            return s.connect_ex(("127.0.0.1", port)) == 0


class Exclusive(Case):
    def test_of_the_cgroup_itself(self):
        for hook, name in (("ingress", "firewall"), ("sock_ops", "onlooker")):
            with self.subTest(hook):
                cgroup = self.cgroup()
                self.attach(cgroup, hook=hook, name=name)
                line = self.refused(cgroup)
                self.assertRegex(line, rf"cannot attach to cgroup {cgroup}: program \d+ \({name}\) "
                                       rf"holds the {hook} hook of it for itself alone")
                self.assertIn("Delegate=yes", line)

    def test_of_a_cgroup_above(self):
        self.attach(self.top)
        self.assertIn("holds the ingress hook of the cgroup 1 level above it for itself alone",
                      self.refused(self.app))

    def test_of_the_cgroup_that_comes_back(self):
        sidelight = Sidelight(self, cgroup=self.app)
        self.app.path.rmdir()
        harness.wait_for("its end", lambda: "has ended" in sidelight.process.text())
        self.attach(self.top, "override")
        self.app.path.mkdir()
        harness.wait_for("the refusal", lambda: "BPF_F_ALLOW_OVERRIDE" in sidelight.process.text())
        self.assertEqual(http_get(sidelight.port, "/readyz")[0], 503)

    def test_doctor(self):
        def row():
            done = harness.run([harness.BINARY, "doctor", "--format", "json"], check=False)
            return next(r for r in json.loads(done.stdout) if r["check"] == "hooks are shared")

        before = row()
        self.attach(self.app)
        after = row()
        self.assertNotEqual(before, after)
        self.assertEqual(after["state"], "no")
        if before["state"] == "yes":
            self.assertRegex(after["found"], rf"^{self.app.path} \(ingress: program \d+ firewall\)$")

    def test_we_are_first(self):
        """Then those that share with nobody are kept out, which is said."""
        sidelight = Sidelight(self, cgroup=self.app)
        self.assertFalse(self.attach(self.app, check=False))
        said = f"cgroup {self.app.path} takes only programs that share its hooks"
        harness.wait_for(said, lambda: said in sidelight.process.text())
        sidelight.stop()
        self.assertTrue(self.attach(self.app))


class Overridable(Case):
    def test_of_the_cgroup_itself(self):
        self.attach(self.app, "override")
        self.assertIn("is attached to it with BPF_F_ALLOW_OVERRIDE (ingress)", self.refused(self.app))

    def test_a_firewall_above_stays_shut(self):
        self.serve(self.port)
        self.attach(self.top, "override")
        self.assertFalse(self.passes(self.port))
        line = self.refused(self.app)
        self.assertIn("is attached to the cgroup 1 level above it with BPF_F_ALLOW_OVERRIDE", line)
        self.assertFalse(self.passes(self.port))

    def test_several_levels_above(self):
        self.attach(self.top, "override")
        self.assertIn("3 levels above it", self.refused(Below(self.app.path / "a" / "b")))

    def test_where_the_mount_does_not_show_it(self):
        """As in a container, which sees its own cgroup and none above."""
        self.serve(self.port)
        self.attach(self.top, "override")
        mounted = self.scratch("mounted")
        mounted.mkdir()
        harness.run(["mount", "--bind", self.app.path, mounted])
        self.stack.callback(harness.run, ["umount", mounted])
        process = self.spawn([harness.BINARY, "run", "--cgroup", mounted])
        self.assertEqual(process.wait(), 2)
        self.assertIn("that would switch off a program that somebody has attached above it",
                      process.text())
        self.assertEqual(links_of(self.app), {})
        self.assertFalse(self.passes(self.port))

    def test_a_firewall_that_comes_later(self):
        """Attached above while we run, it would be switched off by ours: they go."""
        self.serve(self.port)
        sidelight = Sidelight(self, cgroup=self.app)
        self.attach(self.top, "override")
        harness.wait_for("the firewall to work", lambda: not self.passes(self.port), seconds=25)
        harness.wait_for("a word", lambda: "is not watched any more: program" in
                         sidelight.process.text())
        self.assertEqual(http_get(sidelight.port, "/readyz")[0], 503)

    def test_one_that_another_program_has_switched_off(self):
        """Ours changes nothing then."""
        self.attach(self.top, "override")
        self.attach(self.app, "multi", hook="ingress")
        self.attach(self.app, "multi", hook="sock_ops", name="onlooker")
        harness.run([harness.BINARY, "run", "--for", "0.2", "--cgroup", self.app])


class Shared(Case):
    def test_a_firewall_above_goes_on(self):
        other = harness.free_port()
        self.serve(self.port)
        self.serve(other)
        self.attach(self.top, "multi")
        sidelight = Sidelight(self, cgroup=self.app)
        self.assertFalse(self.passes(self.port))
        clients.send_plan(other, [("GET", "/hello")] * 5)
        page = sidelight.assert_counted({("GET", "/hello", "200"): 5}, other)
        self.assertEqual(page.sum("sidelight_watched_cgroups"), 1)


if __name__ == "__main__":
    harness.main()
