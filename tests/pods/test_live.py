#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 240
"""
`trace` and `top` in real Pods: by exec in the sidecar, with exactly what it was injected with, and in
a container beside the others, as `kubectl sidelight` starts one where there is no sidecar.
"""
import collections
import json
import re

import podman  # noqa: F401: finds the modules of tests/e2e
import harness

import clients
import images
import world
from pod import InPod, Pod
from podman import Podman
from tracing import lines_of, seen

PLUGIN = harness.ROOT / "kustomize" / "kubectl-sidelight"
PLAN = [("GET", "/hello"), ("GET", "/missing"), ("GET", "/gateway")] * 20


def ephemeral_container():
    """The part of its manifest that the plugin writes, where the platform configures nothing."""
    text = re.search(r'custom\.json" <<EOF\n(.*?)\nEOF\n', PLUGIN.read_text(), re.S).group(1)
    for name, value in (("container", "web"), ("more_env", ""), ("more_capabilities", "")):
        text = text.replace(f"${name}", value)
    return json.loads(text)


class Live(harness.Case):
    def setUp(self):
        super().setUp()
        self.pods = Podman(self)
        self.pod = Pod(self, self.pods).wait_ready()
        self.sidecar = InPod(self.pod)

    def ask(self):
        web = clients.send_plan(self.pod.web_port, PLAN)
        clients.send_plan(self.pod.api_port, [("GET", "/hello")] * 5)
        return collections.Counter((m, t, str(s)) for m, t, s in web)

    def of(self, text):
        return collections.Counter(seen(lines_of(text)))

    def execute(self, *args):
        name = self.pod.container_name("sidelight")
        return self.pods("exec", name, "sidelight", *args).stdout

    def run_beside(self, *args):
        """Starts it, and returns its name once it watches."""
        spec = ephemeral_container()
        context = spec["securityContext"]
        name = f"{self.pod.name}-beside"
        environment = {e["name"]: e.get("value", "some") for e in spec["env"]}
        self.pods(
            "run", "-d", "--name", name, "--pod", self.pod.name,
            "--read-only" if context["readOnlyRootFilesystem"] else "--read-only=false",
            "--user", f"{context['runAsUser']}:{context['runAsGroup']}",
            "--security-opt=no-new-privileges",
            *(f"--cap-drop={c}" for c in context["capabilities"]["drop"]),
            *(f"--cap-add={c}" for c in context["capabilities"]["add"]),
            *(f"--env={k}={v}" for k, v in environment.items()),
            images.build(self.pods, "sidelight"), *args,
        )  # fmt: skip
        self.pod.wait("its capture", lambda: "watching container web" in self.output(name))
        return name

    def output(self, name):
        done = self.pods("logs", name, check=False)
        return done.stdout + done.stderr

    def test_by_exec(self):
        expected = self.ask()
        self.sidecar.settle(self.pod.web_port)
        past = self.execute(
            "trace", "--last=1h", "--format=ndjson", "--containers=web", "--route=/*"
        )
        self.assertEqual(self.of(past), expected)
        table = self.execute("top", "--once")
        self.assertIn("REQUESTS", table.upper())

    def test_beside_the_others(self):
        """The sidecar goes on counting; the other container sees what is asked from then on."""
        name = self.run_beside("trace", "--format=ndjson")
        expected = self.ask()

        def has_all():
            lines = "\n".join(x for x in self.output(name).splitlines() if x.startswith("{"))
            return self.of(lines) == expected

        self.pod.wait("each request", has_all)
        self.pods("stop", "-t", "10", name)
        state = self.pods.inspect("container", name)[0]["State"]
        self.assertEqual(state["ExitCode"], 0, self.output(name))
        self.sidecar.assert_counted(
            collections.Counter(
                {(clients.label_of(m), clients.route_of(t), s): n
                 for (m, t, s), n in expected.items()}
            ),
            self.pod.web_port,
            container="web",
        )


if __name__ == "__main__":
    world.enter(is_root=True)
    harness.main()
