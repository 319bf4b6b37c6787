# SPDX-License-Identifier: Apache-2.0
"""
A Pod with a web server (nginx), an API (Python) and the sidecar as the
webhook injects it, run by podman from its manifest.
"""
import collections
import copy
import json
import re
import sys
import uuid

import admission
import harness
import images
import podman
from gateway import Certificates
from observer import Metrics, Sidelight, http_get

# Debian's packages are those of its own Python; this one is pure Python.
sys.path.append("/usr/lib/python3/dist-packages")
import jsonpatch  # noqa: E402

APP = "localhost/app:2"
_PATH = "ENV=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NGINX = """
daemon off;
worker_processes 2;
pid {dir}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
    uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
    log_format counted '$request_method $uri $status';
    access_log {dir}/access.log counted;
    server {{
        listen 127.0.0.1:{port};{tls}
        location / {{ return 200 "hello\\n"; }}
        location /missing {{ return 404; }}
        location /gateway {{ return 502; }}
    }}
}}
"""

_TLS = """
        listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {dir}/server.pem; ssl_certificate_key {dir}/server.key;"""


def inject(case, manifest, *flags):
    """What an API server makes of a manifest: it asks the webhook, and applies its patch."""
    answer = admission.Server(case, *flags).review(manifest)
    case.assertEqual(answer.warnings, [])
    return jsonpatch.apply_patch(manifest, answer.patch)


class Pod:
    """
    Running when made: both servers listen, and the sidecar serves /metrics. has_tls: nginx listens
    for TLS, too, on tls_port, with one of `certificates`. user: of the containers but the
    sidecar's, whose root is read-only then.
    """

    def __init__(self, case, pods, *flags, shares=True, environment=None, files=None,
                 has_tls=False, user=None):
        self.case = case
        self.pods = pods
        self.name = f"shop-{harness.next_number()}"
        self.uid = str(uuid.uuid4())
        self.dir = case.scratch(self.name)
        self.web_port = harness.free_port()
        self.api_port = harness.free_port()
        self.metrics_port = harness.free_port()
        self.tls_port = harness.free_port()
        self.user = user
        self.environment = environment or {}
        self.files = files or {}  # of the sidecar: {its path there: path}
        (self.dir / "tmp").mkdir(parents=True)
        (self.dir / "tmp").chmod(0o777)
        if user:
            self.dir.chmod(0o777)
        tls = ""
        if has_tls:
            self.certificates = Certificates(self.dir)
            (self.dir / "server.key").chmod(0o644)
            tls = _TLS.format(port=self.tls_port, dir=self.dir)
        (self.dir / "nginx.conf").write_text(
            _NGINX.format(dir=self.dir, port=self.web_port, tls=tls)
        )
        if not pods.has_image(APP):
            pods.import_root(APP, podman.make_root(pods.directory / "app"), _PATH)
        image = images.build(pods, "sidelight")
        self.injected = inject(
            case,
            self.manifest(shares),
            f"--image={image}",
            f"--metrics-port={self.metrics_port}",
            "--export=both",
            *flags,
        )
        self.played = self.for_podman(self.injected)
        path = self.dir / "pod.json"
        path.write_text(json.dumps(self.played))
        case.stack.callback(self.close)
        pods("kube", "play", path)

    def close(self):
        self.pods("pod", "rm", "-f", "-t", "0", self.name, check=False)

    def stop(self):
        """As the kubelet does it: native sidecars after the others, and pause at last."""
        for names in (("web", "api"), ("sidelight",)):
            monitors = [self.state(name)["ConmonPid"] for name in names]
            self.pods("stop", "-t", "10", *map(self.container_name, names))
            # What these start when a container has ended stops a Pod whose last one is being
            # stopped just then, by ending pause, and with it all others at once.
            harness.wait_for(
                "podman to be done", lambda: not any(map(harness.is_alive, monitors))
            )
        self.pods("pod", "stop", "-t", "0", self.name)

    def manifest(self, shares):
        """As a user writes it."""
        spec = {
            "restartPolicy": "Always",
            "containers": [
                self.container("web", ["nginx", "-p", self.dir, "-c", self.dir / "nginx.conf"]),
                self.container(
                    "api",
                    [
                        "python3",
                        harness.SERVERS / "pyhttp.py",
                        "127.0.0.1",
                        self.api_port,
                        self.dir / "api.log",
                    ],
                ),
            ],
            "volumes": [
                *(self.borrowed(path) for path in ("/usr", "/etc/alternatives")),
                self.borrowed(harness.SERVERS),
                self.borrowed(self.dir),
            ],
        }
        if shares is not None:
            spec["shareProcessNamespace"] = shares
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": "shop-ns",
                "labels": {"app": "shop", "team/owner": "blue"},
                "annotations": {"sidelight.dev/inject": "true"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "StatefulSet",
                        "name": "shop",
                        "uid": self.uid,
                        "controller": True,
                    }
                ],
            },
            "spec": spec,
        }

    def container(self, name, command):
        mounts = [("/usr", True), ("/etc/alternatives", True), (harness.SERVERS, True)]
        security = {"runAsUser": self.user, "readOnlyRootFilesystem": True} if self.user else {}
        return {
            "name": name,
            "image": APP,
            "command": [str(word) for word in command],
            "securityContext": security,
            "volumeMounts": [
                *(
                    {"name": volume_name(p), "mountPath": str(p), "readOnly": True}
                    for p, _ in mounts
                ),
                {"name": volume_name(self.dir), "mountPath": str(self.dir)},
            ],
        }

    def borrowed(self, path):
        return {
            "name": volume_name(path),
            "hostPath": {"path": str(path), "type": "Directory"},
        }

    def for_podman(self, manifest):
        """
        What podman has no counterpart for: native sidecars, downward API
        volumes, the kubelet's own mounts, and fields that only it knows. What the
        kubelet restarts, the test does.
        """
        pod = copy.deepcopy(manifest)
        spec = pod["spec"]
        spec["restartPolicy"] = "Never"
        # Its network is that of the test's world, which has no other use.
        spec["hostNetwork"] = True
        for c in spec.pop("initContainers", []):
            c.pop("restartPolicy", None)
            c.pop("startupProbe", None)
            c.pop("resources", None)
            spec["containers"].insert(0, c)
        fields = {"metadata.namespace": "shop-ns", "spec.nodeName": "node-7"}
        for c in spec["containers"]:
            c.pop("ports", None)
            env = c.get("env", [])
            for e in env:
                path = e.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
                if path in fields:
                    e.pop("valueFrom")
                    e["value"] = fields[path]
            if c["name"] == "sidelight":
                self.equip(c, spec["volumes"])
            log = self.kubelet_log(c["name"])
            spec["volumes"].append(
                {"name": f"log-{c['name']}", "hostPath": {"path": str(log), "type": "File"}}
            )
            c.setdefault("volumeMounts", []).append(
                {"name": f"log-{c['name']}", "mountPath": "/dev/termination-log"}
            )
        for volume in spec["volumes"]:
            if "downwardAPI" in volume:
                self.podinfo = PodInfo(self.dir / "podinfo", pod["metadata"])
                volume.pop("downwardAPI")
                volume["hostPath"] = {"path": str(self.podinfo.dir), "type": "Directory"}
        return pod

    def equip(self, sidecar, volumes):
        """Gives it what the test wants it to have."""
        sidecar["env"] = sidecar.get("env", []) + [
            {"name": k, "value": v} for k, v in self.environment.items()
        ]
        for path, source in self.files.items():
            name = volume_name(source)
            volumes.append({"name": name, "hostPath": {"path": str(source), "type": "File"}})
            sidecar.setdefault("volumeMounts", []).append(
                {"name": name, "mountPath": path, "readOnly": True}
            )

    def kubelet_log(self, container):
        """The file that the kubelet mounts into a container, where it has it."""
        directory = self.dir / "kubelet" / "pods" / self.uid / "containers" / container
        directory.mkdir(parents=True)
        path = directory / "0a1b2c3d"
        path.touch()
        return path

    def container_name(self, name):
        return f"{self.name}-{name}"

    def pid(self, name):
        return self.state(name)["Pid"]

    def state(self, name):
        return self.pods.inspect("container", self.container_name(name))[0]["State"]

    def output(self, name="sidelight"):
        done = self.pods("logs", self.container_name(name), check=False)
        return done.stdout + done.stderr

    def wait_ready(self):
        for port in (self.web_port, self.api_port):
            harness.wait_for(f"port {port}", lambda: harness.is_listening(port), 15)
        self.wait("the sidecar", lambda: http_get(self.metrics_port, "/readyz")[0] == 200)
        for name in ("web", "api"):
            self.wait_watched(name)
        return self

    def wait(self, what, event):
        try:
            harness.wait_for(what, event, 15, pause=0.02)
        except AssertionError as e:
            raise AssertionError(f"{e}; the sidecar says:\n{self.output()}") from None

    def wait_watched(self, name, times=1):
        """Milliseconds from the container's start to its attachment, as last told; None: not told."""
        pattern = re.compile(rf"watching container {name} \(.*?\)(?:, ([0-9.]+) ms)?")

        def event():
            return len(pattern.findall(self.output())) >= times

        self.wait(f"{name} to be watched", event)
        told = pattern.findall(self.output())[-1]
        return float(told) if told else None

    def logged(self, name="access.log"):
        """What nginx says it has answered, as a Counter of (method, target, status)."""
        lines = (self.dir / name).read_text().splitlines()
        return collections.Counter(tuple(line.split()) for line in lines)


class PodInfo:
    """A downward API volume as the kubelet keeps it: files behind a symbolic link that is swapped."""

    def __init__(self, directory, metadata):
        self.dir = directory
        self.dir.mkdir()
        self.metadata = metadata
        self.number = 0
        self.write()
        for name in ("annotations", "labels"):
            (self.dir / name).symlink_to(f"..data/{name}")

    def write(self):
        self.number += 1
        data = self.dir / f"..2026_{self.number}"
        data.mkdir()
        for name in ("annotations", "labels"):
            pairs = self.metadata.get(name, {}).items()
            text = "".join(f"{key}={quote(value)}\n" for key, value in pairs)
            (data / name).write_text(text)
        (self.dir / "..data_tmp").symlink_to(data.name)
        (self.dir / "..data_tmp").rename(self.dir / "..data")

    def annotate(self, **values):
        """Sets sidelight.dev/* annotations; None removes one."""
        annotations = self.metadata.setdefault("annotations", {})
        for key, value in values.items():
            name = "sidelight.dev/" + key.replace("_", "-")
            if value is None:
                annotations.pop(name, None)
            else:
                annotations[name] = value
        self.write()


def quote(value):
    """As Go's %q writes it, for the characters that tests use."""
    return json.dumps(value)


def volume_name(path):
    return "v" + re.sub(r"[^a-z0-9]+", "-", str(path).lower()).rstrip("-")[-50:]


class InPod(Sidelight):
    """The sidecar of a Pod, for observer.py's questions."""

    def __init__(self, pod):
        self.case = pod.case
        self.pod = pod
        self.port = pod.metrics_port

    def latest_page(self):
        status, text = http_get(self.port, "/metrics")
        self.case.assertEqual(status, 200, f"/metrics of the sidecar:\n{self.pod.output()}")
        return Metrics(text)
