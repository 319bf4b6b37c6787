#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Reviews of Pods and workloads as an API server sends them, over TLS. Patches
are applied by an implementation that is not ours, and what comes out is
checked against Kubernetes' schema.
"""
import copy
import unittest

import kubernetes
from admission import (Server, job_of, owned_by, pod, pod_of, template, template_of,
                       workload)
from harness import Case, main

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


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
    for name, key in (("initContainers", "sidelight"), ("containers", "sidelight"),
                      ("volumes", "sidelight-podinfo")):
        spec[name] = [item for item in spec.get(name, []) if item["name"] != key]
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
    ("plain container", pod({"sidelight.dev/native": "false"})),
    ("names with slashes and tildes in annotations", pod({"a.b/c~d": "~1/", "e~0": "/"})),
    ("all that can be said", pod({
        "sidelight.dev/image": "docker.io/library/sidelight:1.2@sha256:" + "a" * 64,
        "sidelight.dev/pull-policy": "Always", "sidelight.dev/cpu": "0.25",
        "sidelight.dev/cpu-limit": "1", "sidelight.dev/memory": "64Mi",
        "sidelight.dev/memory-limit": "1Gi", "sidelight.dev/metrics-port": "19465",
        "sidelight.dev/push": "https://gw.team.svc:9091", "sidelight.dev/push-interval": "500ms",
        "sidelight.dev/containers": "app,other", "sidelight.dev/routes": "/a/{id},/b/*",
        "sidelight.dev/log-level": "debug", "sidelight.dev/workload": "shop"})),
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
    "containers": ["", ",", "a,,b", "A", "a b", "a;b", "-a"],
    "routes": ["users", "/a b", "/{", "/a{b}", "/a/*/b", "/?x", "/" + "a" * 200,
               ",".join(["/a"] * 257), "/a\x00b", "/$(PATH)"],
    "log-level": ["trace", "0"],
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
        self.assertEqual(container["ports"], [{"name": "sidelight", "containerPort": 9465,
                                               "protocol": "TCP"}])
        self.assertNotIn("startupProbe", container)
        fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"]
                  for e in container["env"] if "valueFrom" in e}
        self.assertEqual(fields, {"SIDELIGHT_NAMESPACE": "metadata.namespace",
                                  "SIDELIGHT_POD": "metadata.name",
                                  "SIDELIGHT_NODE": "spec.nodeName"})
        self.assertEqual(environment(now)["SIDELIGHT_PUSH"], "http://gw:9091")
        self.assertEqual(environment(now)["SIDELIGHT_METRICS_LISTEN"], ":9465")
        self.assertIn({"name": "sidelight-podinfo", "readOnly": True,
                       "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                      container["volumeMounts"], "no service account token")

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
                               ("containers", "CONTAINERS"), ("routes", "ROUTES"),
                               ("log-level", "LOG_LEVEL"), ("workload", "WORKLOAD")):
            self.assertEqual(env["SIDELIGHT_" + variable], said["sidelight.dev/" + name])
        self.assertEqual(env["SIDELIGHT_METRICS_LISTEN"], ":19465")

    def test_export(self):
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


class Workloads(Case):
    ON = {"sidelight.dev/inject": "true", "sidelight.dev/push": "http://gw:9091", "other": "x"}

    def test_annotation_reaches_the_pods(self):
        """kubectl annotate deployment/web sidelight.dev/inject=true, and what follows."""
        server = Server(self)
        for kind in KINDS:
            for inside in (template(), template({}), template({"mine": "1"})):
                with self.subTest(kind, inside=inside):
                    now, answer = after(server, workload(kind, self.ON, inside))
                    self.assertEqual(kubernetes.invalid([now]), [[]])
                    self.assertEqual(answer.warnings, [])
                    annotations = template_of(now)["metadata"]["annotations"]
                    self.assertEqual(annotations, {
                        **inside["metadata"].get("annotations", {}),
                        "sidelight.dev/inject": "true",
                        "sidelight.dev/push": "http://gw:9091",
                        "sidelight.dev/carried": "inject,push"})
                    self.assertEqual(server.review(now).patch, [], "the second time")
                    made = {"apiVersion": "v1", "kind": "Pod", **template_of(now)}
                    made["metadata"] = {"name": "web-1", **made["metadata"]}
                    started, _ = after(server, made)
                    self.assertIsNotNone(injected(started))
                    self.assertEqual(kubernetes.invalid([started]), [[]])

    def test_removed_again(self):
        server = Server(self)
        for kind in (k for k in KINDS if k != "Job"):
            with self.subTest(kind):
                before = workload(kind, None, template({"mine": "1"}))
                on = copy.deepcopy(before)
                on["metadata"]["annotations"] = self.ON
                now, _ = after(server, on, operation="UPDATE", old=before)
                off = copy.deepcopy(now)
                del off["metadata"]["annotations"]
                off, answer = after(server, off, operation="UPDATE", old=now)
                self.assertEqual(off, before)
                self.assertEqual(answer.warnings, [])

    def test_follows_changes(self):
        server = Server(self)
        now, _ = after(server, workload("Deployment", self.ON))
        del now["metadata"]["annotations"]["sidelight.dev/push"]
        now["metadata"]["annotations"]["sidelight.dev/cpu"] = "50m"
        now, _ = after(server, now, operation="UPDATE")
        self.assertEqual(template_of(now)["metadata"]["annotations"],
                         {"sidelight.dev/inject": "true", "sidelight.dev/cpu": "50m",
                          "sidelight.dev/carried": "inject,cpu"})
        now["metadata"]["annotations"]["sidelight.dev/inject"] = "false"
        now, _ = after(server, now, operation="UPDATE")
        self.assertEqual(template_of(now)["metadata"]["annotations"], {})

    def test_what_the_template_says_wins(self):
        server = Server(self)
        own = {"sidelight.dev/inject": "true", "sidelight.dev/push": "http://own:9091"}
        now, answer = after(server, workload("Deployment", self.ON, template(own)))
        self.assertEqual(template_of(now)["metadata"]["annotations"], own)
        self.assertEqual(len(answer.warnings), 1)
        self.assertIn("sidelight.dev/push", answer.warnings[0])
        del now["metadata"]["annotations"]["sidelight.dev/inject"]
        self.assertEqual(server.review(now, "UPDATE").patch, [], "it is not ours to take out")

    def test_original_manifest_again(self):
        """kubectl replace, GitOps: the template comes back without what was carried."""
        server = Server(self)
        manifest = workload("Deployment", self.ON)
        now, _ = after(server, manifest)
        again, _ = after(server, copy.deepcopy(manifest), operation="UPDATE", old=now)
        self.assertEqual(again, now)

    def test_as_stored_objects_come(self):
        """With what the API server adds; applied by a server, or on trial."""
        server = Server(self)
        for manager, kind_of_options in (("kubectl-annotate", "PatchOptions"),
                                         ("argocd-controller", "PatchOptions"),
                                         ("kubectl-edit", "UpdateOptions")):
            before = workload("Deployment", {"deployment.kubernetes.io/revision": "3"})
            before["metadata"].update({
                "uid": "0c6d", "resourceVersion": "71", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [
                    {"manager": manager, "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                     "operation": "Apply" if "argo" in manager else "Update",
                     "time": "2026-01-02T03:04:05Z",
                     "fieldsV1": {"f:metadata": {"f:annotations": {
                         ".": {}, "f:sidelight.dev/inject": {}}}}},
                    {"manager": "kube-controller-manager", "apiVersion": "apps/v1",
                     "operation": "Update", "subresource": "status", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:status": {"f:replicas": {}}}}]})
            before["status"] = {"observedGeneration": 3, "replicas": 2}
            on = copy.deepcopy(before)
            on["metadata"]["annotations"]["sidelight.dev/inject"] = "true"
            options = {"apiVersion": "meta.k8s.io/v1", "kind": kind_of_options,
                       "fieldManager": manager}
            with self.subTest(manager):
                now, answer = after(server, on, operation="UPDATE", old=before, options=options)
                self.assertEqual(kubernetes.invalid([now]), [[]])
                self.assertTrue(answer.patch)
                for operation in answer.patch:
                    self.assertTrue(operation["path"].startswith("/spec/template/metadata"))
                trial = server.review(on, "UPDATE", old=before, options=options, dryRun=True)
                self.assertEqual(trial.patch, answer.patch)
                for part in ("status", "scale"):
                    other = server.review(on, "UPDATE", old=before, subResource=part)
                    self.assertEqual((other.patch, other.warnings), ([], []), part)
                # A controller's next write, which knows nothing of this.
                now["status"]["replicas"] = 3
                self.assertEqual(server.review(now, "UPDATE", old=now).patch, [])

    def test_jobs_are_fixed(self):
        answer = Server(self).review(workload("Job", self.ON), "UPDATE")
        self.assertEqual(answer.patch, [])
        self.assertIn("Job", answer.warnings[0])

    def test_cronjob_to_pod(self):
        """CronJob -> Job -> Pod: what was carried into the CronJob reaches the Pods."""
        server = Server(self)
        for inside in (template(), template({"mine": "1"})):
            cronjob, _ = after(server, workload("CronJob", self.ON, inside, name="report"))
            job, answer = after(server, job_of(cronjob))
            self.assertEqual((answer.patch, answer.warnings), ([], []))
            for operation in ("CREATE", "UPDATE"):
                self.assertEqual(server.review(job, operation, old=job).patch, [])
            started, _ = after(server, pod_of(job))
            self.assertIsNotNone(injected(started))
            self.assertEqual(environment(started)["SIDELIGHT_WORKLOAD"], "report")
            self.assertEqual(environment(started)["SIDELIGHT_PUSH"], "http://gw:9091")
            self.assertEqual(kubernetes.invalid([job, started]), [[], []])

    def test_controlled_objects(self):
        """They are left to their controller, whatever they or their templates say."""
        server = Server(self)
        owner = workload("Deployment", name="operator")
        carried = {**self.ON, "sidelight.dev/carried": "inject,push"}
        for kind in KINDS:
            for own in (None, self.ON, {"sidelight.dev/inject": "false"}):
                for inside in (template(), template(carried)):
                    obj = workload(kind, own, inside)
                    obj["metadata"]["ownerReferences"] = owned_by(owner)
                    for operation in ("CREATE", "UPDATE"):
                        answer = server.review(obj, operation, old=obj)
                        self.assertEqual(answer.patch, [], (kind, own, operation))
                        asks_in_vain = own == self.ON and inside == template()
                        self.assertEqual(len(answer.warnings), asks_in_vain, answer.warnings)
                        if asks_in_vain:
                            self.assertIn("controller", answer.warnings[0])
                    # An owner that does not control writes nothing.
                    obj["metadata"]["ownerReferences"][0]["controller"] = False
                    if own == self.ON and inside == template():
                        self.assertTrue(server.review(obj).patch, kind)

    def test_warnings(self):
        server = Server(self)
        for inside, path, why in [
            (template(spec={"shareProcessNamespace": False}), None, "shareProcessNamespace"),
            (template(spec={"hostPID": True}), None, "hostPID"),
            (template(), "/mutate-workload/baseline", "Pod Security"),
        ]:
            with self.subTest(why):
                answer = server.review(workload("Deployment", self.ON, inside), path=path)
                self.assertEqual(len(answer.warnings), 1)
                self.assertEqual(bool(answer.patch), path is None, "no pointless rollout")
                self.assertIn(why, answer.warnings[0])
                self.assertIn("will not be injected", answer.warnings[0])
        answer = server.review(workload("Deployment", {**self.ON, "sidelight.dev/cpu": "lots"}))
        self.assertIn("sidelight.dev/cpu", answer.warnings[0])

    def test_not_asked(self):
        server = Server(self)
        for kind in KINDS:
            for annotations in (None, {}, {"sidelight.dev/push": "http://gw:9091"}):
                answer = server.review(workload(kind, annotations, template({"a": "b"})))
                self.assertEqual((answer.patch, answer.warnings), ([], []))


if __name__ == "__main__":
    main()
