#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
What the API server evaluates by itself: the policy that injects, compared with the
webhook field by field; which objects reach the webhook. The guard: test_guard.

CEL is evaluated by an independent implementation; `make check-policy` runs
the same cases through the API server's own code.
"""
import copy

import yaml

import harness
import kubernetes
from admission import Server, job_of, pod, pod_of, template_of, workload
from harness import Case, main
from test_webhook import HOSTILE, SHAPES, SKIPPED

MANIFESTS = harness.ROOT / "webhook-manifests"
WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
RESOURCES = {"Deployment": "deployments", "StatefulSet": "statefulsets", "Job": "jobs",
             "DaemonSet": "daemonsets", "CronJob": "cronjobs", "Pod": "pods"}


DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
# Configured, said in an annotation, is permitted.
IMAGES = [
    ("sidelight:1", "sidelight:1", True), ("sidelight:1", "sidelight", True),
    ("sidelight:1", "sidelight:2", True), ("sidelight:1", "sidelight@" + DIGEST, True),
    ("sidelight:1", "library/sidelight:2", True), ("sidelight:1", "docker.io/sidelight", True),
    ("sidelight:1", "docker.io/library/sidelight:2@" + DIGEST, True),
    ("sidelight:1", "index.docker.io/library/sidelight", True),
    ("sidelight:1", "sidelights:1", False), ("sidelight:1", "x/sidelight:1", False),
    ("sidelight:1", "sidelight/x", False), ("sidelight:1", "library/library/sidelight", False),
    ("sidelight:1", "docker.io.example/sidelight", False), ("sidelight:1", "sidelight-x", False),
    ("sidelight:1", "localhost/sidelight:1", False), ("sidelight:1", "a.b/sidelight:1", False),
    ("sidelight:1", "docker.io:443/library/sidelight", False), ("sidelight:1", "evil", False),
    ("team/app", "docker.io/team/app:7", True), ("team/app", "library/team/app", False),
    ("docker.io/library/sidelight:1", "sidelight", True), ("docker.io/x", "library/x", True),
    ("index.docker.io/team/app", "team/app", True), ("team/app", "Team/team/app", False),
    ("docker.io/a.b/c", "a.b/c", False), ("docker.io/a.b/c", "index.docker.io/a.b/c:1", True),
    ("docker.io/localhost/c", "localhost/c", False), ("localhost/c", "localhost/c:2", True),
    ("a.b/c:1", "a.b/c:2", True), ("a.b/c:1", "axb/c:1", False), ("a.b/c:1", "a.b/c/d:1", False),
    ("a.b/c:1", "a.b:443/c:1", False), ("a.b/c:1", "A.b/c:1", False), ("a.b/c:1", "b/c", False),
    ("a.b/c:1", "docker.io/a.b/c:1", False), ("a.b:5000/c", "a.b:5000/c:1", True),
    ("a.b:5000/c", "a.b/c:5000", False), ("a.b:5000/c/d.e", "a.b:5000/c/d.e:9", True),
    ("a.b:5000/c/d.e", "a.b:5000/c/dxe", False), ("Reg/c:1", "Reg/c", True),
    ("Reg/c:1", "reg/c:1", False), ("reg:1/c", "reg:1/c:2", True),
    ("a.b/c@" + DIGEST, "a.b/c@" + DIGEST, True), ("a.b/c@" + DIGEST, "a.b/c:2", False),
    ("a.b/c@" + DIGEST, "a.b/c:9@" + DIGEST, True), ("a.b/c@" + DIGEST, "a.b/c@" + OTHER, False),
    ("a.b/c:1@" + DIGEST, "a.b/c@" + DIGEST, True), ("a.b/c:1@" + DIGEST, "a.b/c:1", False),
    ("a.b/c:1@" + DIGEST, "a.b/d:1@" + DIGEST, False),
]
# What counts as the administrator's veto although it is none of a parameter's two words.
MALFORMED = [" ", "\n", "false", "no", "0", "none", "nothing"]
VETOES = {
    "tls": ["OFF", "Off", "off ", " off", "off\n", "\noff", "keys ", "keys\n", "Keys", "keys,off",
            "of", "forbidden", "allowed"],
    "header-capture": ["Forbidden", "forbidden ", "forbidden\n", "allowed ", "Allowed", "off"],
    "syscall-counting": ["Forbidden", "forbidden ", "forbidden\n", "allowed ", "Allowed", "off"],
}


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



GUARD = documents(MANIFESTS / "guard" / "guard.yaml")[0]


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
        said = {"sidelight.dev/status": "injected"}
        for obj in (pod({"sidelight.dev/inject": "false"}), pod({"sidelight.dev/inject": "yes"}),
                    pod(metadata={"annotations": {}}),
                    pod(said, {"initContainers": [{"name": "sidelight", "image": "i"}]}),
                    pod(said, {"containers": [{"name": "sidelight", "image": "i"}]})):
            self.assertEqual(answers([question(self.POLICY, obj)]), [{"matches": False}])

    def test_the_second_time_it_does_not_match(self):
        once = outcomes([question(self.POLICY, pod())])[0]
        self.assertIn("sidelight", [c["name"] for c in once["spec"]["initContainers"]])
        self.assertEqual(answers([question(self.POLICY, once)]), [{"matches": False}])

    def test_skipped(self):
        cases = [(reason, pod(annotations, spec)) for annotations, spec, reason in SKIPPED]
        self.same(cases, Server(self))
        for (reason, _), obj in zip(cases, outcomes([question(self.POLICY, o) for _, o in cases])):
            status = obj["metadata"]["annotations"]["sidelight.dev/status"]
            self.assertTrue(status.startswith("not injected: "), status)
            self.assertIn(reason, status)

    def test_namespaces_that_would_refuse_it(self):
        for level in ("baseline", "restricted"):
            self.same([(level, pod())], Server(self), path="/mutate-pod/baseline",
                      labels={"pod-security.kubernetes.io/enforce": level})
        self.same([("privileged", pod())], Server(self), path="/mutate-pod/privileged",
                  labels={"pod-security.kubernetes.io/enforce": "privileged"})

    def test_clusters_that_would_refuse_it(self):
        """A default for namespaces without a label, which only the administrator knows."""
        level = "pod-security.kubernetes.io/enforce"
        for default in ("baseline", "restricted", "privileged"):
            server = Server(self, "--pod-security", default)
            for path, labels in (("", None), ("", {"team": "shop"}),
                                 ("/privileged", {level: "privileged"}),
                                 ("/baseline", {level: "baseline"})):
                data = {"pod-security": default}
                self.same([(f"{default}, {labels}", pod())], server, data=data,
                          path="/mutate-pod" + path, labels=labels)
                status = outcomes([question(self.POLICY, pod(), data=data, labels=labels)])[0][
                    "metadata"]["annotations"]["sidelight.dev/status"]
                if path == "/privileged" or (not path and default == "privileged"):
                    self.assertEqual(status, "injected")
                else:
                    self.assertIn("Pod Security Standard", status)
                    self.assertEqual("cluster" in status, not path)
        said = {"sidelight.dev/pod-security": "privileged"}
        self.same([("not by annotation", pod(said))], Server(self, "--pod-security", "baseline"),
                  data={"pod-security": "baseline"})

    def test_resources_of_the_whole_pod(self):
        """Raised by what is injected: the API server compares them with the containers'."""
        mine = {"resources": {"requests": {"cpu": "500m", "memory": "256Mi"},
                              "limits": {"cpu": "1", "memory": "1Gi"}}}
        cases = []
        for resources in (
            mine["resources"], {"requests": {"cpu": "500m"}}, {"limits": {"memory": "268435456"}},
            {"limits": {"cpu": "1500m", "memory": "1.5Gi"}}, {"requests": {"memory": "128k"}},
            {"requests": {"memory": "1e9"}, "limits": {"memory": "2G"}}, {}, {"requests": {}},
            {"limits": {"hugepages-2Mi": "4Mi", "cpu": "0.1"}}, {"limits": {"cpu": "2.5"}},
        ):
            for said in ({}, {"cpu": "0.25", "cpu-limit": "1", "memory-limit": "200M"},
                         {"native": "false", "memory": "1Gi"}):
                annotations = {f"sidelight.dev/{k}": v for k, v in said.items()}
                cases.append((f"{resources} {said}", pod(annotations, {"resources": resources})))
        self.same(cases, Server(self))
        container = {"name": "app", "image": "a:1", **mine}
        before = pod(spec={"containers": [container], **mine})
        answer = Server(self).review(before)
        now = kubernetes.patched([(before, answer.patch)])[0]
        self.assertEqual(now["spec"]["resources"], {
            "requests": {"cpu": "510m", "memory": str(288 << 20)},
            "limits": {"cpu": "1010m", "memory": str((1024 + 128) << 20)}})
        self.assertEqual(kubernetes.invalid([now]), [[]])

    def test_hostile_annotations(self):
        # The webhook reads a string up to a NUL, as C does; the policy refuses all of it.
        cases = [(f"{name}: {value!r}", pod({f"sidelight.dev/{name}": value}))
                 for name, values in HOSTILE.items() for value in values if "\0" not in value]
        self.same(cases, Server(self))

    def test_hostile_parameters(self):
        """What the ConfigMap says wrong is as if it did not say it, unless it may be a veto."""
        good = outcomes([question(self.POLICY, pod())])[0]
        asked = [question(self.POLICY, pod(), data={name: value})
                 for name, values in HOSTILE.items() for value in values
                 if name not in VETOES or not value]
        for one, obj in zip(asked, outcomes(asked)):
            with self.subTest(one["params"]["data"]):
                self.assertEqual(obj, good)

    def test_who_chooses_the_image(self):
        """Webhook, policy and guard read references alike: (configured, said, is permitted)."""
        pods = {said: pod({"sidelight.dev/image": said}) for _, said, _ in IMAGES}
        for configured in sorted({one[0] for one in IMAGES}):
            mine = [(said, is_permitted) for c, said, is_permitted in IMAGES if c == configured]
            cases = [(f"{configured}: {said}", pods[said]) for said, _ in mine]
            server = Server(self, "--image", configured)
            self.same(cases, server, data={"image": configured})
            made = outcomes([question(self.POLICY, pods[said], data={"image": configured})
                             for said, _ in mine])
            judged = []
            for (said, is_permitted), obj in zip(mine, made):
                status = obj["metadata"]["annotations"]["sidelight.dev/status"]
                self.assertEqual(status == "injected", is_permitted, (configured, said, status))
                chosen = outcomes([question(self.POLICY, pods[said], data={
                    "image": configured, "image-choice": "any"})])[0]
                self.assertEqual(chosen["spec"]["initContainers"][0]["image"], said)
                judged.append(question(GUARD, chosen, data={"image": configured}))
            for (said, is_permitted), answer in zip(mine, answers(judged)):
                self.assertEqual(not answer.get("denied"), is_permitted, (configured, said))

    def test_any_image_where_the_administrator_says_so(self):
        cases = [(said, pod({"sidelight.dev/image": said})) for _, said, _ in IMAGES]
        self.same(cases, Server(self, "--image-choice", "any"), data={"image-choice": "any"})
        for annotations in ({"image-choice": "any", "image": "registry.example/mine:1"},
                            {"image-choice": "any"}):
            said = {f"sidelight.dev/{k}": v for k, v in annotations.items()}
            self.same([("not by annotation", pod(said))], Server(self))
            status = outcomes([question(self.POLICY, pod(said))])[0]["metadata"]["annotations"]
            self.assertEqual(status["sidelight.dev/status"] == "injected",
                             "image" not in annotations)

    def test_volumes_of_our_name(self):
        ours = outcomes([question(self.POLICY, pod())])[0]["spec"]["volumes"][0]
        source = ours["downwardAPI"]
        items = [{**i, "fieldRef": {**i["fieldRef"], "apiVersion": "v1"}} for i in source["items"]]
        cases = []
        for volume, is_ours in (
            (ours, True), ({**ours, "downwardAPI": {"items": items, "defaultMode": 420}}, True),
            ({**ours, "downwardAPI": {"items": items[:1]}}, True),
            ({**ours, "downwardAPI": {"items": items, "defaultMode": 511}}, False),
            ({**ours, "downwardAPI": {"items": [{**items[0], "path": "x"}]}}, False),
            ({**ours, "downwardAPI": {"items": [{**items[0], "mode": 511}]}}, False),
            ({**ours, "emptyDir": {}}, False), ({"name": ours["name"], "emptyDir": {}}, False),
            ({"name": ours["name"], "configMap": {"name": "mine"}}, False),
        ):
            obj = pod(spec={"volumes": [volume]})
            cases.append((str(volume), obj))
            made = outcomes([question(self.POLICY, obj)])[0]
            status = made["metadata"]["annotations"]["sidelight.dev/status"]
            self.assertEqual(status == "injected", is_ours, volume)
        self.same(cases, Server(self))

    def test_values_that_depend_on_others(self):
        cases = []
        for annotations in (
            {"export": "push", "push": "http://gw"}, {"export": "push"},
            {"export": "scrape", "push": "http://gw"}, {"export": "both"},
            {}, {"push": "http://gw"}, {"push": "nowhere"}, {"export": "both", "push": "http://gw"},
            {"cpu": "100m", "cpu-limit": "50m"}, {"cpu": "0.5", "cpu-limit": "1"},
            {"cpu": "2", "cpu-limit": "500m"}, {"memory": "1Gi"}, {"memory": "200M"},
            {"memory": "64Mi", "memory-limit": "64M"}, {"memory-limit": "1G"},
            {"native": "false", "pull-policy": "Never", "cpu-limit": "1"},
            {"native": "false", "export": "push", "log-level": "warn"},
        ):
            said = {f"sidelight.dev/{k}": v for k, v in annotations.items()}
            cases.append((str(annotations), pod(said)))
        self.same(cases, Server(self))
        gateway = "http://gw:9091"
        for export in ("", "push", "scrape", "both"):
            flags = ["--export", export] if export else []
            data = {"push": gateway} | ({"export": export} if export else {})
            self.same(cases, Server(self, "--push", gateway, *flags), data=data)

    def test_veto(self):
        """
        Where the administrator says off, no annotation lifts it; a typing error may mean off.
        The webhook does not start with one.
        """
        cases = [(str(said), pod({"sidelight.dev/tls": said} if said else {}))
                 for said in ("keys", "off", "nothing", None)]
        for configured in None, "", "keys", "off":
            flags = ["--tls", configured] if configured else []
            data = {} if configured is None else {"tls": configured}
            self.same(cases, Server(self, *flags), data=data)
        off = Server(self, "--tls", "off")
        for configured in MALFORMED + VETOES["tls"]:
            self.same(cases, off, data={"tls": configured})
            self.same(cases, off, data={"tls": configured, "tls-capability": "SYS_ADMIN"})

    def test_the_capability_for_tls(self):
        """Of the ConfigMap alone, and for Pods that decrypt."""
        cases = [(str(said), pod(said)) for said in (
            None, {"sidelight.dev/tls": "off"}, {"sidelight.dev/tls-capability": "SYS_ADMIN"})]
        for data in ({}, {"tls-capability": "SYS_ADMIN"}, {"tls-capability": "SYS_MODULE"},
                     {"tls-capability": "SYS_ADMIN", "tls": "off"}):
            flags = [word for name, value in data.items() for word in (f"--{name}", value)]
            if "SYS_MODULE" in flags:  # no value of it
                flags = []
            self.same(cases, Server(self, *flags), data=data)

    def test_forbidden(self):
        """What the administrator alone says is his, whatever annotations say."""
        for name in "header-capture", "syscall-counting":
            cases = [(said, pod({f"sidelight.dev/{name}": said}))
                     for said in ("forbidden", "allowed", "nothing")]
            for configured in "", "forbidden", "allowed":
                flags = [f"--{name}", configured] if configured else []
                self.same(cases, Server(self, *flags), data={name: configured})
            forbidden = Server(self, f"--{name}", "forbidden")
            for configured in MALFORMED + VETOES[name]:
                self.same(cases, forbidden, data={name: configured})

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

    def test_pods_that_end_by_themselves(self):
        """Their group stays in the gateway, unless an annotation says otherwise."""
        push = "http://gw:9091"
        server = Server(self, "--push", push)
        for policy in ("Never", "OnFailure", "Always", None):
            for said, wanted in ((None, "keep" if policy in ("Never", "OnFailure") else None),
                                 ("delete", "delete"), ("keep", "keep")):
                annotations = {"sidelight.dev/push-on-exit": said} if said else {}
                obj = pod(annotations, {"restartPolicy": policy} if policy else {})
                if not policy:
                    del obj["spec"]["restartPolicy"]
                self.same([(f"{policy} {said}", obj)], server, data={"push": push})
                made = outcomes([question(self.POLICY, obj, data={"push": push})])[0]
                environment = {e["name"]: e.get("value")
                               for e in made["spec"]["initContainers"][0]["env"]}
                self.assertEqual(environment.get("SIDELIGHT_PUSH_ON_EXIT"), wanted)
        scraped = pod({"sidelight.dev/export": "scrape"}, {"restartPolicy": "Never"})
        self.same([("nothing is pushed", scraped)], server, data={"push": push})

    def test_pods_of_a_cronjob(self):
        """The webhook carries, the policy injects: each Pod as the webhook would make it."""
        server = Server(self)
        cronjob = workload("CronJob", {"sidelight.dev/inject": "true"}, name="report")
        patch = server.review(cronjob).patch
        job = job_of(kubernetes.patched([(cronjob, patch)])[0])
        self.assertEqual(server.review(job).patch, [])
        self.same([("the Pod of its Job", pod_of(job))], server)
        made = outcomes([question(self.POLICY, pod_of(job))])[0]
        self.assertEqual(made["metadata"]["annotations"]["sidelight.dev/status"], "injected")

    def test_what_comes_out_is_a_pod(self):
        asked = [question(self.POLICY, obj, data={"push": "http://gw:9091"}) for _, obj in SHAPES]
        self.assertEqual(kubernetes.invalid(outcomes(asked)), [[]] * len(SHAPES))


class Calls(Case):
    """What reaches the webhook at all."""

    CONFIGURATION = documents(MANIFESTS / "webhook.yaml")[0]
    PODS = ["pods.sidelight.dev", "pods.privileged.sidelight.dev", "pods.baseline.sidelight.dev"]
    WORKLOADS = ["workloads.sidelight.dev", "workloads.privileged.sidelight.dev",
                 "workloads.baseline.sidelight.dev"]

    ASKING = ["asking.workloads.sidelight.dev", "asking.workloads.privileged.sidelight.dev"]

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
                self.assertEqual(self.called(asking, plain),
                                 self.WORKLOADS + self.ASKING * (kind != "Job"))
                self.assertEqual(self.called(plain, asking), self.WORKLOADS, "just removed")
                carried = workload(kind)
                template_of(carried).setdefault("metadata", {})["annotations"] = {
                    "sidelight.dev/carried": "inject"}
                self.assertEqual(self.called(carried, carried), self.WORKLOADS, "carried before")

    def test_the_job_of_a_cronjob(self):
        """It is asked about, since its template has what was carried."""
        cronjob = workload("CronJob", {"sidelight.dev/inject": "true"})
        template_of(cronjob)["metadata"]["annotations"] = {
            "sidelight.dev/inject": "true", "sidelight.dev/carried": "inject"}
        self.assertEqual(self.called(job_of(cronjob)), self.WORKLOADS)
        self.assertEqual(self.called(pod_of(job_of(cronjob))), self.PODS)

    def test_what_an_outage_refuses(self):
        """Only a change that adds the annotation and nothing else."""
        on = {"sidelight.dev/inject": "true"}
        plain, asking = workload("Deployment"), workload("Deployment", on)
        carried = copy.deepcopy(asking)
        template_of(carried)["metadata"]["annotations"] = {**on, "sidelight.dev/carried": "inject"}
        scaled = copy.deepcopy(asking)
        scaled["spec"]["replicas"] = 9
        owned = copy.deepcopy(asking)
        owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Shop", "name": "s",
                                                 "uid": "u", "controller": True}]
        for why, obj, old, is_refused in (
            ("annotated", asking, plain, True), ("created", asking, None, False),
            ("removed again", plain, carried, False), ("with other changes", scaled, plain, False),
            ("unrelated", carried, carried, False), ("missed before", asking, asking, False),
            ("an operator's", owned, plain, False), ("not asked for", plain, plain, False),
        ):
            names = [w["name"] for w in self.CONFIGURATION["webhooks"]
                     if w["failurePolicy"] == "Fail" and w["name"] in self.called(obj, old)]
            self.assertEqual(names, self.ASKING * is_refused, why)

    def test_a_workload_without_metadata_in_its_template(self):
        bare = workload("CronJob")
        template_of(bare).pop("metadata", None)
        self.assertEqual(self.called(bare), [])


if __name__ == "__main__":
    main()
