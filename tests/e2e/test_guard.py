#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Who may have sidelight's capabilities where the guard is in force: what webhook and
policy inject and what `kubectl sidelight` adds, in every variation, and nobody else.
"""
import copy
import os

import harness
import kubernetes
from admission import Server, pod
from harness import Case, main
from test_policy import MALFORMED, MANIFESTS, VETOES, WEBHOOK, answers, documents, outcomes, question
from test_policy import setUpModule  # noqa: F401 (unittest calls it)
from test_webhook import SHAPES, SKIPPED

INJECTION = documents(MANIFESTS / "policy" / "policy.yaml")[0]
# A value of each annotation that webhook and policy take.
GOOD = [
    ("image", "registry.example/sidelight:2"), ("image", "registry.example/other:1"),
    ("pull-policy", "Always"), ("native", "true"), ("native", "false"), ("cpu", "50m"),
    ("cpu-limit", "0.5"), ("memory", "1Gi"), ("memory-limit", "256Mi"), ("export", "push"),
    ("export", "scrape"), ("export", "both"), ("metrics-port", "19465"),
    ("push", "https://user@gw.team.svc:9091/x?y=(1)"), ("push-interval", "500ms"),
    ("otlp", "https://user@collector.team.svc:4318/x"), ("histograms", "both"), ("by", "process"),
    ("containers", "app,other"), ("routes", "/a/{id},/b/*"), ("log-level", "debug"),
    ("workload", "shop"), ("image-choice", "any"), ("tls", "keys"), ("tls", "off"),
]


def with_defaults(obj):
    """As the API server has it when a policy that validates sees it."""
    obj = copy.deepcopy(obj)
    spec = obj["spec"]
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for one in spec.get(kind, []):
            one.setdefault("terminationMessagePath", "/dev/termination-log")
            one.setdefault("terminationMessagePolicy", "File")
            one.setdefault("imagePullPolicy", "IfNotPresent")
            one.setdefault("resources", {})
            for entry in one.get("env", []):
                entry.get("valueFrom", {}).get("fieldRef", {}).setdefault("apiVersion", "v1")
    for volume in spec.get("volumes", []):
        if "downwardAPI" in volume:
            volume["downwardAPI"].setdefault("defaultMode", 0o644)
            for item in volume["downwardAPI"]["items"]:
                item["fieldRef"].setdefault("apiVersion", "v1")
    spec.setdefault("securityContext", {})
    spec.setdefault("restartPolicy", "Always")
    return obj


def changed(obj, *path_and_value):
    """A copy in which the member at this path has another value; DELETE: is not there."""
    obj = copy.deepcopy(obj)
    *path, last, value = path_and_value
    at = obj
    for step in path:
        at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
    if value is DELETE:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return obj


DELETE = object()
OURS = ["BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON"]
SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
PROBE = {"exec": {"command": ["/evil"]}}

# What a user of the namespace may try with the container that is injected: (path, value).
HOSTILE_MEMBERS = [
    ("name", "app2"), ("name", "sidelight-x"), ("image", "evil"), ("image", ""),
    ("image", "registry.example/sidelight-evil:1"), ("image", "registry.example/sidelight/x:1"),
    ("image", "evil.example/registry.example/sidelight:1"), ("image", "sidelight:1"),
    ("image", "registry.example:5000/sidelight:1"), ("image", "registryxexample/sidelight:1"),
    ("image", "Registry.example/sidelight:1"), ("image", "registry.example/sidelight:1@sha256:.."),
    ("image", "registry.example/sidelight:1\n"), ("image", " registry.example/sidelight:1"),
    ("command", ["/tmp/evil"]), ("args", ["run", "--", "sh"]), ("args", ["doctor"]),
    ("args", []), ("args", DELETE), ("args", ["run", "--cgroup", "/sys/fs/cgroup"]),
    ("workingDir", "/tmp"), ("envFrom", [{"configMapRef": {"name": "c"}}]),
    ("lifecycle", {"postStart": PROBE}), ("livenessProbe", PROBE), ("startupProbe", PROBE),
    ("readinessProbe", {"httpGet": {"port": 80}}), ("stdin", True), ("stdinOnce", True),
    ("tty", True), ("volumeDevices", [{"name": "d", "devicePath": "/dev/sda"}]),
    ("terminationMessagePath", "/usr/bin/sidelight"), ("terminationMessagePolicy", "File"),
    ("restartPolicy", DELETE), ("restartPolicy", "Never"), ("restartPolicyRules", [
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]),
    ("resources", "claims", [{"name": "gpu"}]),
    ("resources", "limits", "example.com/device", "1"),
    ("env", 0, {"name": "LD_PRELOAD", "value": "/etc/sidelight/podinfo/labels"}),
    ("env", 0, {"name": "SIDELIGHT_CGROUP", "value": "/sys/fs/cgroup"}),
    ("env", 0, {"name": "SIDELIGHT_PUSH_TOKEN_FILE", "value": "/proc/1/environ"}),
    ("env", 0, {"name": "SIDELIGHT_NAMESPACE", "value": "other"}),
    ("env", 0, {"name": "SIDELIGHT_PUSH", "valueFrom": SECRET}),
    ("env", 0, {"name": "SIDELIGHT_POD", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}),
    ("env", 0, {"name": "SIDELIGHT_POD", "valueFrom": {"fileKeyRef": {"key": "k"}}}),
    ("env", 0, {"name": "SIDELIGHT_METRICS_LISTEN", "value": "0.0.0.0:9465"}),
    ("env", 0, {"name": "SIDELIGHT_METRICS_LISTEN", "value": "x:9465"}),
    ("env", 0, {"name": "SIDELIGHT_ROUTES", "value": "/$(HOME)"}),
    ("ports", 0, "hostPort", 9465), ("ports", 0, "hostIP", "127.0.0.1"),
    ("ports", 1, {"name": "ssh", "containerPort": 22, "protocol": "TCP"}),
    ("ports", 0, "protocol", "UDP"),
    ("volumeMounts", 0, "subPath", "x"), ("volumeMounts", 0, "subPathExpr", "$(X)"),
    ("volumeMounts", 0, "readOnly", False), ("volumeMounts", 0, "mountPropagation", "Bidirectional"),
    ("volumeMounts", 0, "mountPath", "/usr/bin"), ("volumeMounts", 0, "name", "evil"),
    ("volumeMounts", 2, {"name": "evil", "mountPath": "/usr/lib"}),
    ("volumeMounts", 2, {"name": "evil", "mountPath": "/run/sidelight"}),
    ("volumeMounts", 2, {"name": "disk", "mountPath": "/run/sidelight"}),
    ("volumeMounts", 2, {"name": "memory", "mountPath": "/run/sidelight", "subPath": "x"}),
    ("volumeMounts", 2, {"name": "memory", "mountPath": "/usr/bin"}),
    ("securityContext", "runAsUser", 1000), ("securityContext", "privileged", True),
    ("securityContext", "allowPrivilegeEscalation", True),
    ("securityContext", "readOnlyRootFilesystem", False),
    ("securityContext", "seccompProfile", {"type": "Unconfined"}),
    ("securityContext", "seccompProfile", {"type": "Localhost", "localhostProfile": "open"}),
    ("securityContext", "seccompProfile", DELETE),
    ("securityContext", "appArmorProfile", {"type": "Unconfined"}),
    ("securityContext", "procMount", "Unmasked"),
    ("securityContext", "seLinuxOptions", {"type": "spc_t"}),
    ("securityContext", "windowsOptions", {"hostProcess": True}),
    ("securityContext", "capabilities", "add", OURS + ["SYS_ADMIN"]),
    ("securityContext", "capabilities", "add", OURS + ["CHOWN"]),
    ("securityContext", "capabilities", "drop", DELETE),
]

EVIL = {"name": "sidelight-podinfo", "configMap": {"name": "evil"}}
EVIL_ITEM = {"path": "../x", "fieldRef": {"fieldPath": "metadata.labels"}}
# ... and with the Pod around it.
HOSTILE_PODS = [
    ("spec", "volumes", 0, EVIL), ("spec", "volumes", 0, {**EVIL, "emptyDir": {}}),
    ("spec", "volumes", 0, {"name": "sidelight-podinfo", "image": {"reference": "evil"}}),
    ("spec", "volumes", 0, "downwardAPI", "defaultMode", 0o777),
    ("spec", "volumes", 0, "downwardAPI", "items", 0, EVIL_ITEM),
    ("spec", "volumes", 3, {"name": "h", "hostPath": {"path": "/"}}),
    ("spec", "hostPID", True), ("spec", "hostIPC", True), ("spec", "hostNetwork", True),
    ("spec", "securityContext", "seccompProfile", {"type": "Unconfined"}),
    ("spec", "securityContext", "appArmorProfile", {"type": "Unconfined"}),
    ("spec", "securityContext", "seLinuxOptions", {"type": "spc_t"}),
    ("spec", "securityContext", "seLinuxOptions", {"user": "root"}),
    ("spec", "securityContext", "windowsOptions", {"hostProcess": True}),
    ("spec", "securityContext", "sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("metadata", "annotations", "container.apparmor.security.beta.kubernetes.io/sidelight",
     "unconfined"),
    ("spec", "containers", 0, "securityContext", {"privileged": True}),
    ("spec", "containers", 0, "securityContext", {"capabilities": {"add": ["BPF"]}}),
    ("spec", "containers", 0, "securityContext", {"capabilities": {"add": ["SYS_ADMIN"]}}),
    ("spec", "containers", 0, "securityContext", {"capabilities": {"add": ["ALL"]}}),
    ("spec", "containers", 0, "securityContext", {"capabilities": {"add": ["CAP_BPF"]}}),
    ("spec", "containers", 0, "securityContext", {"procMount": "Unmasked"}),
    ("spec", "containers", 0, "securityContext", {"seccompProfile": {"type": "Unconfined"}}),
]

HARMLESS = [
    ("spec", "containers", 0, "securityContext", {"capabilities": {"add": ["CHOWN"]}}),
    ("spec", "containers", 0, "securityContext", {"seLinuxOptions": {"type": "container_t"}}),
    ("spec", "securityContext", {"runAsUser": 1000, "fsGroup": 2000, "supplementalGroups": [1]}),
    ("spec", "securityContext", "sysctls", [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
    ("spec", "initContainers", 0, "image", "registry.example/sidelight"),
    ("spec", "initContainers", 0, "image", "registry.example/sidelight:2"),
    ("spec", "initContainers", 0, "image", "registry.example/sidelight:2@sha256:" + "b" * 64),
    ("spec", "initContainers", 0, "resources", {"limits": {"cpu": "250m", "memory": "1Gi"}}),
    ("spec", "initContainers", 0, "resizePolicy",
     [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]),
    ("spec", "initContainers", 0, "securityContext", "procMount", "Default"),
    ("spec", "initContainers", 0, "volumeMounts", 2,
     {"name": "memory", "mountPath": "/run/sidelight"}),
    ("metadata", "annotations", "container.apparmor.security.beta.kubernetes.io/sidelight",
     "runtime/default"),
]


class Guard(Case):
    POLICY = documents(MANIFESTS / "guard" / "guard.yaml")[0]
    IMAGE = "registry.example/sidelight:1"
    VOLUMES = [{"name": "evil", "configMap": {"name": "c"}}, {"name": "disk", "emptyDir": {}},
               {"name": "memory", "emptyDir": {"medium": "Memory"}}]

    def denials(self, pods, data=None):
        data = {"image": self.IMAGE} if data is None else data
        return [one.get("denied", []) for one in answers(
            [question(self.POLICY, obj, data=data) for obj in pods])]

    def denied(self, spec, data=None):
        return self.denials([{
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"containers": [{"name": "app", "image": "a"}], **spec}}], data)[0]

    def injected(self, annotations=None):
        """What the policy, and so the webhook, makes of a Pod, with some more volumes."""
        said = outcomes([question(INJECTION, pod(annotations), data={"image": self.IMAGE})])
        said[0]["spec"]["volumes"] += copy.deepcopy(self.VOLUMES)
        return with_defaults(said[0])

    def test_it_is_what_the_program_makes(self):
        made = harness.run([WEBHOOK, "guard"]).stdout
        self.assertEqual(made, (MANIFESTS / "guard" / "guard.yaml").read_text(),
                         "webhook-manifests/guard/guard.yaml: run `make policy`")

    def test_all_that_is_injected_passes(self):
        """By webhook and policy, with every annotation, with and without defaults."""
        cases = [obj for _, obj in SHAPES if not obj["spec"].get("hostNetwork")]
        cases += [pod({f"sidelight.dev/{name}": value}) for name, value in GOOD]
        cases += [pod(annotations, spec) for annotations, spec, _ in SKIPPED
                  if "hostPID" not in spec and "hostNetwork" not in spec]
        server = Server(self, "--image", self.IMAGE, "--push", "http://gw:9091")
        made = outcomes([question(INJECTION, obj, data={"image": self.IMAGE})
                         for obj in cases])
        made += kubernetes.patched([(obj, server.review(copy.deepcopy(obj)).patch)
                                    for obj in cases])
        adding = [obj for obj in made if "BPF" in str(obj)]
        self.assertGreater(len(adding), 2 * len(GOOD))
        for obj, bare, full in zip(made, self.denials(made),
                                   self.denials([with_defaults(obj) for obj in made])):
            self.assertEqual((bare, full), ([], []), obj)

    def on_demand(self, env):
        """The ephemeral container of `kubectl sidelight top`."""
        template = self.injected()["spec"]["initContainers"][0]
        pod_name = [e for e in template["env"] if e["name"] == "SIDELIGHT_POD"]
        return {"name": "sidelight-top-1-2", "image": self.IMAGE, "args": ["top"],
                "env": pod_name + env, "securityContext": template["securityContext"],
                "stdin": True, "tty": True, "targetContainerName": "app",
                "imagePullPolicy": "IfNotPresent"}

    def denials_on_demand(self, containers, data):
        """... of such containers, one by one, in a Pod that runs."""
        before = self.injected()
        after = [with_defaults(changed(before, "spec", "ephemeralContainers", [one]))
                 for one in containers]
        return [one.get("denied", []) for one in answers(
            [question(self.POLICY, obj, before, data, operation="UPDATE",
                      subresource="ephemeralcontainers") for obj in after])]

    def test_hostile_containers(self):
        for native, kind in ((None, "initContainers"), ("false", "containers")):
            obj = self.injected(native and {"sidelight.dev/native": native})
            index = 0 if kind == "initContainers" else 1
            self.assertEqual(self.denials([obj]), [[]])
            tries = [t for t in HOSTILE_MEMBERS if native is None or t[0] != "restartPolicy"]
            pods = [changed(obj, "spec", kind, index, *one) for one in tries]
            for one, obj_tried, denied in zip(tries, pods, self.denials(pods)):
                with self.subTest(kind=kind, member=one):
                    self.assertNotEqual(denied, [])
                    name = obj_tried["spec"][kind][index]["name"]
                    self.assertIn(f"container {name}", denied[0])
        always = changed(obj, "spec", "containers", 1, "restartPolicy", "Always")
        self.assertNotEqual(self.denials([always]), [[]], "a plain container is no native one")

    def test_hostile_pods(self):
        obj = self.injected()
        pods = [changed(obj, *one) for one in HOSTILE_PODS]
        for one, denied in zip(HOSTILE_PODS, self.denials(pods)):
            with self.subTest(one):
                self.assertEqual(len(denied), 1)
        pods = [changed(obj, *one) for one in HARMLESS]
        for one, denied in zip(HARMLESS, self.denials(pods)):
            with self.subTest(one):
                self.assertEqual(denied, [])

    def test_the_same_name_twice(self):
        """The API server takes no Pod like this; the guard does not depend on it."""
        obj = self.injected()
        evil = changed(obj, "spec", "initContainers", 0, "command", ["/evil"])
        evil = evil["spec"]["initContainers"][0]
        for kind, why in (("containers", "restartPolicy"), ("initContainers", "command")):
            twice = copy.deepcopy(obj)
            twice["spec"][kind].append(evil)
            self.assertIn(f"container sidelight: {why}: not what", self.denials([twice])[0][0])

    def test_a_member_of_an_api_to_come(self):
        """An API server that does not know a member drops it; one that does shows it to CEL."""
        if "EVALUATOR" in os.environ:
            self.skipTest("the API server's decoder drops it")
        obj = self.injected()
        for path in ((), ("securityContext",), ("volumeMounts", 0), ("env", 0), ("ports", 0),
                     ("resources",), ("securityContext", "capabilities")):
            future = changed(obj, "spec", "initContainers", 0, *path, "toCome", {"x": 1})
            self.assertEqual(len(self.denials([future])[0]), 1, path)

    def test_one_among_many(self):
        many = [{"name": f"c{n}", "image": "a", "securityContext": {
            "capabilities": {"add": ["KILL"]}}} for n in range(30)]
        self.assertEqual(self.denied({"containers": many}), [])
        many[17]["securityContext"]["capabilities"]["add"] = ["BPF"]
        self.assertIn("c17", self.denied({"containers": many})[0])

    def test_without_an_image_nobody_may(self):
        for data in ({}, {"image": ""}, {"image": "no image"}, {"image-choice": "any"}):
            for image in ("", "sidelight:0.1.0", ":1", "library/"):
                obj = changed(self.injected(), "spec", "initContainers", 0, "image", image)
                self.assertEqual(len(self.denials([obj], data)[0]), 1, (data, image))

    def test_any_image_where_the_administrator_says_so(self):
        obj = changed(self.injected(), "spec", "initContainers", 0, "image", "my.registry/build:7")
        for choice, is_allowed in (("any", True), ("repository", False), ("Any", False)):
            denied = self.denials([obj], {"image": self.IMAGE, "image-choice": choice})[0]
            self.assertEqual(denied == [], is_allowed, choice)

    def test_no_secrets_where_the_administrator_says_so(self):
        keys, off, unsaid = (self.injected({"sidelight.dev/tls": said} if said else None)
                             for said in ("keys", "off", None))
        for configured in ({}, {"tls": ""}, {"tls": "keys"}):
            data = {"image": self.IMAGE, **configured}
            self.assertEqual(self.denials([keys, off, unsaid], data), [[], [], []])
        for word in ["off"] + MALFORMED + VETOES["tls"]:
            denied = self.denials([keys, off, unsaid], {"image": self.IMAGE, "tls": word})
            self.assertEqual(denied[1], [], word)
            for said in denied[0], denied[2]:
                self.assertIn("container sidelight: env SIDELIGHT_TLS", str(said), word)

    def test_no_secrets_on_demand_where_the_administrator_says_so(self):
        """An ephemeral container decrypts unless it is told not to: so it has to be told."""
        keys, off, on = ([{"name": "SIDELIGHT_TLS", "value": word}] for word in
                         ("keys", "off", "on"))
        for tls, env, is_allowed in (
            ("off", off, True), ("off", [], False), ("off", keys, False), ("off", on, False),
            ("off", off + keys, False), ("off", keys + off, False), ("keys", [], True),
            ("keys", keys, True), ("keys", off, True), ("", [], True), (None, [], True),
            ("OFF", [], False), ("false", keys, False), ("off ", [], False), ("no", off, True),
        ):
            with self.subTest(tls=tls, env=env):
                data = {"image": self.IMAGE, **({} if tls is None else {"tls": tls})}
                denied = self.denials_on_demand([self.on_demand(env)], data)[0]
                self.assertEqual(denied == [], is_allowed, denied)
                for line in denied:
                    self.assertIn("container sidelight-top-1-2: env", line)

    def test_the_capability_for_tls(self):
        """SYS_ADMIN where the administrator grants it, to sidelight's own container only."""
        granted = {"image": self.IMAGE, "tls-capability": "SYS_ADMIN"}
        plain = {"image": self.IMAGE}
        path = ("spec", "initContainers", 0, "securityContext", "capabilities", "add")
        said = outcomes([question(INJECTION, pod(annotations), data=data)
                         for data in (granted, {**granted, "tls": "off"}, plain)
                         for annotations in (None, {"sidelight.dev/tls": "off"})])
        added = [one["spec"]["initContainers"][0]["securityContext"]["capabilities"]["add"]
                 for one in said]
        self.assertEqual(added, [OURS + ["SYS_ADMIN"]] + 5 * [OURS])
        injected = with_defaults(said[0])
        for data, wanted in (
            (granted, True), (plain, False), ({**plain, "tls-capability": ""}, False),
            ({**plain, "tls-capability": "ALL"}, False), ({**plain, "tls": "keys"}, False),
            ({**plain, "tls-capability": "SYS_ADMIN,SYS_MODULE"}, False),
            ({**granted, "tls": "keys"}, True), ({**granted, "tls": ""}, True),
            ({**granted, "tls": "off"}, False), ({**granted, "tls": "OFF"}, False),
        ):
            denied = self.denials([injected], data)[0]
            self.assertEqual(denied == [], wanted, (data, denied))
        # Nor does a container get it that is told not to decrypt, where that is forbidden.
        told = changed(said[2], *path, OURS + ["SYS_ADMIN"])
        self.assertEqual(self.denials([said[2]], {**granted, "tls": "off"}), [[]])
        for tls in "off", "no":
            denied = self.denials([told], {**granted, "tls": tls})[0]
            self.assertIn("must not add capabilities", str(denied))
        # "" is no capability, granted or not.
        for data in plain, granted, {**granted, "tls": "off"}:
            for obj in (changed(said[2], *path, OURS + [""]), changed(said[2], *path, [""])):
                self.assertNotEqual(self.denials([obj], data)[0], [], data)
            self.assertNotEqual(self.denied({"containers": [
                {"name": "app", "image": "a", "securityContext": {"capabilities": {"add": [""]}}},
            ]}, data), [])
        # Pods from before the grant stay as they are.
        self.assertEqual(self.denials([with_defaults(said[4])], granted), [[]])
        for names in (OURS + ["SYS_ADMIN", "SYS_MODULE"], OURS + ["ALL"], ["SYS_ADMIN"],
                      OURS + ["CAP_SYS_ADMIN"], OURS[:3] + ["SYS_ADMIN"]):
            denied = self.denials([changed(injected, *path, names)], granted)[0]
            self.assertNotEqual(denied, [], names)
        for one in HOSTILE_PODS[-6:]:  # a container beside it
            self.assertEqual(len(self.denials([changed(injected, *one)], granted)[0]), 1, one)
        tries = [t for t in HOSTILE_MEMBERS if OURS + ["SYS_ADMIN"] not in t]
        pods = [changed(injected, "spec", "initContainers", 0, *one) for one in tries]
        for one, denied in zip(tries, self.denials(pods, granted)):
            self.assertNotEqual(denied, [], one)

    def test_the_capability_for_tls_on_demand(self):
        capabilities = {"drop": ["ALL"], "add": OURS + ["SYS_ADMIN"]}
        debug = changed(self.on_demand([]), "securityContext", "capabilities", capabilities)
        for data, is_allowed in (({"tls-capability": "SYS_ADMIN"}, True), ({}, False),
                                 ({"tls-capability": "SYS_ADMIN", "tls": "keys"}, True),
                                 ({"tls-capability": "SYS_ADMIN", "tls": "off"}, False),
                                 ({"tls-capability": "SYS_ADMIN", "tls": "false"}, False),
                                 ({"tls-capability": "ALL"}, False)):
            denied = self.denials_on_demand([debug], {"image": self.IMAGE, **data})[0]
            self.assertEqual(denied == [], is_allowed, (data, denied))
        told = changed(debug, "env", self.on_demand([{"name": "SIDELIGHT_TLS", "value": "off"}])["env"])
        for data, is_allowed in (({}, True), ({"tls": "off"}, False)):
            data = {"image": self.IMAGE, "tls-capability": "SYS_ADMIN", **data}
            self.assertEqual(self.denials_on_demand([told], data)[0] == [], is_allowed, data)
        evil = changed(debug, "command", ["/evil"])
        denied = self.denials_on_demand([evil], {"image": self.IMAGE, "tls-capability": "SYS_ADMIN"})
        self.assertIn("command", denied[0][0])

    def test_what_the_administrator_forbids(self):
        for name in "header-capture", "syscall-counting":
            variable = "SIDELIGHT_" + name.replace("-", "_").upper()
            unsaid = self.injected()
            told = copy.deepcopy(unsaid)
            told["spec"]["initContainers"][0]["env"].append({"name": variable, "value": "forbidden"})
            allowed = copy.deepcopy(unsaid)
            allowed["spec"]["initContainers"][0]["env"].append({"name": variable, "value": "allowed"})
            for data in {}, {name: ""}, {name: "allowed"}:
                self.assertEqual(self.denials([unsaid, told, allowed], {"image": self.IMAGE, **data}),
                                 [[], [], []])
            for word in ["forbidden"] + MALFORMED + VETOES[name]:
                denied = self.denials([unsaid, told, allowed], {"image": self.IMAGE, name: word})
                self.assertEqual(denied[1], [], word)
                for said in denied[0], denied[2]:
                    self.assertIn(f"container sidelight: env {variable}", str(said), word)

    def test_updates(self):
        """A Pod from before the guard can lose its finalizer, and not get another image."""
        old = {"name": "sidelight", "image": self.IMAGE,
               "securityContext": {"capabilities": {"add": ["BPF"]}}}
        before = {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "p", "namespace": "shop", "finalizers": ["batch.kubernetes.io/job-tracking"]},
            "spec": {"hostPID": True, "containers": [old]}}
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
        kept = changed(before, "spec", "tolerations", [{"operator": "Exists"}])
        said = answers([question(self.POLICY, kept, before, {"image": self.IMAGE},
                                 operation="UPDATE")])[0]
        self.assertEqual(said.get("denied", []), [], "it was there before")

    def test_ephemeral_containers(self):
        template = self.injected()["spec"]["initContainers"][0]
        debug = self.on_demand([])
        tries = [((), True)]
        tries += [(("args", ["trace", "--format", "ndjson", "--for=10s", "it's $HOME", ""]), True),
                  (("args", ["run"]), False), (("args", ["run", "--", "/proc/7/root/x"]), False),
                  (("args", ["top", "--", "sh"]), False), (("args", []), False),
                  (("args", ["syscalls", "--by=process", "--sort", "p99", "--row-cap=9"]), True),
                  (("args", ["syscalls", "--", "sh"]), False),
                  (("args", ["syscalls", "--pid", "7"]), False),
                  (("args", ["top", "--cgroup=/sys/fs/cgroup"]), False),
                  (("args", ["top", "--push-token-file", "/proc/1/environ"]), False),
                  (("name", "debugger"), False), (("name", "sidelights"), False),
                  (("volumeMounts", template["volumeMounts"]), False),
                  (("ports", template["ports"]), False), (("stdinOnce", True), False),
                  (("restartPolicy", "Always"), False)]
        tries += [(one, False) for one in HOSTILE_MEMBERS if one[0] in (
            "image", "command", "workingDir", "envFrom", "lifecycle", "livenessProbe", "env",
            "securityContext", "volumeDevices", "restartPolicyRules", "terminationMessagePath")]
        made = [changed(debug, *one) if one else debug for one, _ in tries]
        said = self.denials_on_demand(made, {"image": self.IMAGE})
        for (one, is_allowed), container, denied in zip(tries, made, said):
            with self.subTest(one):
                self.assertEqual(denied == [], is_allowed, denied)
                for line in denied[:1]:
                    self.assertIn(container["name"], line)

    def test_where_and_when(self):
        policy, binding = documents(MANIFESTS / "guard" / "guard.yaml")
        self.assertEqual(binding["spec"]["policyName"], policy["metadata"]["name"])
        self.assertEqual(binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"],
                         {"sidelight.dev/guard": "enforce"})
        self.assertEqual(binding["spec"]["paramRef"]["parameterNotFoundAction"], "Deny")
        self.assertEqual(policy["spec"]["failurePolicy"], "Fail")


if __name__ == "__main__":
    main()
