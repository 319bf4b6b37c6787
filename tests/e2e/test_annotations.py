#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The downward API volume, as the kubelet writes it: annotations are followed while sidelight runs,
labels become those of the series.
"""
import clients
import gateway
import harness
import servers
from clients import Wire, request_bytes
from observer import Sidelight

SHOES = "/shop/red-shoes/size-8"


class Podinfo(harness.Case):
    def setUp(self):
        super().setUp()
        self.podinfo = self.scratch("podinfo")
        self.podinfo.mkdir()
        self.server = servers.Nginx(self)

    def write(self, name, *lines):
        """A new version by a rename, as the kubelet does."""
        new = self.podinfo / f"{name}.new"
        new.write_text("".join(line + "\n" for line in lines))
        new.rename(self.podinfo / name)

    def annotate(self, **values):
        self.write("annotations", *(f'sidelight.dev/{k.replace("_", "-")}="{v}"'
                                    for k, v in values.items()))

    def observe(self, *args):
        self.sidelight = Sidelight(self, "--podinfo", self.podinfo, *args,
                                   cgroup=self.server.cgroup)

    def wait_says(self, text):
        harness.wait_for(text, lambda: text in self.sidelight.process.text())


class Annotations(Podinfo):
    def ask(self, wire, count):
        for _ in range(count):
            wire.send(request_bytes("GET", SHOES))
            self.assertEqual(wire.response()[0], 200)

    def counted(self):
        found = self.sidelight.settle(self.server.port).requests()
        return {route: count for (_, route, _), count in found.items()}

    def test_routes(self):
        """Of a connection that goes on; what cannot be a list of routes changes nothing."""
        self.annotate(routes="/shop/{what}/*")
        self.observe()
        wire = self.own(Wire(self.server.port))
        self.ask(wire, 2)
        self.assertEqual(self.counted(), {"/shop/{what}/*": 2})
        self.annotate(routes="/shop/{colour}/{size}")
        self.wait_says("routes are now /shop/{colour}/{size}")
        self.ask(wire, 3)
        self.assertEqual(self.counted(), {"/shop/{what}/*": 2, "/shop/{colour}/{size}": 3})
        self.annotate(routes="shop")
        self.wait_says("annotation sidelight.dev/routes: ")
        self.ask(wire, 4)
        self.assertEqual(self.counted(), {"/shop/{what}/*": 2, "/shop/{colour}/{size}": 7})
        self.annotate()
        self.wait_says("routes are now automatic")
        self.ask(wire, 5)
        self.assertEqual(self.counted(), {"/shop/{what}/*": 2, "/shop/{colour}/{size}": 7, SHOES: 5})

    def test_push_interval(self):
        pushed = gateway.Pushgateway(self)
        self.observe("--push", pushed.url)

        def pushes():
            return self.sidelight.scrape().sum("sidelight_pushes_total", result="ok")

        harness.wait_for("the first push", pushes, 20)
        self.annotate(push_interval="3600")
        self.wait_says("the push interval is now 3600.0 s")
        self.annotate(push_interval="100ms")
        self.wait_says("the push interval is now 0.1 s")
        before = pushes()
        harness.wait_for("five more", lambda: pushes() >= before + 5)

    def test_log_level(self):
        self.annotate(log_level="loud")
        self.observe()
        self.wait_says('sidelight.dev/log-level: "loud" is not one of')
        self.annotate(log_level="debug")
        self.wait_says("the log level has changed")
        before = len(self.sidelight.process.text())
        with Wire(self.server.port) as wire:
            self.ask(wire, 1)
        harness.wait_for("a word about the connection",
                         lambda: len(self.sidelight.process.text()) > before)
        self.write("annotations", "no annotation", 'sidelight.dev/log-level="info"')
        self.wait_says("annotations: 1 lines are no annotations")


class Labels(Podinfo):
    def labels(self, *names):
        """Of these names, what a series has."""
        have, _ = next(self.sidelight.scrape().each("sidelight_connections_open"))
        return {name: have[name] for name in names if name in have}

    def test_of_the_pod(self):
        """A name that no label may have is changed; of two that become one, the first has it."""
        self.write("labels", 'app="shop"', 'a-b="first"', 'a.b="second"', 'other="unwanted"',
                   'empty=""')
        self.observe("--pod-labels", "app, a-b,a.b,empty,absent")
        self.assertEqual(
            self.labels("label_app", "label_a_b", "label_other", "label_empty", "label_absent"),
            {"label_app": "shop", "label_a_b": "first"},
        )

    def refused(self, *args):
        process = self.spawn([harness.BINARY, "run", "--cgroup", self.server.cgroup,
                              "--podinfo", self.podinfo, *args])
        self.assertEqual(process.wait(), 2)
        return process.text()

    def test_what_cannot_be(self):
        self.assertIn("/labels (No such file or directory); mount a downward API volume there",
                      self.refused("--pod-labels", "app"))
        many = ",".join(f"l{i}" for i in range(100))
        self.assertRegex(self.refused("--pod-labels", many), r"more than \d+ labels")


if __name__ == "__main__":
    harness.main()
