#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`kubectl sidelight ui`: the links that it prints, and what it ends. The stand-in for the API server
neither executes nor forwards: in place of these two commands another program writes what kubectl
would.
"""
import os
import signal

import harness
import test_kubectl
from test_kubectl import running

LINK = "http://127.0.0.1:41000/?token="


def setUpModule():
    test_kubectl.setUpModule()


class Ui(test_kubectl.Plugged):
    def ui(self, obj, *args):
        """
        The plugin, with what it prints and the words that two commands got which the stand-in for
        the API server does not know: they write what kubectl would, and go on.
        """
        self.start(obj)
        tools, calls = self.home / "bin", self.home / "calls"
        os.rename(tools / "kubectl", tools / "real-kubectl")
        (tools / "kubectl").write_text(f"""#!/bin/sh
            case " $* " in
            *" port-forward "*)
                echo "$$ $*" >>{calls}
                echo "Forwarding from 127.0.0.1:4242 -> 41000"
                exec sleep 300 ;;
            *" exec "*)
                echo "$$ $*" >>{calls}
                echo "sidelight: each link opens the page in one browser"
                echo "{LINK}1"
                until [ -e {self.home}/opened ]; do sleep 0.05; done
                echo "{LINK}2"
                exec sleep 300 ;;
            esac
            exec {tools}/real-kubectl "$@"
            """)
        (tools / "kubectl").chmod(0o755)
        self.api.states = ({"running": {"startedAt": "2026-01-02T03:04:05Z"}},) * 9
        self.api.output = f"sidelight: watches app\n{LINK}1\n"
        process = self.spawn(["kubectl", "sidelight", "ui", "web-0", *args], env=self.environment)
        harness.wait_for("the link", lambda: "http://127.0.0.1:4242/?token=1\n" in process.text()
                         or not process.is_running())
        self.assertIn("http://127.0.0.1:4242/?token=1\n", process.text())
        self.assertNotIn("41000", process.text())
        return process, [line.split(" ", 1) for line in calls.read_text().splitlines()]

    def assert_ended(self, process, calls):
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), 130)
        harness.wait_for("the end of what it started",
                         lambda: not any(harness.is_alive(pid) for pid, _ in calls))
        self.assertEqual(list(self.home.glob("tmp.*")), [], "left behind")

    def test_ui_of_a_sidecar(self):
        """Its links, with the port here in place of that in the Pod."""
        injected = running({"sidelight.dev/status": "injected"},
                           initContainers=[{"name": "sidelight", "image": "s:1"}])
        process, calls = self.ui(injected, "-n", "shop", "--", "--for", "1h")
        self.assertEqual([words for _, words in calls], [
            "exec pod/web-0 -c sidelight -n shop -- sidelight ui --idle 5m --for 1h",
            "-n shop port-forward --address 127.0.0.1 pod/web-0 :41000"])
        (self.home / "opened").touch()
        harness.wait_for("the next link", lambda: ":4242/?token=2\n" in process.text())
        self.assertIn("opens the page in one browser", process.text())
        self.assertEqual(self.api.told(), [])
        self.assert_ended(process, calls)

    def test_ui_in_an_ephemeral_container(self):
        process, calls = self.ui(None, "--port", "4242")
        self.assertEqual([words for _, words in calls],
                         ["port-forward --address 127.0.0.1 pod/web-0 4242:41000"])
        self.assertEqual([one["args"] for one in self.api.told()], [["ui", "--idle", "5m"]])
        self.assertEqual(self.denied(), [], "by the guard")
        self.assertIn("watches app", process.text())

    def test_ui_that_cannot_forward(self):
        """By the real kubectl: the stand-in refuses to."""
        self.start()
        self.api.output = f"{LINK}1\n"
        done = self.sidelight("ui", "web-0")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("cannot forward a port", done.stderr)
        self.assertTrue(any("/web-0/portforward" in path for _, path, _ in self.api.requests))


if __name__ == "__main__":
    harness.main()
