#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The archives of images in RELEASE (default: build/release), loaded into podman and run, and the
manifests that name them. `make check-release` runs it.
"""
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "pods"), str(HERE.parent / "e2e")]

import harness
import world
import yaml

import podman

RELEASE = pathlib.Path(os.environ.get("RELEASE", harness.ROOT / "build" / "release"))


def archive(program):
    return next(iter(sorted(RELEASE.glob(f"{program}-[0-9]*.oci.tar"))))


class Images(harness.Case):
    def test_run_in_podman(self):
        pods = podman.Podman(self)
        for program in ("sidelight", "sidelight-webhook"):
            pods("load", "-i", archive(program))
            name = f"docker.io/library/{program}:{self.version()}"
            details = pods.inspect("image", name)[0]
            self.assertEqual(details["Config"]["Entrypoint"], [f"/usr/bin/{program}"])
            done = pods("run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", name, "version")
            self.assertTrue(done.stdout.startswith(f"{program} {self.version()} "), done.stdout)
            if program == "sidelight":
                self.check_capabilities(pods, name)
            pods("rmi", "-f", name)

    def check_capabilities(self, pods, name):
        """The archive keeps those of the file, by which another user than root gets them."""
        grants = [f"--cap-add={each}" for each in ("BPF", "NET_ADMIN", "PERFMON", "SYS_PTRACE")]
        done = pods("run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", *grants,
                    "--user=65532:65532", name, "doctor", check=False)
        self.assertIn('"sidelight run" can work here.', done.stdout, done.stderr)

    def version(self):
        return re.search(r"-([0-9.]+)\.oci\.tar", archive("sidelight").name)[1]

    def test_manifests_name_their_digests(self):
        digests = set()
        for program in ("sidelight", "sidelight-webhook"):
            text = harness.run(["tar", "-xOf", archive(program), "index.json"]).stdout
            digests.add(json.loads(text)["manifests"][0]["digest"])
        for name, wanted in (("install.yaml", 2), ("install-policy.yaml", 1)):
            objects = list(yaml.safe_load_all((RELEASE / name).read_text()))
            self.assertGreater(len(objects), 3)
            named = set(re.findall(r"(?:sidelight|sidelight-webhook)@(sha256:\w+)", json.dumps(objects)))
            self.assertEqual(len(named), wanted, name)
            self.assertLessEqual(named, digests, name)


if __name__ == "__main__":
    world.enter(is_root=True)
    harness.main()
