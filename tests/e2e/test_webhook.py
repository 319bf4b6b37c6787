#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Reviews of Pods as an API server sends them, over TLS. Patches
are applied by an implementation that is not ours, and what comes out is
checked against Kubernetes' schema.
"""
import copy

import kubernetes
from admission import Server, pod, template, workload
from harness import Case, main


def setUpModule():
    kubernetes.install()


def after(server, obj, **more):
    """The object as the API server has it after the review."""
    answer = server.review(obj, **more)
    return kubernetes.patched([(obj, answer.patch)])[0], answer


def injected(obj):
    """The container, wherever it is; None if there is none."""
    spec = obj["spec"]
    for container in spec.get("initContainers", []) + spec["containers"]:
        if container["name"] == "sidelight":
            return container
    return None


def environment(obj):
    return {e["name"]: e.get("value") for e in injected(obj)["env"]}


def without_injection(obj):
    """What is left when everything that is ours is taken out again."""
    obj = copy.deepcopy(obj)
    spec = obj["spec"]
    obj["metadata"]["annotations"].pop("sidelight.dev/status", None)
    for name, keys in (("initContainers", ["sidelight"]), ("containers", ["sidelight"]),
                       ("volumes", ["sidelight-podinfo", "sidelight-run"])):
        spec[name] = [item for item in spec.get(name, []) if item["name"] not in keys]
        if not spec[name]:
            del spec[name]
    spec.pop("shareProcessNamespace", None)
    return obj


SHAPES = [
    ("nothing but a container", pod()),
    ("init containers: ours comes before them", pod(spec={
        "initContainers": [{"name": "migrate", "image": "m:1"},
                           {"name": "proxy", "image": "p:1", "restartPolicy": "Always"}]})),
    ("volumes", pod(spec={"volumes": [{"name": "cache", "emptyDir": {}}]})),
    ("empty lists", pod(spec={"volumes": [], "initContainers": []})),
    ("a Pod security context that wants other users", pod(spec={
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 2000}})),
    ("shareProcessNamespace said already", pod(spec={"shareProcessNamespace": True})),
    ("a name and no owner", pod(metadata={"name": "alone", "ownerReferences": []})),
    ("host network, pushing only", pod({"sidelight.dev/export": "push"},
                                       {"hostNetwork": True})),
    ("host network, pushing by default", pod({}, {"hostNetwork": True})),
    ("plain container", pod({"sidelight.dev/native": "false"})),
    ("names with slashes and tildes in annotations", pod({"a.b/c~d": "~1/", "e~0": "/"})),
    ("all that can be said", pod({
        "sidelight.dev/image": "docker.io/library/sidelight:1.2@sha256:" + "a" * 64,
        "sidelight.dev/pull-policy": "Always", "sidelight.dev/cpu": "0.25",
        "sidelight.dev/cpu-limit": "1", "sidelight.dev/memory": "64Mi",
        "sidelight.dev/memory-limit": "1Gi", "sidelight.dev/metrics-port": "19465",
        "sidelight.dev/export": "both",
        "sidelight.dev/push": "https://gw.team.svc:9091", "sidelight.dev/push-interval": "500ms",
        "sidelight.dev/otlp": "http://collector.team.svc:4318", "sidelight.dev/histograms": "both",
        "sidelight.dev/by": "process",
        "sidelight.dev/containers": "app,other", "sidelight.dev/routes": "/a/{id},/b/*",
        "sidelight.dev/log-level": "debug", "sidelight.dev/workload": "shop",
        "sidelight.dev/tls": "keys"})),
]

SKIPPED = [
    ({}, {"shareProcessNamespace": False}, "shareProcessNamespace is false"),
    ({}, {"hostPID": True}, "hostPID is true"),
    ({}, {"hostUsers": False}, "hostUsers is false"),
    ({}, {"hostNetwork": True}, "hostNetwork is true"),
    ({}, {"os": {"name": "windows"}}, "for Windows"),
    ({}, {"nodeSelector": {"kubernetes.io/os": "windows"}}, "for Windows"),
    ({"sidelight.dev/metrics-port": "8080"}, {}, "port 8080 is used by container app"),
    ({"kubernetes.io/config.mirror": "f3"}, {}, "static Pods"),
    ({"sidelight.dev/image": "registry.example/mine:1"}, {}, "administrator does not permit"),
    ({}, {"volumes": [{"name": "sidelight-podinfo", "configMap": {"name": "mine"}}]},
     "volume sidelight-podinfo is not"),
    ({}, {"volumes": [{"name": "sidelight-run", "emptyDir": {}}]}, "volume sidelight-run is not"),
    ({}, {"containers": [{"name": "sidelight", "image": "mine:1",
                          "ports": [{"containerPort": 9465}]}]}, "a container sidelight of its own"),
    ({}, {"initContainers": [{"name": "sidelight", "image": "mine:1"}]},
     "a container sidelight of its own"),
]

# Values that would keep the Pod from starting, or sidelight in it.
HOSTILE = {
    "image": ["a b", "a//b", "a/-b", "a..b", ".a/b", "a_/b", "a/b-", "a:b:c", "a@b", "a/B", "x/UPPER:1", "x:1\n", "-x", "x" * 300, "x@sha256:12", "$(x)"],
    "image-choice": ["none", "Any", "repository,any"],
    "pod-security": ["", "none", "Baseline", "baseline,restricted"],
    "pull-policy": ["always", "Sometimes"],
    "native": ["yes", "True", "0"],
    "cpu": ["-1", "0", "0m", "1e3", "1Gi", "9999999", "1.2345", " 1"],
    "cpu-limit": ["0", "none"],
    "memory": ["0", "-1Mi", "1.5Gi", "1k", "1Ti", "64mi", "100000Mi"],
    "memory-limit": ["0", "1Mi", "29Mi", "64", "128MB"],
    "export": ["none", "push,scrape"],
    "metrics-port": ["0", "65536", "-1", "0x10", "99999", "80,81", "http"],
    "push": ["gw:9091", "ftp://gw", "http://", "http://a b", "http://a\n", 'http://"', "http://é"],
    "push-interval": ["0", "99ms", "25h", "1d", "-1", "1.5", "100000"],
    "push-on-exit": ["", "Keep", "leave", "delete,keep"],
    "otlp": ["collector:4317", "grpc://collector:4317", "http://", "http://a b", "http://$(X)"],
    "histograms": ["", "Native", "native,classic", "sparse"],
    "by": ["", "Process", "thread", "process,thread"],
    "containers": ["", ",", "a,,b", "A", "a b", "a;b", "-a"],
    "routes": ["users", "/a b", "/{", "/a{b}", "/a/*/b", "/?x", "/" + "a" * 200,
               ",".join(["/a"] * 257), "/a\x00b", "/$(PATH)"],
    "log-level": ["trace", "0"],
    "tls": ["", "on", "Keys", "keys,off"],
    "workload": ["-x", "a b", "a/b", "x" * 254],
}


class Pods(Case):
    def test_shapes(self):
        server = Server(self, "--push", "http://gw:9091")
        for why, before in SHAPES:
            with self.subTest(why):
                now, answer = after(server, before)
                self.assertEqual(kubernetes.invalid([now]), [[]])
                self.assertEqual(answer.warnings, [])
                container = injected(now)
                native = before["metadata"]["annotations"].get("sidelight.dev/native") != "false"
                where = now["spec"]["initContainers" if native else "containers"]
                self.assertIs(where[0 if native else -1], container)
                self.assertEqual(container.get("restartPolicy"), "Always" if native else None)
                self.assertIs(now["spec"]["shareProcessNamespace"], True)
                self.assertEqual(now["metadata"]["annotations"]["sidelight.dev/status"],
                                 "injected")
                expected = copy.deepcopy(before)
                for name in ("volumes", "initContainers"):
                    if expected["spec"].get(name) == []:
                        del expected["spec"][name]
                expected["spec"].pop("shareProcessNamespace", None)
                self.assertEqual(without_injection(now), expected)
                self.assertEqual(server.review(now).patch, [], "the second time")

    def test_container(self):
        now, _ = after(Server(self, "--push", "http://gw:9091"), pod())
        container = injected(now)
        security = container["securityContext"]
        self.assertEqual(security["capabilities"],
                         {"drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON"]})
        self.assertIs(security["privileged"], False)
        self.assertIs(security["allowPrivilegeEscalation"], False)
        self.assertIs(security["readOnlyRootFilesystem"], True)
        self.assertEqual(security["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(container["ports"], [])
        self.assertNotIn("startupProbe", container)
        fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"]
                  for e in container["env"] if "valueFrom" in e}
        self.assertEqual(fields, {"SIDELIGHT_NAMESPACE": "metadata.namespace",
                                  "SIDELIGHT_POD": "metadata.name",
                                  "SIDELIGHT_NODE": "spec.nodeName"})
        self.assertEqual(environment(now)["SIDELIGHT_PUSH"], "http://gw:9091")
        self.assertNotIn("SIDELIGHT_METRICS_LISTEN", environment(now))
        self.assertIn({"name": "sidelight-podinfo", "readOnly": True,
                       "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                      container["volumeMounts"], "no service account token")
        self.assertIn({"name": "sidelight-run", "mountPath": "/run/sidelight"},
                      container["volumeMounts"], "the control socket's")
        self.assertIn({"name": "sidelight-run", "emptyDir": {"medium": "Memory"}},
                      now["spec"]["volumes"])

    def test_annotations(self):
        now, _ = after(Server(self, "--push", "http://default:9091"), SHAPES[-1][1])
        said = SHAPES[-1][1]["metadata"]["annotations"]
        container, env = injected(now), environment(now)
        self.assertEqual(container["image"], said["sidelight.dev/image"])
        self.assertEqual(container["imagePullPolicy"], "Always")
        self.assertEqual(container["resources"],
                         {"requests": {"cpu": "0.25", "memory": "64Mi"},
                          "limits": {"cpu": "1", "memory": "1Gi"}})
        self.assertEqual(container["ports"][0]["containerPort"], 19465)
        for name, variable in (("push", "PUSH"), ("push-interval", "PUSH_INTERVAL"),
                               ("otlp", "OTLP"), ("histograms", "HISTOGRAMS"), ("by", "BY"),
                               ("containers", "CONTAINERS"), ("routes", "ROUTES"),
                               ("log-level", "LOG_LEVEL"), ("workload", "WORKLOAD"), ("tls", "TLS")):
            self.assertEqual(env["SIDELIGHT_" + variable], said["sidelight.dev/" + name])
        self.assertEqual(env["SIDELIGHT_METRICS_LISTEN"], ":19465")

    def test_veto(self):
        """Where the administrator says off, no annotation lifts it."""
        for flags, said, wanted, warns in (
            ([], None, "keys", False), ([], "keys", "keys", False), ([], "off", "off", False),
            (["--tls", "keys"], None, "keys", False), (["--tls", "keys"], "off", "off", False),
            (["--tls", "off"], None, "off", False), (["--tls", "off"], "off", "off", False),
            (["--tls", "off"], "keys", "off", True),
        ):
            annotations = {"sidelight.dev/tls": said} if said else {}
            now, answer = after(Server(self, *flags), pod(annotations))
            self.assertEqual(environment(now).get("SIDELIGHT_TLS"), wanted, (flags, said))
            self.assertEqual(len(answer.warnings), warns, answer.warnings)

    def test_the_capability_for_tls(self):
        """Only the administrator grants it, and only to a container that decrypts."""
        ours = ["BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON"]
        on = ["--tls-capability", "SYS_ADMIN"]
        for flags, said, wanted in (
            ([], {}, ours), (on, {}, ours + ["SYS_ADMIN"]),
            ([], {"sidelight.dev/tls-capability": "SYS_ADMIN"}, ours),
            (on, {"sidelight.dev/tls": "off"}, ours), (on + ["--tls", "off"], {}, ours),
            (on + ["--tls", "off"], {"sidelight.dev/tls": "keys"}, ours),
        ):
            now, _ = after(Server(self, *flags), pod(said))
            security = now["spec"]["initContainers"][0]["securityContext"]
            self.assertEqual(security["capabilities"], {"drop": ["ALL"], "add": wanted}, (flags, said))

    def test_forbidden(self):
        """Only the administrator says what is forbidden to all sidecars."""
        for name in "header-capture", "syscall-counting":
            variable = "SIDELIGHT_" + name.replace("-", "_").upper()
            for flags, said, wanted in (([], None, None), ([], "forbidden", None),
                                        (["forbidden"], None, "forbidden"),
                                        (["forbidden"], "allowed", "forbidden"),
                                        (["allowed"], "forbidden", "allowed")):
                flags = [f"--{name}", *flags] if flags else []
                annotations = {f"sidelight.dev/{name}": said} if said else {}
                now, answer = after(Server(self, *flags), pod(annotations))
                self.assertEqual(environment(now).get(variable), wanted, (flags, said))
                self.assertEqual(len(answer.warnings), said is not None, answer.warnings)

    def test_export(self):
        """One way, unless both are asked for: where there is a gateway, to it."""
        port = [{"name": "sidelight", "containerPort": 9465, "protocol": "TCP"}]
        own = {"sidelight.dev/push": "http://own:9091"}
        for flags, said, push, ports in (
            (["--push", "http://gw:9091"], {}, "http://gw:9091", []),
            ([], {}, None, port),
            ([], own, "http://own:9091", []),
            (["--push", "http://gw:9091"], {"sidelight.dev/push": "nowhere"}, "http://gw:9091", []),
            ([], {"sidelight.dev/push": "nowhere"}, None, port),
            (["--push", "http://gw:9091"], {"sidelight.dev/export": "both"}, "http://gw:9091",
             port),
            (["--export", "both"], own, "http://own:9091", port),
            (["--export", "scrape"], own, None, port),
            (["--export", "scrape"], own | {"sidelight.dev/export": "push"}, "http://own:9091", []),
        ):
            with self.subTest(flags=flags, said=said):
                now, _ = after(Server(self, *flags), pod(said))
                env = environment(now)
                self.assertEqual(env.get("SIDELIGHT_PUSH"), push)
                self.assertEqual(injected(now)["ports"], ports)
                self.assertEqual(env.get("SIDELIGHT_METRICS_LISTEN"), ":9465" if ports else None)
        server = Server(self, "--push", "http://gw:9091")
        pushing, _ = after(server, pod({"sidelight.dev/export": "push"}))
        self.assertEqual(injected(pushing)["ports"], [])
        self.assertNotIn("SIDELIGHT_METRICS_LISTEN", environment(pushing))
        scraped, _ = after(server, pod({"sidelight.dev/export": "scrape"}))
        self.assertNotIn("SIDELIGHT_PUSH", environment(scraped))
        self.assertEqual(injected(scraped)["ports"][0]["containerPort"], 9465)

    def test_limit_follows_request(self):
        now, _ = after(Server(self), pod({"sidelight.dev/memory": "512Mi",
                                          "sidelight.dev/cpu": "2",
                                          "sidelight.dev/cpu-limit": "500m"}))
        self.assertEqual(injected(now)["resources"],
                         {"requests": {"cpu": "2", "memory": "512Mi"},
                          "limits": {"cpu": "2", "memory": "512Mi"}})

    def test_hostile_annotations(self):
        server = Server(self)
        plain, _ = after(server, pod())
        for name, values in HOSTILE.items():
            for value in values:
                if name == "routes" and "\0" in value:
                    continue
                with self.subTest(name, value=value):
                    said = pod({"sidelight.dev/" + name: value})
                    answer = server.review(said)
                    self.assertEqual(len(answer.warnings), 1, answer.body)
                    self.assertIn(f"sidelight.dev/{name}", answer.warnings[0])
                    self.assertLess(len(answer.warnings[0]), 256)
                    self.assertTrue(answer.warnings[0].isprintable())
                    self.assertEqual([op["value"] for op in answer.patch
                                      if op["path"] == "/spec/initContainers/0"],
                                     [injected(plain)], "as if it were not there")

    def test_skipped(self):
        server = Server(self)
        for annotations, spec, why in SKIPPED:
            with self.subTest(why, spec=spec):
                before = pod(annotations, spec)
                now, answer = after(server, before)
                self.assertEqual(len(answer.warnings), 1)
                self.assertIn(why, answer.warnings[0])
                status = now["metadata"]["annotations"].pop("sidelight.dev/status")
                self.assertTrue(status.startswith("not injected: "), status)
                self.assertEqual(now, before)
                again = copy.deepcopy(before)
                again["metadata"]["annotations"]["sidelight.dev/status"] = status
                self.assertEqual(server.review(again).patch, [])

    def test_restricted_namespace(self):
        answer = Server(self).review(pod(), path="/mutate-pod/baseline")
        self.assertEqual([op["path"] for op in answer.patch],
                         ["/metadata/annotations/sidelight.dev~1status"])
        self.assertIn("Pod Security", answer.warnings[0])

    def test_not_asked(self):
        server = Server(self)
        quiet = pod()
        del quiet["metadata"]["annotations"]
        for why, obj, more in [
            ("no annotations", quiet, {}),
            ("no", pod({"sidelight.dev/inject": "false"}), {}),
            ("not a word of ours", pod({"sidelight.dev/inject": "True"}), {}),
            ("an update", pod(), {"operation": "UPDATE", "old": pod()}),
            ("a subresource", pod(), {"subResource": "ephemeralcontainers"}),
            ("nothing in it", {**pod(), "spec": None}, {}),
            ("lists that are none", {**pod(), "spec": {"containers": [], "volumes": 7}}, {}),
        ]:
            with self.subTest(why):
                answer = server.review(obj, **more)
                self.assertEqual((answer.patch, answer.warnings), ([], []))

    def test_quality_of_service(self):
        """A Guaranteed Pod is told that it is none any more, and how it stays one."""
        server = Server(self)
        whole = {"cpu": "2", "memory": "1Gi"}

        def with_resources(resources, annotations=None):
            return pod(annotations, {"containers": [{"name": "app", "image": "a:1",
                                                     "resources": resources}]})

        self.assertIn("Guaranteed", server.review(
            with_resources({"limits": whole, "requests": whole})).warnings[0])
        for why, before in [
            ("it was none", with_resources({"limits": whole, "requests": {"cpu": "1"}})),
            ("it was none", with_resources({"limits": {"memory": "1Gi"}})),
            ("it stays one", with_resources({"limits": whole, "requests": whole}, {
                "sidelight.dev/cpu": "50m", "sidelight.dev/cpu-limit": "50m",
                "sidelight.dev/memory": "64Mi", "sidelight.dev/memory-limit": "64Mi"}))]:
            with self.subTest(why):
                self.assertEqual(server.review(before).warnings, [])

    def test_another_webhook_in_between(self):
        """Reinvocation: whatever others add, ours is there once."""
        server = Server(self)
        now, _ = after(server, pod())
        now["spec"]["initContainers"].insert(0, {"name": "istio-init", "image": "i:1"})
        now["spec"]["containers"].append({"name": "istio-proxy", "image": "i:1"})
        self.assertEqual(server.review(now).patch, [])

    def test_process_one(self):
        """It is /pause once the PID namespace is shared: who speaks to it is warned."""
        server = Server(self)

        def run(*words):
            return {"exec": {"command": list(words)}}

        def web(**members):
            return [{"name": "web", "image": "i:1", **members}]

        speaking = [
            web(lifecycle={"preStop": run("sh", "-c", "sleep 5; kill -QUIT 1")}),
            web(lifecycle={"preStop": run("/bin/kill", "-s", "TERM", "1")}),
            web(lifecycle={"postStart": run("kill", "1")}),
            web(livenessProbe=run("sh", "-c", "kill -0 1 && true")),
            web(readinessProbe=run("sh", "-c", 'kill -HUP "1"')),
            web(startupProbe=run("grep", "x", "/proc/1/status")),
            web(command=["sh", "-c"], args=["cron && tail -f log > /proc/1/fd/1"]),
            web(command=["/sbin/init"]), web(command=["/lib/systemd/systemd"]),
            web(command=["/init"], args=["nginx"]), web(args=["/usr/sbin/runsvdir-start"]),
            web(command=["s6-svscan", "/etc/s6"]),
        ]
        silent = [
            web(lifecycle={"preStop": run("sh", "-c", "kill -QUIT 10; kill -1 22")}),
            web(lifecycle={"preStop": run("sh", "-c", "kill $(cat /run/nginx.pid)")}),
            web(livenessProbe=run("skill", "1"), readinessProbe={"httpGet": {"port": 80}}),
            web(command=["python", "init.py", "--systemd"]), web(args=["1"]),
            web(command=["tini", "--", "app"]), web(command="kill 1"), web(command=[1, None]),
        ]
        for containers in speaking + silent:
            asking = pod(spec={"containers": containers})
            warnings = server.review(asking).warnings
            self.assertEqual(len(warnings), containers in speaking, (containers, warnings))
            inside = template(spec={"containers": containers})
            self.assertEqual(server.review(workload(
                "Deployment", {"sidelight.dev/inject": "true"}, inside)).warnings, warnings)
            if containers in speaking:
                self.assertIn("container web: its ", warnings[0])
                self.assertIn("/pause", warnings[0])
            asking["spec"]["shareProcessNamespace"] = True
            self.assertEqual(server.review(asking).warnings, [], "as it is today")

    def test_workload_name(self):
        server = Server(self)

        def owner(kind, name, labels=None):
            return pod(metadata={"labels": labels or {}, "ownerReferences": [
                {"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "1",
                 "controller": True}]})

        for before, name in [
            (pod(), "web"),
            (owner("ReplicaSet", "web-abc", {"pod-template-hash": "def"}), "web-abc"),
            (owner("ReplicaSet", "web", {"pod-template-hash": "web"}), "web"),
            (owner("Job", "report-28934561"), "report"),
            (owner("Job", "report-1234567"), "report-1234567"),
            (owner("Job", "28934561"), "28934561"),
            (owner("StatefulSet", "db"), "db"),
            (owner("Rollout", "canary"), "canary"),
            (owner("Odd", "a b"), None),
            (pod(metadata={"ownerReferences": []}), None),
        ]:
            with self.subTest(name, owner=before["metadata"]["ownerReferences"]):
                self.assertEqual(environment(after(server, before)[0]).get("SIDELIGHT_WORKLOAD"),
                                 name)


if __name__ == "__main__":
    main()
