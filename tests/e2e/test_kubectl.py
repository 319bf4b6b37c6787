#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The kubectl plugin, run by the real kubectl. What stands in for the API server knows one
Pod; it records what it is told, and lets an ephemeral container end at once.
"""
import copy
import http.server
import json
import os
import re
import threading
import urllib.parse

import harness
import kubernetes
import kustomize
from admission import pod, template, workload
from test_guard import with_defaults
from test_policy import GUARD, answers, question

PLUGIN = harness.ROOT / "kustomize" / "kubectl-sidelight"
WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
OUTPUT = "this is what sidelight prints\n"
RESOURCES = [("pods", "Pod"), ("pods/ephemeralcontainers", "Pod"), ("pods/log", "Pod"),
             ("pods/attach", "PodAttachOptions"), ("pods/exec", "PodExecOptions"), ("pods/portforward", "PodPortForwardOptions"),
             ("namespaces", "Namespace"), ("configmaps", "ConfigMap")]
WORKLOADS = {"apps": [("deployments", "Deployment"), ("statefulsets", "StatefulSet"),
                      ("daemonsets", "DaemonSet")], "batch": [("cronjobs", "CronJob")]}
IMAGE = "registry.example/sidelight:7"


def setUpModule():
    kustomize.kubectl()
    kubernetes.install()


def resource_list(version, resources):
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
            "resources": [{"name": name, "singularName": "", "namespaced": True, "kind": kind,
                           "verbs": ["get", "list", "watch", "patch", "create"]}
                          for name, kind in resources]}


class ApiServer:
    """GET and PATCH of one Pod, as far as `kubectl get`, `debug` and `port-forward` ask."""

    states = ()  # of an ephemeral container, one for each time it is looked at before its end
    status = 0  # with which it ends
    output = OUTPUT  # its log
    workloads = ()
    hides_parameters = False
    admit = staticmethod(lambda obj: obj)  # of a Pod on trial: the Pod, or why it is refused

    def __init__(self, case, obj, parameters):
        api = self
        self.pod = obj
        self.parameters = parameters
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def say(self, body, status=200):
                body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                url = urllib.parse.urlparse(self.path)
                api.requests.append((self.command, self.path, None))
                answer = api.answer(url)
                if api.hides_parameters and "configmaps" in url.path:
                    self.say({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                              "reason": "Forbidden", "code": 403, "message": "not for you"}, 403)
                elif answer:
                    self.say(answer)
                else:
                    self.say({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                              "reason": "NotFound", "code": 404, "message": "not found"}, 404)

            def do_PATCH(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.requests.append((self.command, self.path, body))
                api.add(body["spec"]["ephemeralContainers"])
                self.say(api.pod)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "0")
                api.requests.append((self.command, self.path, body))
                if self.path.startswith("/api/v1/namespaces/shop/pods?") and "dryRun=All" in self.path:
                    made = api.admit(copy.deepcopy(body))
                    if isinstance(made, dict):
                        return self.say(made, 201)
                    return self.say({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                     "reason": "Forbidden", "code": 403, "message": made}, 403)
                self.say({"kind": "Status", "apiVersion": "v1", "status": "Failure"}, 500)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        case.stack.callback(server.server_close)
        case.stack.callback(server.shutdown)

    def answer(self, url):
        where = "/api/v1/namespaces/shop/pods"
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if url.path == "/apis":
            versions = [{"groupVersion": f"{name}/v1", "version": "v1"} for name in WORKLOADS]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": name, "versions": [v], "preferredVersion": v}
                for name, v in zip(WORKLOADS, versions)]}
        if url.path == "/api/v1":
            return resource_list("v1", RESOURCES)
        for group, resources in WORKLOADS.items():
            if url.path == f"/apis/{group}/v1":
                return resource_list(f"{group}/v1", resources)
            for name, kind in resources:
                if url.path == f"/apis/{group}/v1/namespaces/shop/{name}":
                    return {"kind": f"{kind}List", "apiVersion": f"{group}/v1", "metadata": {},
                            "items": [w for w in self.workloads if w["kind"] == kind]}
        if url.path == "/api/v1/namespaces/sidelight-system/configmaps/sidelight" and \
                self.parameters is not None:
            return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "sidelight"},
                    "data": self.parameters}
        if url.path == where and "watch" in query:
            # A list in the form of a watch: what there is, and where that ends.
            end = {"kind": "Pod", "apiVersion": "v1", "metadata": {
                "resourceVersion": "2", "annotations": {"k8s.io/initial-events-end": "true"}}}
            return "".join(json.dumps(event) + "\n" for event in (
                {"type": "ADDED", "object": self.pod}, {"type": "BOOKMARK", "object": end}))
        if url.path == where:
            return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "2"},
                    "items": [self.pod]}
        if url.path == f"{where}/web-0/log":
            return self.output
        if url.path == f"{where}/web-0":
            self.proceed()
            return self.pod
        return None

    def add(self, containers):
        """What a strategic merge patch does to this list: by name."""
        known = self.pod["spec"].setdefault("ephemeralContainers", [])
        containers = known + [c for c in containers if c["name"] not in (k["name"] for k in known)]
        self.pod["spec"]["ephemeralContainers"] = containers
        self.pod["status"]["ephemeralContainerStatuses"] = [
            {"name": c["name"], "image": c["image"], "imageID": "", "ready": False,
             "restartCount": 0, "state": {}} for c in containers]
        self.left = list(self.states)

    def proceed(self):
        """What has become of the last ephemeral container, the next time it is looked at."""
        for status in self.pod["status"].get("ephemeralContainerStatuses", [])[-1:]:
            status["state"] = self.left.pop(0) if self.left else {
                "terminated": {"exitCode": self.status}}

    def told(self):
        """The ephemeral containers that were asked for."""
        return [c for method, _, body in self.requests if method == "PATCH"
                for c in body["spec"]["ephemeralContainers"]]


def running(annotations=None, **spec):
    """As an API server has it: with its defaults, on which kubectl relies."""
    obj = pod(annotations, {"securityContext": {}, **spec}, {"name": "web-0", "namespace": "shop", "uid": "1",
                                  "resourceVersion": "1"})
    obj["status"] = {"phase": "Running", "containerStatuses": []}
    return obj


class Plugged(harness.Case):
    def start(self, obj=None, parameters=None):
        if parameters is None:
            parameters = {"image": IMAGE}
        self.api = ApiServer(self, obj or running(), parameters or None)
        home = self.scratch("home")
        home.mkdir()
        tools = home / "bin"
        tools.mkdir()
        os.symlink(kustomize.kubectl(), tools / "kubectl")
        os.symlink(PLUGIN, tools / "kubectl-sidelight")
        (home / "config").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it's here",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.api.port}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u",
                                                    "namespace": space}}
                         for name, space in (("it's here", "shop"), ("elsewhere", "other"))]}))
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}",
                            "HOME": str(home), "KUBECONFIG": str(home / "config"),
                            "TMPDIR": str(home)}
        self.home = home

    def sidelight(self, *args, **environment):
        return harness.run(["kubectl", "sidelight", *args], check=False, seconds=20,
                           env={**self.environment, **environment})

    def run_one(self, *args, obj=None, parameters=None, **environment):
        """The ephemeral container that this leads to."""
        self.start(obj, parameters)
        done = self.sidelight(*args, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, OUTPUT)
        self.assertEqual(list(self.home.glob("tmp.*")), [], "left behind")
        told = self.api.told()
        self.assertEqual(len(told), 1)
        return told[0]

    def denied(self, parameters=None):
        """What the guard says of the update that the API server was asked for."""
        after = with_defaults({k: v for k, v in self.api.pod.items() if k != "status"})
        before = copy.deepcopy(after)
        del before["spec"]["ephemeralContainers"]
        asked = question(GUARD, after, before, parameters or {"image": IMAGE},
                         operation="UPDATE", subresource="ephemeralcontainers")
        return answers([asked])[0].get("denied", [])


class Plugin(Plugged):
    def test_the_container_is_what_the_template_says(self):
        template = json.loads(harness.run([WEBHOOK, "template"]).stdout)["container"]
        template["securityContext"]["capabilities"]["add"].remove("${tls-capability}")
        one = self.run_one("top", "web-0", "-n", "shop")
        self.assertEqual(one["securityContext"], template["securityContext"])
        self.assertEqual(one["targetContainerName"], "app")
        self.assertRegex(one["name"], r"^sidelight-top-\d+-\d+$")
        self.assertEqual(one["args"], ["top"])
        self.assertNotIn("command", one)
        self.assertEqual(one["image"], IMAGE)
        names = {e["name"]: e for e in one["env"]}
        for entry in template["env"]:
            if entry["name"] in ("SIDELIGHT_NAMESPACE", "SIDELIGHT_POD"):
                fields = names[entry["name"]]["valueFrom"]["fieldRef"]
                self.assertEqual(fields["fieldPath"], entry["valueFrom"]["fieldRef"]["fieldPath"])
        self.assertEqual(names["SIDELIGHT_CONTAINERS"]["value"], "app")
        # What an ephemeral container must not have.
        for member in ("ports", "resources", "livenessProbe", "readinessProbe", "lifecycle"):
            self.assertFalse(one.get(member), member)
        clean = {k: v for k, v in self.api.pod.items() if k != "status"}
        self.assertEqual(kubernetes.invalid([clean]), [[]])

    def test_a_program_that_ends_at_once(self):
        """Its output comes whole and once, its status is ours; nobody attaches to it."""
        waits = {"waiting": {"reason": "ContainerCreating"}}
        runs = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
        for command, cases in (("doctor", (((), 0), ((), 3), ((waits, runs, runs), 2))),
                               ("top", (((), 1),)), ("trace", (((runs,), 1),)),
                               ("syscalls", (((waits,), 3),))):
            for states, status in cases:
                self.start()
                self.api.states, self.api.status = states, status
                done = self.sidelight(command, "web-0")
                self.assertEqual((done.returncode, done.stdout), (status, OUTPUT), done.stderr)
                asked = [path for _, path, _ in self.api.requests]
                self.assertFalse([path for path in asked if "/attach" in path])
                self.assertEqual(len([path for path in asked if "/log?" in path]), 1, asked)
                self.assertEqual(list(self.home.glob("tmp.*")), [], "left behind")

    def test_a_container_that_cannot_start(self):
        for reason in ("ImagePullBackOff", "InvalidImageName", "CreateContainerError"):
            self.start()
            self.api.states = ({"waiting": {"reason": reason}},) * 9
            done = self.sidelight("doctor", "web-0")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(reason, done.stderr)

    def check(self, admit, *workloads):
        """Status and lines of `check`; nothing but trials may be asked for."""
        self.start()
        self.api.admit, self.api.workloads = admit, workloads
        done = self.sidelight("check", "shop")
        for method, path, _ in self.api.requests:
            self.assertTrue(method == "GET" or (method == "POST" and "dryRun=All" in path), path)
        self.assertEqual(list(self.home.glob("tmp.*")), [], "left behind")
        return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()

    def test_check(self):
        """Each workload as the API server would take its Pods."""
        def asks(obj):
            return obj["metadata"].get("annotations", {}).get("sidelight.dev/inject") == "true"

        def status(word):
            def admit(obj):
                self.assertTrue(obj["metadata"]["generateName"])
                if asks(obj) and word:
                    obj["metadata"]["annotations"]["sidelight.dev/status"] = word
                return obj
            return admit

        def refuses(message):
            return lambda obj: message if asks(obj) else obj

        web = workload("Deployment")
        bare = workload("CronJob", inside={**template(), "metadata": {}}, name="report")
        for word, wanted, words in (
            ("injected", 0, "can be injected"), ("", 1, "neither webhook nor policy"),
            ("not injected: hostPID is true", 1, "hostPID is true"),
        ):
            returned, lines = self.check(status(word), web, bare, workload("StatefulSet", name="db"))
            self.assertEqual(returned, wanted, lines)
            self.assertEqual(sorted(line.split(":")[0] for line in lines),
                             ["CronJob/report", "Deployment/web", "StatefulSet/db"])
            for line in lines:
                self.assertIn(words, line)
        for message, words in (
            ('violates PodSecurity "baseline:latest": non-default capabilities', "pod-security"),
            ("failed quota: cpu: must specify limits.cpu for: sidelight", "cpu-limit"),
            ("minimum cpu usage per Container is 50m, but request is 10m", "sidelight.dev/cpu"),
            ("memory max limit to request ratio per Container is 2, but ...", "memory-limit"),
        ):
            returned, lines = self.check(refuses(message), web)
            self.assertEqual((returned, len(lines)), (1, 2), lines)
            self.assertEqual(lines[0], f"Deployment/web: refused with sidelight: {message}")
            self.assertIn(words, lines[1])
        returned, lines = self.check(lambda obj: "exceeded quota: pods", web)
        self.assertEqual((returned, len(lines)), (1, 1), lines)
        self.assertIn("with and without sidelight: exceeded quota: pods", lines[0])
        returned, lines = self.check(status("injected"))
        self.assertEqual((returned, lines), (0, ["a-plain-Pod: can be injected"]))

    def test_check_finds_what_an_absent_webhook_missed(self):
        def admit(obj):
            obj["metadata"]["annotations"]["sidelight.dev/status"] = "injected"
            return obj

        on = {"sidelight.dev/inject": "true"}
        returned, lines = self.check(admit, workload("Deployment", on))
        self.assertEqual((returned, len(lines)), (1, 1), lines)
        self.assertIn("its Pod template is not", lines[0])
        self.assertEqual(self.check(admit, workload("Deployment", on, template(on)))[0], 0)

    def test_the_guard_permits_it(self):
        """... and nothing else that comes this way."""
        for args in (("top", "web-0"), ("trace", "web-0", "--", "--format", "ndjson"),
                     ("doctor", "web-0", "--image", "registry.example/sidelight:8"),
                     ("syscalls", "web-0", "-c", "app")):
            self.run_one(*args)
            self.assertEqual(self.denied(), [], args)
        for args in (("top", "web-0", "--image", "mine:1"),
                     ("top", "web-0", "--", "--", "/bin/sh"),
                     ("top", "web-0", "--", "--push-token-file=/proc/1/environ")):
            self.run_one(*args)
            self.assertEqual(len(self.denied()), 1, args)

    def test_commands_and_their_arguments(self):
        for command in ("top", "trace", "syscalls", "doctor"):
            one = self.run_one(command, "pod/web-0", "--", "--format", "ndjson", "it's $HOME", "")
            self.assertEqual(one["args"], [command, "--format", "ndjson", "it's $HOME", ""])

    def test_which_container(self):
        two = [{"name": "first", "image": "a:1"}, {"name": "second", "image": "b:1"}]
        chosen = {"kubectl.kubernetes.io/default-container": "second"}
        for args, annotations, wanted in (
            ((), {}, "first"), ((), chosen, "second"), (("-c", "second"), {}, "second"),
            (("--container=first",), chosen, "first"),
        ):
            one = self.run_one("top", "web-0", *args, obj=running(annotations, containers=two))
            self.assertEqual(one["targetContainerName"], wanted)

    def test_which_image(self):
        """Of --image or the platform's ConfigMap, and never that of a container of our name."""
        evil = {"initContainers": [{"name": "sidelight", "image": "evil:7"}]}
        plain = {"containers": [{"name": "app", "image": "a:1"},
                                {"name": "sidelight", "image": "evil:8"}]}
        for args, spec, wanted in (
            ((), {}, IMAGE), ((), evil, IMAGE), ((), plain, IMAGE),
            (("--image", "mine:2"), evil, "mine:2"), (("--image=mine:2",), {}, "mine:2"),
        ):
            one = self.run_one("top", "web-0", *args, obj=running(**spec),
                               SIDELIGHT_IMAGE="evil:9")
            self.assertEqual(one["image"], wanted)

    def test_no_image(self):
        """One line, and nothing is asked of the Pod."""
        for parameters, words in (({}, "not found"), ({"push": "http://gw"}, "has none"),
                                  ({"image": ""}, "has none")):
            self.start(parameters=parameters)
            done = self.sidelight("top", "web-0")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("say --image REF; ConfigMap sidelight in sidelight-system", done.stderr)
            self.assertIn(words, done.stderr)
            self.assertEqual(self.api.told(), [])
            done = self.sidelight("top", "web-0", "--image", "mine:1")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_configmap_is_the_platforms(self):
        """Whatever namespace the Pod is in."""
        self.run_one("top", "web-0", "-n", "shop", "--context", "elsewhere")
        asked = [path for _, path, _ in self.api.requests if "configmaps" in path]
        self.assertEqual(asked, ["/api/v1/namespaces/sidelight-system/configmaps/sidelight"])

    def test_a_second_one_beside_the_first(self):
        self.run_one("top", "web-0")
        self.assertEqual(self.sidelight("doctor", "web-0").returncode, 0)
        names = [c["name"] for c in self.api.pod["spec"]["ephemeralContainers"]]
        self.assertEqual(len(set(names)), 2, names)

    def test_options_of_kubectl(self):
        self.start()
        done = self.sidelight("top", "web-0", "--context", "elsewhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/namespaces/other/pods/web-0", str(self.api.requests))
        self.assertEqual(self.api.told(), [])
        done = self.sidelight("top", "web-0", "--context=elsewhere", "-n", "shop")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.sidelight("top", "web-0", "--context", "it's here")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_such_pod(self):
        self.start()
        done = self.sidelight("top", "web-1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not found", done.stderr)
        self.assertEqual(self.api.told(), [])

    def test_the_sidecar_is_asked_where_there_is_one(self):
        """In its own container, with the arguments as they are; nothing is added to the Pod."""
        for command, args, wanted in (
            ("trace", ("--", "--last", "5m", "it's $HOME"), ["--last", "5m", "it's $HOME"]),
            ("trace", ("-c", "app", "--", "--last=5m"), ["--containers", "app", "--last=5m"]),
            ("top", ("-c", "app", "--", "--once"), ["--once"]),
            ("export", ("--output=-", "-c", "app", "--", "--format=csv"),
             ["--output", "-", "--containers", "app", "--format=csv"]),
        ):
            self.start(running({"sidelight.dev/status": "injected"},
                               initContainers=[{"name": "sidelight", "image": "s:1"}]))
            self.sidelight(command, "web-0", *args)  # the stand-in cannot execute anything
            asked = [urllib.parse.urlparse(path) for _, path, _ in self.api.requests]
            queries = [urllib.parse.parse_qs(url.query) for url in asked
                       if url.path.endswith("/web-0/exec")]
            self.assertTrue(queries, self.api.requests)
            for query in queries:
                self.assertEqual(query["container"], ["sidelight"])
                self.assertEqual(query["command"], ["sidelight", command, *wanted])
            self.assertEqual(self.api.told(), [])

    def test_help_lists_what_exists(self):
        self.start()
        help_ = self.sidelight("--help")
        self.assertEqual(help_.returncode, 0)
        commands = help_.stdout.split("\n\n")[1]
        names = re.findall(r"(?m)^  ([a-z]+) ", commands)
        self.assertEqual(names, ["trace", "top", "ui", "export", "syscalls", "doctor", "check"])
        # `check` is the plugin's own; all others are of the program in the Pod.
        done = harness.run([harness.BINARY, "help", "doctor"])
        self.assertIn("usage: sidelight doctor", done.stdout)

    def test_bad_use_is_one_line(self):
        self.start()
        for args, words in (
            (["top"], "which Pod"), (["frobnicate", "web-0"], "no command"),
            (["top", "web-0", "more"], "after --"), (["top", "web-0", "-c"], "needs a value"),
            (["top", "web-0", "-c", '","x":"'], "is no container"),
            (["top", "we b"], "is no Pod"), (["top", "$(id)"], "is no Pod"),
            (["check"], "which namespace"), (["check", "shop", "--", "x"], "no arguments"),
            (["export", "web-0"], "say --output FILE"),
            (["top", "web-0", "--frob"], "no option"), (["ui", "web-0", "--port", "x"], "--port"),
        ):
            done = self.sidelight(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.sidelight("help").returncode, 0)
        self.assertEqual(self.api.requests, [])


if __name__ == "__main__":
    harness.main()
