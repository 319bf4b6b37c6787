#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`sidelight-webhook inject`: what the webhook would do, and what would refuse the outcome.
"""
import json

from admission import WEBHOOK, Server, pod, template, workload
from harness import Case, main, run


class Inject(Case):
    def test_is_what_the_webhook_does(self):
        """`inject` on a manifest, and the webhook on the same, agree."""
        file = self.scratch("pod.json")
        file.write_text(json.dumps(pod()))
        printed = json.loads(run([WEBHOOK, "inject", "--push", "http://gw:9091", file]).stdout)
        server = Server(self, "--push", "http://gw:9091")
        self.assertEqual(server.review(printed).patch, [])
        made = [op["value"] for op in server.review(pod()).patch
                if op["path"] == "/spec/initContainers/0"]
        self.assertEqual(printed["spec"]["initContainers"], made)

    def inject(self, *objects, words=()):
        """Exit status and lines of `inject` on what `kubectl get -o json` prints of these."""
        file = self.scratch("list.json")
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        done = run([WEBHOOK, "inject", *words, file], check=False)
        return done.returncode, done.stderr.splitlines()

    def test_names_what_will_refuse(self):
        def quota(hard, used=None):
            return {"kind": "ResourceQuota", "metadata": {"name": "team"},
                    "spec": {"hard": hard}, "status": {"hard": hard, "used": used or {}}}

        def limits(**members):
            return {"kind": "LimitRange", "metadata": {"name": "range"},
                    "spec": {"limits": [{"type": "Container", **members}]}}

        def namespace(level):
            labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
            return {"kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}

        web = workload("Deployment")
        for other, words, refused in (
            (quota({"limits.cpu": "4"}), (), "limits.cpu must be said; sidelight.dev/cpu-limit"),
            (quota({"limits.cpu": "4"}), ("--cpu-limit", "50m"), None),
            (quota({"limits.memory": "4Gi"}, {"limits.memory": "4000Mi"}), (), "limits.memory has"),
            (quota({"requests.cpu": "1", "memory": "1G"}, {"requests.cpu": "990m"}), (), None),
            (quota({"cpu": "1"}, {"cpu": "995m"}), (), "cpu has less left than the container's 10m"),
            (quota({"pods": "4", "count/secrets": "1"}), (), None),
            (limits(min={"cpu": "50m"}), (), "cpu is below the minimum"),
            (limits(min={"cpu": "50m"}), ("--cpu", "50m"), None),
            (limits(min={"memory": "16Mi"}), (), None),
            (limits(max={"memory": "64Mi"}), (), "memory is above the maximum"),
            (limits(max={"memory": "64Mi"}), ("--memory-limit", "64Mi"), None),
            (limits(max={"cpu": "1"}), (), None),
            (limits(default={"cpu": "5m"}), (), "default limit of cpu is below the request"),
            (limits(maxLimitRequestRatio={"memory": "2"}), (), "memory is too many times"),
            (limits(maxLimitRequestRatio={"memory": "4"}), (), None),
            (limits(default={"cpu": "500m"}, maxLimitRequestRatio={"cpu": "10"}), (), "cpu is too"),
            (limits(maxLimitRequestRatio={"cpu": "10"}), (), "cpu is too many times"),
            (namespace("baseline"), (), "Pod Security Standard"), (namespace(None), (), None),
            (namespace(None), ("--pod-security", "baseline"), "the cluster enforces"),
            (namespace("privileged"), ("--pod-security", "baseline"), None),
        ):
            status, lines = self.inject(web, other, words=words)
            with self.subTest(other=other, words=words):
                self.assertEqual((status, len(lines)), (1, 1) if refused else (0, 0), lines)
                if refused:
                    self.assertIn("Deployment/web: ", lines[0])
                    self.assertIn(refused, lines[0])
        self.assertEqual(self.inject(quota({"limits.cpu": "4"}))[0], 2, "nothing to inject")
        self.assertEqual(self.inject(web, workload("Job"))[0], 0)

    def test_a_container_of_our_name(self):
        """It is left alone, and nothing is said of its resources."""
        own = {"name": "sidelight", "image": "mine:1", "resources": {"requests": {"cpu": "9"}}}
        limits = {"kind": "LimitRange", "metadata": {"name": "range"},
                  "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}
        obj = workload("Deployment", inside=template(spec={"containers": [own]}))
        status, lines = self.inject(obj, limits)
        self.assertEqual((status, len(lines)), (1, 1), lines)
        self.assertIn("Deployment/web: not injected: it has a container sidelight of its own",
                      lines[0])

    def test_several_documents(self):
        """`kubectl create --dry-run=client -o json` prints one JSON text after another."""
        service = {"kind": "Service", "metadata": {"name": "web"}}
        texts = [json.dumps(o) for o in (service, workload("Deployment"), pod())]
        file = self.scratch("documents.json")
        file.write_text("\n".join(texts) + "\n")
        done = run([WEBHOOK, "inject", file])
        printed, decoder, rest = [], json.JSONDecoder(), done.stdout.strip()
        while rest:
            one, end = decoder.raw_decode(rest)
            printed.append(one)
            rest = rest[end:].strip()
        self.assertEqual(printed[0], service)
        specs = [printed[1]["spec"]["template"]["spec"], printed[2]["spec"]]
        self.assertEqual(len(printed), 3)
        for spec in specs:
            self.assertEqual([c["name"] for c in spec["initContainers"]][:1], ["sidelight"])

    def test_bad_input(self):
        for text, why in [("x", "not JSON"), ("{}", "no Pod template"),
                          ("", "not JSON"), (json.dumps(pod()) + "}", "not JSON"),
                          ('{"kind": "Service"}', "a Service has no Pod template")]:
            file = self.scratch("in.json")
            file.write_text(text)
            done = run([WEBHOOK, "inject", file], check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    main()
