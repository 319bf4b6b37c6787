#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Reviews of workloads: what is carried from their annotations into their Pod templates, and who
is left alone.
"""
import copy

import kubernetes
from admission import (Server, job_of, owned_by, pod_of, template, template_of,
                       workload)
from harness import Case, main
from test_webhook import after, environment, injected

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def setUpModule():
    kubernetes.install()


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

    def test_static_sidecar(self):
        """A template that has the container by itself: its port is not in anybody's way."""
        static = {"name": "sidelight", "image": "i:1", "ports": [{"containerPort": 9465}]}
        both = [static, {"name": "app", "image": "a:1"}]
        said = {"sidelight.dev/status": "injected"}
        for annotations, warning in ((said, None), (None, "has a container sidelight of its own")):
            for spec in ({"initContainers": [static]}, {"containers": both}):
                inside = template(annotations, spec=spec)
                answer = Server(self).review(workload("Deployment", self.ON, inside))
                self.assertEqual(len(answer.warnings), 1 if warning else 0, answer.warnings)
                self.assertIn(warning or "", "".join(answer.warnings))

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
