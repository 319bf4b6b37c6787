# SPDX-License-Identifier: Apache-2.0
"""
An API server's side of admission: sidelight-webhook over TLS, with a
certificate that it made itself, and the objects that are reviewed.
"""
import base64
import copy
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import uuid

import harness

WEBHOOK = pathlib.Path(os.environ.get("SIDELIGHT_WEBHOOK", harness.ROOT / "build/sidelight-webhook"))
SERVICE = "sidelight-webhook.sidelight-system.svc"
GROUPS = {"Pod": ("", "v1", "pods"), "Job": ("batch", "v1", "jobs"),
          "CronJob": ("batch", "v1", "cronjobs")}


class Connection(http.client.HTTPSConnection):
    """To the port of this machine, but for the Service's name, as in a cluster."""

    def __init__(self, port, authority, timeout=20, source=None, tls=None):
        self.tls = tls or ssl.create_default_context(cafile=str(authority))
        self.source = source
        super().__init__(SERVICE, port, timeout=timeout, context=self.tls)

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout,
                                         source_address=self.source and (self.source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)

    def serial(self):
        """Of the certificate that the server showed."""
        return self.sock.getpeercert()["serialNumber"]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def response(self):
        return json.loads(self.body)["response"]

    @property
    def warnings(self):
        return self.response.get("warnings", [])

    @property
    def patch(self):
        """The operations, [] if there is no patch."""
        if "patch" not in self.response:
            return []
        assert self.response["patchType"] == "JSONPatch"
        return json.loads(base64.b64decode(self.response["patch"], validate=True))


class Server:
    """sidelight-webhook serve, in a Case."""

    def __init__(self, case, *options, drain="0", binary=WEBHOOK, cgroup=None, before=()):
        self.dir = case.scratch("tls")
        self.dir.mkdir()
        self.renew()
        self.process = case.spawn(
            [*before, binary, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
             "--tls-cert", self.dir / "tls.crt", "--tls-key", self.dir / "tls.key",
             "--drain", drain, *options], cgroup=cgroup)
        found = harness.wait_for("the server", self._ports)
        self.port, self.plain_port = map(int, found.groups())
        self._connection = None
        case.own(self)

    def close(self):
        if self._connection:
            self._connection.close()

    def _ports(self):
        text = self.process.text()
        assert self.process.is_running(), text
        return re.search(r"reviews on port (\d+), metrics on port (\d+)", text)

    def renew(self):
        """A new authority and certificate, renamed into place as kubelet does."""
        made = self.dir / "new"
        made.mkdir()
        harness.run([WEBHOOK, "certs", "--dir", made])
        for name in ("ca.crt", "ca.key", "tls.crt", "tls.key"):
            os.rename(made / name, self.dir / name)
        made.rmdir()

    def connect(self, **options):
        return Connection(self.port, self.dir / "ca.crt", **options)

    def request(self, method, path, body=None, headers=None, connection=None):
        """On a kept connection unless one is given."""
        if connection is None:
            self._connection = self._connection or self.connect()
            connection = self._connection
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def post(self, path, body, content_type="application/json", connection=None):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self.request("POST", path, body, {"Content-Type": content_type}, connection)

    def review(self, obj, operation="CREATE", path=None, **more):
        """The answer to a review of an object, which must be a proper one."""
        request = review(obj, operation, **more)
        if path is None:
            path = "/mutate-pod" if obj["kind"] == "Pod" else "/mutate-workload"
        answer = self.post(path, request)
        assert answer.status == 200, (answer.status, answer.body)
        said = json.loads(answer.body)
        assert said["apiVersion"] == request["apiVersion"], said
        assert said["kind"] == "AdmissionReview", said
        assert said["response"]["uid"] == request["request"]["uid"], said
        assert said["response"]["allowed"] is True, said
        return answer

    def plain(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer = Answer(answer.status, answer.headers, answer.read().decode())
        connection.close()
        return answer

    def metric(self, name):
        """One sample by its full name with labels."""
        for line in self.plain("/metrics").body.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")


def review(obj, operation="CREATE", old=None, version="admission.k8s.io/v1", **more):
    """An AdmissionReview as kube-apiserver sends it."""
    group, api, resource = GROUPS.get(
        obj["kind"], ("apps", "v1", obj["kind"].lower() + "s"))
    kind = {"group": group, "version": api, "kind": obj["kind"]}
    where = {"group": group, "version": api, "resource": resource}
    name = obj["metadata"].get("name")
    return {
        "apiVersion": version,
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": kind, "resource": where, "requestKind": kind, "requestResource": where,
            **({"name": name} if name else {}),
            "namespace": "shop",
            "operation": operation,
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                         "uid": "7e5ae7d3", "groups": ["system:authenticated"]},
            "object": obj,
            "oldObject": old,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **more,
        },
    }


def pod(annotations=None, spec=None, metadata=None):
    """As a ReplicaSet controller creates it: no name yet."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "web-6d4cf56db6-",
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"},
            "annotations": {"sidelight.dev/inject": "true", **(annotations or {})},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
                                 "name": "web-6d4cf56db6", "uid": "8b1f", "controller": True,
                                 "blockOwnerDeletion": True}],
            **(metadata or {}),
        },
        "spec": {
            "containers": [{"name": "app", "image": "nginx:1.27",
                            "ports": [{"containerPort": 8080}]}],
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            **(spec or {}),
        },
    }


def template(annotations=None, spec=None):
    metadata = {"labels": {"app": "web"}}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"metadata": metadata,
            "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}], **(spec or {})}}


def workload(kind, annotations=None, inside=None, name="web"):
    """A Deployment, StatefulSet, ... that holds a template."""
    inside = copy.deepcopy(inside) if inside else template()
    selector = {"matchLabels": {"app": "web"}}
    if kind in ("Job", "CronJob"):
        inside["spec"]["restartPolicy"] = "Never"
    spec = {
        "Deployment": lambda: {"replicas": 2, "selector": selector, "template": inside},
        "StatefulSet": lambda: {"serviceName": "web", "selector": selector, "template": inside},
        "DaemonSet": lambda: {"selector": selector, "template": inside},
        "Job": lambda: {"backoffLimit": 2, "template": inside},
        "CronJob": lambda: {"schedule": "*/5 * * * *",
                            "jobTemplate": {"spec": {"template": inside}}},
    }[kind]()
    group, version, _ = GROUPS.get(kind, ("apps", "v1", ""))
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def owned_by(owner):
    """What a controller writes into the metadata of what it makes."""
    return [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "uid": "5f2c",
             "name": owner["metadata"]["name"], "controller": True, "blockOwnerDeletion": True}]


def job_of(cronjob):
    """As the CronJob controller makes it: the annotations of jobTemplate.metadata, and no other."""
    made = copy.deepcopy(cronjob["spec"]["jobTemplate"])
    annotations = made.get("metadata", {}).get("annotations", {})
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": made["spec"], "metadata": {
        "name": cronjob["metadata"]["name"] + "-28934561", "namespace": "shop",
        "annotations": {**annotations, "batch.kubernetes.io/cronjob-scheduled-timestamp":
                        "2026-01-02T03:05:00Z"},
        "ownerReferences": owned_by(cronjob)}}


def pod_of(job):
    """As the Job controller makes it."""
    inside = copy.deepcopy(job["spec"]["template"])
    name = job["metadata"]["name"]
    return {"apiVersion": "v1", "kind": "Pod", "spec": inside["spec"], "metadata": {
        **inside.get("metadata", {}), "generateName": f"{name}-", "finalizers":
        ["batch.kubernetes.io/job-tracking"], "ownerReferences": owned_by(job)}}


def template_of(obj):
    spec = obj["spec"]
    return spec["jobTemplate"]["spec"]["template"] if obj["kind"] == "CronJob" else spec["template"]
