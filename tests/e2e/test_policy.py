#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What the API server evaluates by itself: the policy that injects, compared with the
webhook field by field; which objects reach the webhook; the guard.

CEL is evaluated by an independent implementation; `make check-policy` runs
the same cases through the API server's own code.
"""
import copy

import yaml

import harness
import kubernetes
from admission import Server, pod, template_of, workload
from harness import Case, main
from test_webhook import HOSTILE, SHAPES, SKIPPED

MANIFESTS = harness.ROOT / "webhook-manifests"
WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
RESOURCES = {"Deployment": "deployments", "StatefulSet": "statefulsets", "Job": "jobs",
             "DaemonSet": "daemonsets", "CronJob": "cronjobs", "Pod": "pods"}


def setUpModule():
    kubernetes.install()
    harness.run(["make", "-s", "-C", harness.ROOT, "build/sidelight-webhook"], seconds=300)


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def question(policy, obj, old=None, data=None, labels=None, operation="CREATE", subresource=""):
    parameters = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sidelight"}}
    if data is not None:
        parameters["data"] = data
    return {"policy": policy, "object": obj, "oldObject": old, "operation": operation,
            "resource": RESOURCES[obj["kind"]], "subresource": subresource, "params": parameters,
            "namespace": {"metadata": {"name": "shop", **({"labels": labels} if labels else {})}}}


def answers(questions):
    said = kubernetes.evaluated(questions)
    for one in said:
        assert "error" not in one, one["error"]
    return said


def normal(value):
    """Without what Kubernetes does not tell apart: nothing, and a list or map of nothing."""
    if isinstance(value, dict):
        members = ((k, normal(v)) for k, v in value.items())
        return {k: v for k, v in members if v not in (None, [], {}) or k == "emptyDir"}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def outcomes(questions):
    """The objects after their policies; None changes nothing."""
    result = []
    for asked, said in zip(questions, answers(questions)):
        obj = asked["object"]
        if "object" in said:
            obj = said["object"]
        elif said["matches"]:
            obj = kubernetes.patched([(obj, said["patch"])])[0]
        result.append(normal(obj))
    return result



class Injection(Case):
    POLICY = documents(MANIFESTS / "policy" / "policy.yaml")[0]

    def same(self, cases, server, data=None, path=None, labels=None):
        """Webhook and policy make the same of these (why, Pod)."""
        asked = [question(self.POLICY, obj, data=data, labels=labels) for _, obj in cases]
        for (why, obj), by_policy in zip(cases, outcomes(asked)):
            answer = server.review(copy.deepcopy(obj), path=path)
            by_webhook = kubernetes.patched([(obj, answer.patch)])[0]
            with self.subTest(why):
                self.assertEqual(by_policy, outcomes([question(None, by_webhook)])[0])

    def test_it_is_what_the_program_makes(self):
        made = harness.run([WEBHOOK, "policy"]).stdout
        self.assertEqual(made, (MANIFESTS / "policy" / "policy.yaml").read_text(),
                         "webhook-manifests/policy/policy.yaml: run `make policy`")

    def test_shapes(self):
        self.same(SHAPES, Server(self, "--push", "http://gw:9091"),
                  data={"push": "http://gw:9091"})

    def test_without_parameters(self):
        self.same(SHAPES, Server(self))

    def test_a_policy_injects_only_where_it_is_asked(self):
        for obj in (pod({"sidelight.dev/inject": "false"}), pod({"sidelight.dev/inject": "yes"}),
                    pod(metadata={"annotations": {}}),
                    pod(spec={"initContainers": [{"name": "sidelight", "image": "i"}]}),
                    pod(spec={"containers": [{"name": "sidelight", "image": "i"}]})):
            self.assertEqual(answers([question(self.POLICY, obj)]), [{"matches": False}])

    def test_the_second_time_it_does_not_match(self):
        once = outcomes([question(self.POLICY, pod())])[0]
        self.assertIn("sidelight", [c["name"] for c in once["spec"]["initContainers"]])
        self.assertEqual(answers([question(self.POLICY, once)]), [{"matches": False}])

    def test_skipped(self):
        cases = [(reason, pod(annotations, spec)) for annotations, spec, reason in SKIPPED]
        self.same(cases, Server(self))

    def test_namespaces_that_would_refuse_it(self):
        for level in ("baseline", "restricted"):
            self.same([(level, pod())], Server(self), path="/mutate-pod/baseline",
                      labels={"pod-security.kubernetes.io/enforce": level})
        self.same([("privileged", pod())], Server(self),
                  labels={"pod-security.kubernetes.io/enforce": "privileged"})

    def test_hostile_annotations(self):
        # The webhook reads a string up to a NUL, as C does; the policy refuses all of it.
        cases = [(f"{name}: {value!r}", pod({f"sidelight.dev/{name}": value}))
                 for name, values in HOSTILE.items() for value in values if "\0" not in value]
        self.same(cases, Server(self))

    def test_hostile_parameters(self):
        """What the ConfigMap says wrong is as if it did not say it."""
        good = outcomes([question(self.POLICY, pod())])[0]
        asked = [question(self.POLICY, pod(), data={name: value})
                 for name, values in HOSTILE.items() for value in values]
        for one, obj in zip(asked, outcomes(asked)):
            with self.subTest(one["params"]["data"]):
                self.assertEqual(obj, good)

    def test_values_that_depend_on_others(self):
        cases = []
        for annotations in (
            {"export": "push", "push": "http://gw"}, {"export": "push"},
            {"export": "scrape", "push": "http://gw"}, {"export": "both"},
            {"cpu": "100m", "cpu-limit": "50m"}, {"cpu": "0.5", "cpu-limit": "1"},
            {"cpu": "2", "cpu-limit": "500m"}, {"memory": "1Gi"}, {"memory": "200M"},
            {"memory": "64Mi", "memory-limit": "64M"}, {"memory-limit": "1G"},
            {"native": "false", "pull-policy": "Never", "cpu-limit": "1"},
            {"native": "false", "export": "push", "log-level": "warn"},
        ):
            said = {f"sidelight.dev/{k}": v for k, v in annotations.items()}
            cases.append((str(annotations), pod(said)))
        self.same(cases, Server(self))

    def test_workloads(self):
        cases = []
        for kind, name, labels in (
            ("ReplicaSet", "shop-6d4cf56db6", {"pod-template-hash": "6d4cf56db6"}),
            ("ReplicaSet", "shop-6d4cf56db6", {"pod-template-hash": "other"}),
            ("ReplicaSet", "shop-6d4cf56db6", {}),
            ("ReplicaSet", "-6d4cf56db6", {"pod-template-hash": "6d4cf56db6"}),
            ("Job", "report-28934561", {}), ("Job", "report-2893456", {}),
            ("Job", "report-28934561234", {}), ("Job", "report28934561", {}),
            ("Job", "a-b-1234567890", {}), ("StatefulSet", "db", {}), ("DaemonSet", "x.y", {}),
        ):
            owner = {"apiVersion": "v1", "kind": kind, "name": name, "uid": "u"}
            for controls in ({"controller": True}, {"controller": False}, {}):
                metadata = {"labels": labels, "ownerReferences": [{**owner, **controls}]}
                cases.append((f"{kind} {name} {labels} {controls}", pod(metadata=metadata)))
        two = [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"},
               {"apiVersion": "v1", "kind": "DaemonSet", "name": "d", "uid": "u",
                "controller": True}]
        cases.append(("two owners", pod(metadata={"ownerReferences": two})))
        cases.append(("said", pod({"sidelight.dev/workload": "mine"})))
        self.same(cases, Server(self))

    def test_what_comes_out_is_a_pod(self):
        asked = [question(self.POLICY, obj, data={"push": "http://gw:9091"}) for _, obj in SHAPES]
        self.assertEqual(kubernetes.invalid(outcomes(asked)), [[]] * len(SHAPES))


class Calls(Case):
    """What reaches the webhook at all."""

    CONFIGURATION = documents(MANIFESTS / "webhook.yaml")[0]
    PODS = ["pods.sidelight.dev", "pods.baseline.sidelight.dev"]
    WORKLOADS = ["workloads.sidelight.dev", "workloads.baseline.sidelight.dev"]

    def called(self, obj, old=None):
        """The webhooks whose conditions hold, of those whose rules are for this resource."""
        operation = "UPDATE" if old else "CREATE"
        resource = RESOURCES[obj["kind"]]
        mine = [w for w in self.CONFIGURATION["webhooks"] if any(
            resource in r["resources"] and operation in r["operations"] for r in w["rules"])]
        configuration = {**self.CONFIGURATION, "webhooks": mine}
        said = answers([question(configuration, obj, old, operation=operation)])[0]
        return said.get("called", [])

    def test_pods(self):
        self.assertEqual(self.called(pod()), self.PODS)
        self.assertEqual(self.called(pod({"sidelight.dev/inject": "false"})), [])
        bare = pod()
        del bare["metadata"]["annotations"]
        self.assertEqual(self.called(bare), [])

    def test_workloads(self):
        asks = {"sidelight.dev/inject": "true"}
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
            with self.subTest(kind):
                plain, asking = workload(kind), workload(kind, asks)
                self.assertEqual(self.called(plain), [])
                self.assertEqual(self.called(plain, plain), [])
                self.assertEqual(self.called(asking), self.WORKLOADS)
                self.assertEqual(self.called(asking, plain), self.WORKLOADS)
                self.assertEqual(self.called(plain, asking), self.WORKLOADS, "just removed")
                carried = workload(kind)
                template_of(carried).setdefault("metadata", {})["annotations"] = {
                    "sidelight.dev/carried": "inject"}
                self.assertEqual(self.called(carried, carried), self.WORKLOADS, "carried before")

    def test_a_workload_without_metadata_in_its_template(self):
        bare = workload("CronJob")
        template_of(bare).pop("metadata", None)
        self.assertEqual(self.called(bare), [])


class Guard(Case):
    POLICY = documents(MANIFESTS / "guard" / "guard.yaml")[0]
    IMAGE = "registry.example/sidelight:1"

    def denied(self, spec, data=None, **more):
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
               "spec": {"containers": [{"name": "app", "image": "a"}], **spec}}
        data = {"image": self.IMAGE} if data is None else data
        return answers([question(self.POLICY, obj, data=data, **more)])[0].get("denied", [])

    def container(self, *add, name="sidelight", image=IMAGE, **security):
        return {"name": name, "image": image, "securityContext": {
            "capabilities": {"drop": ["ALL"], "add": list(add)}, **security}}

    def test_the_injected_pod_passes(self):
        server = Server(self, "--image", self.IMAGE)
        for annotations in ({}, {"sidelight.dev/native": "false"}):
            obj = pod(annotations)
            now = kubernetes.patched([(obj, server.review(obj).patch)])[0]
            self.assertEqual(self.denied(now["spec"]), [])

    def test_who_may_add_them(self):
        ours = ["BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON"]
        for kind in ("containers", "initContainers", "ephemeralContainers"):
            for one, is_allowed in (
                (self.container(*ours), True),
                (self.container(*ours, name="sidelight-debug-x7"), True),
                (self.container("BPF", name="app"), False),
                (self.container("BPF", name="sidelights"), False),
                (self.container("PERFMON", image="evil"), False),
                (self.container("SYS_PTRACE", image=self.IMAGE + "0"), False),
                (self.container("NET_ADMIN", name="x", image="y"), False),
                (self.container("BPF", "SYS_ADMIN"), False),
                (self.container("ALL"), False),
                (self.container("CAP_BPF", name="app"), False),
                (self.container("SYS_ADMIN", name="app", image="a"), False),
                (self.container("NET_BIND_SERVICE", "CHOWN", name="app", image="a"), True),
                (self.container(name="app", image="a"), True),
                (self.container(name="app", image="a", privileged=True), False),
                (self.container(*ours, privileged=True), False),
            ):
                with self.subTest(kind=kind, container=one):
                    denied = self.denied({kind: [one]})
                    self.assertEqual(denied == [], is_allowed, denied)
                    for line in denied:
                        self.assertIn(one["name"], line)

    def test_one_among_many(self):
        many = [self.container(name=f"c{n}", image="a") for n in range(30)]
        self.assertEqual(self.denied({"containers": many}), [])
        many[17]["securityContext"]["capabilities"]["add"] = ["BPF"]
        self.assertIn("c17", self.denied({"containers": many})[0])

    def test_other_ways_out(self):
        for spec in ({"hostPID": True}, {"hostIPC": True}, {"hostNetwork": True},
                     {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}):
            self.assertEqual(len(self.denied(spec)), 1, spec)
        self.assertEqual(self.denied({"volumes": [{"name": "v", "emptyDir": {}}]}), [])

    def test_without_an_image_nobody_may(self):
        for data in ({}, {"image": ""}):
            denied = self.denied({"containers": [self.container("BPF", image="")]}, data=data)
            self.assertEqual(len(denied), 1)

    def test_updates(self):
        """A Pod from before the guard can lose its finalizer, and not get another image."""
        before = {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "p", "namespace": "shop", "finalizers": ["batch.kubernetes.io/job-tracking"]},
            "spec": {"hostPID": True, "containers": [self.container("BPF")]}}
        after = copy.deepcopy(before)
        del after["metadata"]["finalizers"]
        said = answers([question(self.POLICY, after, before, {"image": self.IMAGE},
                                 operation="UPDATE")])
        self.assertEqual(said, [{"matches": False}])
        after = copy.deepcopy(before)
        after["spec"]["containers"][0]["image"] = "evil"
        del before["spec"]["hostPID"], after["spec"]["hostPID"]
        said = answers([question(self.POLICY, after, before, {"image": self.IMAGE},
                                 operation="UPDATE")])[0]
        self.assertEqual(len(said["denied"]), 1)
        debug = copy.deepcopy(before)
        debug["spec"]["ephemeralContainers"] = [self.container("PERFMON", name="debugger")]
        said = answers([question(self.POLICY, debug, before, {"image": self.IMAGE},
                                 operation="UPDATE", subresource="ephemeralcontainers")])[0]
        self.assertIn("debugger", said["denied"][0])

    def test_where_and_when(self):
        policy, binding = documents(MANIFESTS / "guard" / "guard.yaml")
        self.assertEqual(binding["spec"]["policyName"], policy["metadata"]["name"])
        self.assertEqual(binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"],
                         {"sidelight.dev/guard": "enforce"})
        self.assertEqual(binding["spec"]["paramRef"]["parameterNotFoundAction"], "Deny")
        self.assertEqual(policy["spec"]["failurePolicy"], "Fail")


if __name__ == "__main__":
    main()
