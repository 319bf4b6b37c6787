#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Every kustomization builds with the real kubectl, every object that comes out is
valid, and images, ports, names and capabilities are the same wherever they are said.
"""
import base64
import copy
import fnmatch
import functools
import json
import os
import re
import socket
import ssl

import yaml

import harness
import kubernetes
import kustomize
from admission import Server, pod, workload
from boards import panels_of
from harness import Case, main
from test_policy import normal, outcomes, question

WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
MANIFESTS = harness.ROOT / "webhook-manifests"
PUSH = "http://pushgateway:9091"


def setUpModule():
    kustomize.kubectl()
    kubernetes.install()
    harness.run(["make", "-s", "-C", harness.ROOT, "build/sidelight-webhook"], seconds=300)


def kind(objects, wanted, name=None):
    return [o for o in objects if o["kind"] == wanted and name in (None, o["metadata"]["name"])]


def pod_specs(obj):
    """The Pod template's spec of whatever has one."""
    spec = obj.get("spec", {})
    for path in ("jobTemplate", "spec", "template", "spec"):
        if path in spec and isinstance(spec[path], dict):
            spec = spec[path]
    return [spec] if "containers" in spec else []


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def volume_parts(spec):
    """(volume, source) of all volumes; a projected one has several."""
    for volume in spec.get("volumes", []):
        for part in volume.get("projected", {}).get("sources", [volume]):
            yield volume, part


ASKING = {"sidelight.dev/inject": "true"}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


QUANTITY = re.compile(r"(0|[1-9][0-9]*)(m|Ki|Mi|Gi)?")


def not_stored_so(value, path=()):
    """
    Paths of what the API server stores otherwise, or not at all: kubectl diff shows it for ever.
    """
    where = ".".join(map(str, path))
    if value is None or value == []:
        return [where]
    if isinstance(value, list):
        return [found for i, v in enumerate(value) for found in not_stored_so(v, (*path, i))]
    if not isinstance(value, dict):
        return []
    wrong = [found for k, v in value.items() for found in not_stored_so(v, (*path, k))]
    # A map that is applied with $retainKeys loses the type that the server has filled in.
    if path[-1:] == ("strategy",) and "type" not in value:
        wrong.append(f"{where}.type")
    if path[-1:] in (("requests",), ("limits",)):
        for name, quantity in value.items():
            found = QUANTITY.fullmatch(str(quantity))
            number, unit = int(found[1] if found else 0), found and found[2]
            if not found or (number and unit and number % (1000 if unit == "m" else 1024) == 0):
                wrong.append(f"{where}.{name}")
    return wrong


def without_line_breaks(obj):
    """kustomize breaks base64 into lines, which the API server's decoder passes over."""
    if obj["kind"] == "Secret":
        obj["data"] = {k: v.replace("\n", "") for k, v in obj["data"].items()}
    for hook in obj.get("webhooks", []):
        client = hook["clientConfig"]
        if "caBundle" in client:
            client["caBundle"] = client["caBundle"].replace("\n", "")
    return obj


@functools.cache
def everything():
    """{name: objects} of every overlay, folder of webhook-manifests, and component."""
    result = {name: kustomize.overlay(name) for name in kustomize.OVERLAYS}
    for path in ("webhook-manifests", "webhook-manifests/parameters", "webhook-manifests/policy",
                 "webhook-manifests/guard", "kustomize/dashboards", "kustomize/rules"):
        result[path] = kustomize.build(kustomize.tree() / path)
    asking = [workload(each, ASKING, name=each.lower()) for each in KINDS]
    for directory in (harness.ROOT / "kustomize" / "components").iterdir():
        name = directory.name
        base = asking if name == "sidecar" else \
            ["webhook-manifests"] if name in ("certs", "cert-manager", "fail-closed", "one-node") else []
        result[name] = kustomize.on_top([name], base)
    for objects in result.values():
        for obj in objects:
            without_line_breaks(obj)
    return result


class Builds(Case):
    def test_every_object_is_valid(self):
        names = list(everything())
        for name, objects in everything().items():
            for obj, wrong in zip(objects, kubernetes.invalid(objects)):
                with self.subTest(f"{name}: {obj['kind']} {obj['metadata']['name']}"):
                    self.assertEqual(wrong, [])
        for wanted in ("demo", "team", "platform", "platform-policy", "janitor", "podmonitor",
                       "podmonitor-pods", "rules", "sidecar"):
            self.assertIn(wanted, names)

    def test_nothing_is_stored_otherwise(self):
        for name, objects in everything().items():
            for obj in objects:
                with self.subTest(f"{name}: {obj['kind']} {obj['metadata']['name']}"):
                    self.assertEqual(not_stored_so(obj), [])
        for wrong in ({"egress": []}, {"data": None}, {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
                      {"limits": {"cpu": "1000m"}}, {"requests": {"memory": "0.5Gi"}}):
            self.assertNotEqual(not_stored_so(wrong), [], wrong)

    def test_the_schema_check_would_find_something(self):
        obj = copy.deepcopy(kind(everything()["platform"], "Deployment")[0])
        obj["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
        self.assertNotEqual(kubernetes.invalid([obj]), [[]])

    def test_no_name_twice(self):
        for name, objects in everything().items():
            keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
                    for o in objects]
            self.assertEqual(len(keys), len(set(keys)), name)

    def test_what_is_mounted_is_there(self):
        """ConfigMaps and Secrets that a Pod of an overlay cannot start without."""
        mounted = 0
        for name in kustomize.OVERLAYS:
            objects = everything()[name]
            for spec in (spec for o in objects for spec in pod_specs(o)):
                for volume, part in volume_parts(spec):
                    for source, member in (("configMap", "name"), ("secret", "secretName")):
                        if source in part:
                            wanted = source[0].upper() + source[1:]
                            found = kind(objects, wanted, part[source][member])
                            self.assertEqual(len(found), 1, (name, volume))
                            self.subpaths_exist(spec, volume["name"], found[0])
                            mounted += 1
        self.assertGreater(mounted, 8)

    def subpaths_exist(self, spec, volume, source):
        for mount in (m for c in containers(spec) for m in c.get("volumeMounts", [])):
            if mount["name"] == volume and "subPath" in mount:
                self.assertIn(mount["subPath"], source["data"])

    def test_grafana_looks_where_the_dashboards_are(self):
        demo = everything()["demo"]
        spec = pod_specs(kind(demo, "Deployment", "grafana")[0])[0]
        config = {k: yaml.safe_load(v) for o in kind(demo, "ConfigMap")
                  for k, v in o["data"].items() if k.endswith(".yaml")}
        path = config["dashboards.yaml"]["providers"][0]["options"]["path"]
        mounts = {m["mountPath"]: m["name"] for m in spec["containers"][0]["volumeMounts"]}
        names = [part["configMap"]["name"] for volume, part in volume_parts(spec)
                 if volume["name"] == mounts[path]]
        boards = {}
        for name in names:
            found = kind(demo, "ConfigMap", name)[0]
            self.assertIn("grafana_dashboard", found["metadata"]["labels"])
            # `kubectl apply` keeps the object in an annotation, of 256 KiB at most.
            self.assertLess(len(json.dumps(found)), 200 << 10)
            boards |= found["data"]
        source = config["datasources.yaml"]["datasources"][0]
        for board in map(json.loads, boards.values()):
            # A variable, which offers the data sources of a type.
            variable = next(v for v in board["templating"]["list"] if v["type"] == "datasource")
            self.assertEqual(variable["query"], source["type"])
            uids = {panel["datasource"]["uid"] for panel in panels_of(board)}
            self.assertEqual(uids, {f"${{{variable['name']}}}"})
        self.assertEqual(set(boards), {p.name for p in (
            harness.ROOT / "kustomize" / "dashboards").glob("*.json")})

    def test_files_that_kustomize_does_not_read(self):
        """Every YAML file is a resource, patch or configuration of some kustomization."""
        for folder in ("webhook-manifests", "kustomize"):
            for path in (harness.ROOT / folder).rglob("*.yaml"):
                if path.name == "kustomization.yaml":
                    continue
                parents = [path.parent, path.parent.parent]
                said = "".join(p.read_text() for d in parents
                               for p in d.glob("kustomization.yaml"))
                self.assertIn(path.name, said, path)


class Agreement(Case):
    """What is said in more than one place."""

    def setUp(self):
        super().setUp()
        self.overlays = {name: everything()[name] for name in kustomize.OVERLAYS}
        self.platform = self.overlays["platform"]
        config = kind(self.platform, "ConfigMap", "sidelight")[0]["data"]
        self.parameters = config
        self.template = json.loads(harness.run([WEBHOOK, "template"]).stdout)
        self.server = Server(self, "--image", config["image"], "--push", config["push"])
        self.injected = self.inject({})
        self.container = self.injected["spec"]["initContainers"][0]

    def inject(self, annotations):
        obj = pod(annotations)
        return kubernetes.patched([(obj, self.server.review(obj).patch)])[0]

    def static_containers(self):
        """Containers of that name that the manifests have by themselves."""
        return [c for objects in self.overlays.values() for o in objects
                for spec in pod_specs(o) for c in containers(spec) if c["name"] == "sidelight"]

    def test_webhook_policy_and_static_patch_inject_the_same(self):
        policy = list(yaml.safe_load_all((MANIFESTS / "policy" / "policy.yaml").read_text()))[0]
        by_policy = outcomes([question(policy, pod(), data=self.parameters)])[0]
        self.assertEqual(by_policy, normal(self.injected))
        for container in self.static_containers():
            expected = dict(self.container)
            # Which workload it will be in, a patch for all of them does not know.
            expected["env"] = [e for e in expected["env"] if e["name"] != "SIDELIGHT_WORKLOAD"]
            self.assertEqual(expected.pop("ports"), [])  # as if it were not there
            self.assertEqual(container, expected)
        self.assertTrue(self.static_containers())

    def test_static_sidecars_of_all_kinds(self):
        """As the webhook injects the Pods of each: a Job's last numbers stay in the gateway."""
        server = Server(self, "--image", self.parameters["image"], "--push", PUSH)
        for name in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
            made = kustomize.on_top(["sidecar"], [workload(name, {"sidelight.dev/inject": "true"})])
            spec = pod_specs(made[0])[0]
            obj = pod(spec={"restartPolicy": spec.get("restartPolicy", "Always")},
                      metadata={"ownerReferences": []})
            now = kubernetes.patched([(obj, server.review(obj).patch)])[0]
            self.assertEqual(now["spec"]["initContainers"][0].pop("ports"), [])
            self.assertEqual(spec["initContainers"], now["spec"]["initContainers"], name)

    def test_capabilities(self):
        wanted = self.template["container"]["securityContext"]["capabilities"]["add"]
        self.assertEqual(wanted.pop(), "${tls-capability}")
        self.assertEqual(self.container["securityContext"]["capabilities"]["add"], wanted)
        guard = kind(self.platform, "ValidatingAdmissionPolicy")[0]["spec"]
        found = re.findall(r'k in \[("BPF"[^\]]*)\]', json.dumps(guard).replace('\\"', '"'))
        self.assertEqual(len(found), 2)
        for text in found:
            self.assertEqual(re.findall(r'"(\w+)"', text)[:len(wanted)], wanted)
        self.assertIn(".capabilities.add.filter(m_k, m_k != variables.tls_capability) == "
                      f"{json.dumps(wanted)}",
                      json.dumps(guard).replace('\\"', '"'))
        script = (harness.ROOT / "kustomize" / "kubectl-sidelight").read_text()
        self.assertIn(json.dumps(wanted)[:-1] + "$more_capabilities]", script)
        self.assertEqual(self.capabilities_elsewhere(), [])

    def capabilities_elsewhere(self):
        return [(o["kind"], o["metadata"]["name"], c["name"])
                for objects in self.overlays.values() for o in objects for spec in pod_specs(o)
                for c in containers(spec) if c["name"] != "sidelight"
                and c.get("securityContext", {}).get("capabilities", {}).get("add")]

    def test_images(self):
        version = harness.run([WEBHOOK, "version"]).stdout.split()[1]
        ours = {c["image"] for objects in self.overlays.values() for o in objects
                for spec in pod_specs(o) for c in containers(spec) if "sidelight" in c["image"]}
        self.assertEqual(ours | {self.parameters["image"]},
                         {f"sidelight:{version}", f"sidelight-webhook:{version}"})
        self.assertEqual(self.container["image"], f"sidelight:{version}")

    def test_no_image_floats(self):
        for objects in self.overlays.values():
            for obj in objects:
                for spec in pod_specs(obj):
                    for container in containers(spec):
                        self.assertRegex(container["image"], r":v?\d")

    def test_ports(self):
        scraped = self.inject({"sidelight.dev/export": "scrape"})["spec"]["initContainers"][0]
        port = scraped["ports"][0]
        self.assertEqual((port["name"], port["containerPort"]), ("sidelight", 9465))
        monitors = yaml.safe_load_all(
            (harness.ROOT / "kustomize/components/podmonitor/podmonitor.yaml").read_text())
        pods = yaml.safe_load(
            (harness.ROOT / "kustomize/components/podmonitor-pods/podmonitor.yaml").read_text())
        ports = [e["port"] for m in (pods, *monitors) for e in m["spec"]["podMetricsEndpoints"]]
        gateway = kind(self.overlays["team"], "Deployment", "pushgateway")[0]
        gateway_port = gateway["spec"]["template"]["spec"]["containers"][0]["ports"][0]
        self.assertEqual(ports, [port["name"], gateway_port["name"]])
        janitor = kind(self.overlays["team"], "CronJob")[0]
        args = pod_specs(janitor)[0]["containers"][0]["args"]
        self.assertIn(f"--gateway={self.parameters['push']}", args)
        self.assertEqual(self.parameters["push"], PUSH)
        self.assertEqual(PUSH, f"http://pushgateway:{gateway_port['containerPort']}")

    def test_services_reach_containers(self):
        """Selectors of Services, PDBs and NetworkPolicies select a Pod; named ports exist."""
        for name, objects in self.overlays.items():
            pods = [(o["spec"]["template"]["metadata"]["labels"], spec) for o in objects
                    if o["kind"] == "Deployment" for spec in pod_specs(o)]
            for obj in kind(objects, "Service"):
                chosen = [spec for labels, spec in pods
                          if obj["spec"]["selector"].items() <= labels.items()]
                self.assertEqual(len(chosen), 1, (name, obj["metadata"]["name"]))
                names = {p["name"] for c in containers(chosen[0]) for p in c.get("ports", [])}
                for port in obj["spec"]["ports"]:
                    self.assertIn(port["targetPort"], names)
            for obj in kind(objects, "PodDisruptionBudget") + kind(objects, "NetworkPolicy"):
                selector = obj["spec"].get("selector", obj["spec"].get("podSelector"))
                self.assertTrue(any(selector["matchLabels"].items() <= labels.items()
                                    for labels, _ in pods), obj["metadata"]["name"])

    def test_webhook_configuration_leads_to_the_server(self):
        configuration = kind(self.platform, "MutatingWebhookConfiguration")[0]
        service = kind(self.platform, "Service", "sidelight-webhook")[0]
        server = Server(self)
        for hook in configuration["webhooks"]:
            where = hook["clientConfig"]["service"]
            self.assertEqual((where["name"], where["namespace"], where["port"]),
                             (service["metadata"]["name"], service["metadata"]["namespace"],
                              service["spec"]["ports"][0]["port"]))
            # The path answers, and a Pod is injected unless its namespace would refuse it.
            obj = pod() if "pod" in where["path"] else \
                workload("Deployment", {"sidelight.dev/inject": "true"})
            answer = server.review(obj, path=where["path"])
            restricted = "baseline" in where["path"]
            privileged = "privileged" in where["path"]
            self.assertEqual(bool(answer.warnings), restricted, where["path"])
            selector = hook["namespaceSelector"]["matchExpressions"]
            self.assertIn({"key": "pod-security.kubernetes.io/enforce",
                           "operator": "In" if restricted or privileged else "NotIn",
                           "values": ["privileged"] if privileged else
                           ["baseline", "restricted"] if restricted else
                           ["privileged", "baseline", "restricted"]}, selector)
            policy = "Fail" if hook["name"].startswith("asking.") else "Ignore"
            self.assertEqual((hook["failurePolicy"], hook["reinvocationPolicy"],
                              hook["sideEffects"]), (policy, "IfNeeded", "None"))
            self.assertLessEqual(hook["timeoutSeconds"], 5)
            self.assertTrue(hook["matchConditions"])

    def test_webhook_runs_with_the_arguments_of_its_deployment(self):
        deployment = kind(self.platform, "Deployment", "sidelight-webhook")[0]
        spec = pod_specs(deployment)[0]
        container = spec["containers"][0]
        ports = {p["name"]: p["containerPort"] for p in container["ports"]}
        self.assertIn(f"--listen=:{ports['https']}", container["args"])
        self.assertIn(f"--metrics-listen=:{ports['metrics']}", container["args"])
        secret = kind(self.platform, "Secret")[0]
        self.assertEqual(spec["volumes"][0]["secret"]["secretName"], secret["metadata"]["name"])
        directory = self.scratch("tls")
        directory.mkdir()
        for name, value in secret["data"].items():
            (directory / name).write_bytes(base64.b64decode(value))
        mount = container["volumeMounts"][0]["mountPath"]
        args = [re.sub(r"listen=:\d+", "listen=127.0.0.1:0", a.replace(mount, str(directory)))
                for a in container["args"]]
        process = self.spawn([WEBHOOK, *args], env=self.environment(container))
        harness.wait_for("the server", lambda: "reviews on port" in process.text())
        port = int(re.search(r"reviews on port (\d+)", process.text()).group(1))
        configuration = kind(self.platform, "MutatingWebhookConfiguration")[0]
        client = configuration["webhooks"][0]["clientConfig"]
        authority = base64.b64decode(client["caBundle"]).decode()
        name = f"{client['service']['name']}.{client['service']['namespace']}.svc"
        context = ssl.create_default_context(cadata=authority)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=name) as tls:
                self.assertTrue(tls.getpeercert())

    def environment(self, container):
        """Of the Deployment, with the ConfigMap's values in it."""
        keys = {e["name"]: e["valueFrom"]["configMapKeyRef"] for e in container["env"]}
        for key in keys.values():
            self.assertEqual((key["name"], key["optional"]), ("sidelight", True))
        return {name: self.parameters[key["key"]] for name, key in keys.items()
                if key["key"] in self.parameters}

    def test_webhook_takes_every_parameter_from_the_configmap(self):
        spec = pod_specs(kind(self.platform, "Deployment", "sidelight-webhook")[0])[0]
        said = {e["name"] for e in spec["containers"][0]["env"]}
        page = harness.run([WEBHOOK, "help", "serve"]).stdout
        self.assertEqual(said, set(re.findall(r"SIDELIGHT_INJECT_\w+", page)))
        process = harness.run([WEBHOOK, "inject", "-"], check=False, env={
            **os.environ, **self.environment(spec["containers"][0])})
        self.assertEqual(process.returncode, 2)  # there is nothing to read; but all is accepted
        self.assertNotIn("INJECT", process.stderr)

    def test_our_own_pods_are_restricted(self):
        for objects in (self.platform, self.overlays["team"]):
            for obj in objects:
                for spec in pod_specs(obj):
                    with self.subTest(obj["metadata"]["name"]):
                        self.assertIs(spec["automountServiceAccountToken"], False)
                        self.assertIs(spec["securityContext"]["runAsNonRoot"], True)
                        self.assertEqual(spec["securityContext"]["seccompProfile"],
                                         {"type": "RuntimeDefault"})
                        for container in containers(spec):
                            security = container["securityContext"]
                            self.assertIs(security["allowPrivilegeEscalation"], False)
                            self.assertIs(security["readOnlyRootFilesystem"], True)
                            self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                            self.assertIn("memory", container["resources"]["limits"])

    def test_two_replicas_that_one_node_does_not_take_along(self):
        spec = kind(self.platform, "Deployment", "sidelight-webhook")[0]["spec"]
        self.assertEqual(spec["replicas"], 2)
        self.assertIn("podAntiAffinity", spec["template"]["spec"]["affinity"])
        self.assertEqual(kind(self.platform, "PodDisruptionBudget")[0]["spec"]["minAvailable"], 1)


class Components(Case):
    def test_one_node_can_be_drained(self):
        objects = kustomize.on_top(["certs", "one-node"], ["webhook-manifests"])
        self.assertEqual(kind(objects, "PodDisruptionBudget"), [])
        self.assertEqual(kind(objects, "Deployment")[0]["spec"]["replicas"], 1)

    def test_fail_closed_refuses_what_would_miss_sidelight(self):
        objects = kustomize.on_top(["certs", "fail-closed"], ["webhook-manifests"])
        webhooks = kind(objects, "MutatingWebhookConfiguration")[0]["webhooks"]
        closed = {w["name"] for w in webhooks if w["failurePolicy"] == "Fail"}
        self.assertEqual(closed, {w["name"] for w in webhooks
                                  if not w["name"].startswith("workloads.")})
        # Other changes of a workload that asks, and taking the annotation away, are no one's loss.
        for hook in webhooks:
            conditions = [c["name"] for c in hook["matchConditions"]]
            self.assertEqual("not-carried-yet" in conditions, hook["name"].startswith("asking."))
            self.assertNotIn("only-annotated", conditions)

    def test_cert_manager_writes_what_the_webhook_mounts(self):
        objects = everything()["cert-manager"]
        certificate = kind(objects, "Certificate")[0]
        configuration = kind(objects, "MutatingWebhookConfiguration")[0]
        self.assertEqual(configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"],
                         f"{certificate['metadata']['namespace']}/{certificate['metadata']['name']}")
        spec = pod_specs(kind(objects, "Deployment")[0])[0]
        self.assertEqual(certificate["spec"]["secretName"],
                         spec["volumes"][0]["secret"]["secretName"])
        service = configuration["webhooks"][0]["clientConfig"]["service"]
        self.assertEqual(certificate["spec"]["dnsNames"],
                         [f"{service['name']}.{service['namespace']}.svc"])

    def test_sidecar_comes_first_and_only_where_it_is_asked(self):
        asking = workload("Deployment", ASKING, name="asking")
        asking["spec"]["template"]["spec"]["initContainers"] = [{"name": "first", "image": "i:1"}]
        objects = kustomize.on_top(["sidecar"], [asking, workload("Deployment", name="other")])
        specs = {o["metadata"]["name"]: pod_specs(o)[0] for o in objects}
        self.assertEqual([c["name"] for c in specs["asking"]["initContainers"]],
                         ["sidelight", "first"])
        self.assertNotIn("initContainers", specs["other"])
        self.assertNotIn("shareProcessNamespace", specs["other"])

    def test_prometheus_of_the_demo_reads_its_configuration(self):
        harness.need("promtool")
        path = harness.ROOT / "kustomize" / "overlays" / "demo" / "config" / "prometheus.yml"
        harness.run(["promtool", "check", "config", path])
        demo = everything()["demo"]
        spec = pod_specs(kind(demo, "Deployment", "prometheus")[0])[0]
        mounts = {m["mountPath"]: m["name"] for m in spec["containers"][0]["volumeMounts"]}
        folder, _, pattern = yaml.safe_load(path.read_text())["rule_files"][0].rpartition("/")
        part, = (p for v, p in volume_parts(spec) if v["name"] == mounts[folder])
        rules = kind(demo, "ConfigMap", part["configMap"]["name"])[0]["data"]
        self.assertTrue(fnmatch.filter(rules, pattern))
        scrape = yaml.safe_load(path.read_text())["scrape_configs"][0]
        self.assertIs(scrape["honor_labels"], True)

    def test_dashboards_ask_for_metrics_that_exist(self):
        said = "".join(p.read_text() for p in (harness.ROOT / "sidecar" / "metrics").glob("*.c"))
        for path in (harness.ROOT / "kustomize" / "dashboards").glob("*.json"):
            board = json.loads(path.read_text())
            for panel in panels_of(board):
                for target in panel["targets"]:
                    for metric in re.findall(r"\b((?:http|rpc|sidelight)_\w+?)(?:_count|_bucket|_sum)?\{",
                                             target["expr"]):
                        self.assertIn(f'"{metric}"', said, f"{path.name}: {panel['title']}")


if __name__ == "__main__":
    main()
