# SPDX-License-Identifier: Apache-2.0
"""
Two network namespaces with something bad between them.

Veth: a cable on which iptables drops what arrives. Shim: two TUN devices and
a process (tests/servers/shim.py) that drops, doubles, delays and reorders
packets as a seed says.
"""
import json
import os
import subprocess

import harness

CLIENT, SERVER = "10.213.0.1", "10.213.0.2"


class Namespaces:
    def __init__(self, case):
        harness.need("ip")
        self.names = [f"sidelight-e2e-{os.getpid()}-{harness.next_number()}" for _ in range(2)]
        case.own(self)
        for name in self.names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
                raise harness.unittest.SkipTest("network namespaces cannot be made here")
            self.ip(name, "link", "set", "lo", "up")
        self.client, self.server = self.names

    def ip(self, name, *args):
        harness.run(["ip", "-n", name, *args])

    def inside(self, name, *argv, **more):
        return harness.run(["ip", "netns", "exec", name, *argv], **more)

    def close(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def ask(self, port, *options):
        """For observer.settle(): a request from the client's namespace; options are curl's."""
        return lambda target: self.inside(
            self.client,
            "curl",
            "-qs",
            "-m",
            "20",
            "-o",
            "/dev/null",
            *options,
            f"http://{SERVER}:{port}{target}",
        )

    def send_plans(
        self, port, seed, connections, count, seconds=90, paths=None, scheme="http"
    ):
        """That many connections at once, each with a plan of its own; returns all results."""
        done = self.inside(
            self.client,
            "python3",
            harness.ROOT / "tests" / "e2e" / "clients.py",
            scheme,
            SERVER,
            port,
            seed,
            connections,
            count,
            *(paths or ()),
            seconds=seconds,
        )
        return [tuple(entry) for entry in json.loads(done.stdout)]


class Veth(Namespaces):
    """drop(share) makes either side lose that share of what it receives."""

    def __init__(self, case):
        super().__init__(case)
        harness.run(
            [
                "ip",
                "link",
                "add",
                "e0",
                "netns",
                self.client,
                "type",
                "veth",
                "peer",
                "name",
                "e0",
                "netns",
                self.server,
            ]
        )
        for name, address in ((self.client, CLIENT), (self.server, SERVER)):
            self.ip(name, "addr", "add", f"{address}/24", "dev", "e0")
            self.ip(name, "link", "set", "e0", "up")

    def drop(self, share):
        self.drop_where(self.names, "random", "--probability", str(share))

    def drop_one(self, name, place):
        """Of the packets that reach that side from now on, counted from 0."""
        self.drop_where([name], "nth", "--every", str(1 << 30), "--packet", str(place))

    @staticmethod
    def drop_where(names, *mode):
        rule = "-t mangle -A PREROUTING -i e0 -m statistic --mode".split()
        for tool in ("iptables", "iptables-nft", "iptables-legacy"):
            if all(
                subprocess.run(
                    ["ip", "netns", "exec", name, tool, *rule, *mode, "-j", "DROP"],
                    capture_output=True,
                ).returncode
                == 0
                for name in names
            ):
                return
        raise harness.unittest.SkipTest(f"iptables cannot drop packets by {mode[0]} here")


class Shim(Namespaces):
    def __init__(self, case, seed, drop, double, delay):
        super().__init__(case)
        if not os.path.exists("/dev/net/tun"):
            raise harness.unittest.SkipTest("no /dev/net/tun")
        self.process = case.spawn(
            ["python3", harness.SERVERS / "shim.py", seed, drop, double, delay, *self.names]
        )
        harness.wait_for(
            "the shim", lambda: "ready" in self.process.text() or not self.process.is_running()
        )
        case.assertTrue(self.process.is_running(), self.process.text())
        for name, address in ((self.client, CLIENT), (self.server, SERVER)):
            self.ip(name, "addr", "add", f"{address}/24", "dev", "tun0")
            self.ip(name, "link", "set", "tun0", "up", "mtu", "1400")
