# SPDX-License-Identifier: Apache-2.0
"""
kubectl of the newest Kubernetes, unpacked from Debian's archive into the build
directory, and what its kustomize makes of the manifests.
"""
import atexit
import fcntl
import functools
import hashlib
import os
import pathlib
import platform
import shutil
import tempfile
import unittest
import urllib.error
import urllib.request

import yaml

import harness

ARCHIVE = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# Of the newest release, and of Debian 13, whose packages stay where they are.
PACKAGES = {
    "pool/main/k/kubernetes/kubectl_1.36.4+ds-1_amd64.deb":
        "407dad9ec755a64ef8c96dd2f5c0c093f9d334193c91cc0ce8424928cd5734d3",
    "pool/main/k/kubernetes/kubectl_1.32.3+ds-2_amd64.deb":
        "9825aaf4c14913027aae04af8688e580459f781c829bd5de00cc4dc2cc5a867f",
}
UNPACKED = harness.ROOT / "build" / "kubectl"


def _download():
    for package, checksum in PACKAGES.items():
        try:
            with urllib.request.urlopen(f"{ARCHIVE}/{package}", timeout=60) as answer:
                deb = answer.read()
        except (urllib.error.URLError, OSError):
            continue
        if hashlib.sha256(deb).hexdigest() != checksum:
            raise AssertionError(f"{package} is not what it was")
        return deb
    return None


def _unpack():
    """A pinned kubectl, or None when the archive cannot be reached."""
    program = UNPACKED / "usr" / "bin" / "kubectl"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with open(UNPACKED / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            deb = _download()
            if not deb:
                return None
            (UNPACKED / "kubectl.deb").write_bytes(deb)
            harness.run(["dpkg-deb", "-x", UNPACKED / "kubectl.deb", UNPACKED])
    return program


def kubectl():
    """KUBECTL, the pinned one, or the one that is installed; else the test is skipped."""
    said = os.environ.get("KUBECTL")
    if said:
        return said
    pinned = _unpack() if platform.machine() == "x86_64" else None
    found = pinned or shutil.which("kubectl")
    if not found:
        raise unittest.SkipTest("no kubectl here, and Debian's archive cannot be reached")
    return str(found)


def build(directory):
    """The objects of a kustomization."""
    done = harness.run([kubectl(), "kustomize", directory])
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


_tree = None


def tree():
    """The manifests in a directory of our own, with a certificate, as `make certs` leaves them."""
    global _tree
    if _tree is None:
        _tree = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        atexit.register(shutil.rmtree, _tree, ignore_errors=True)
        for name in ("webhook-manifests", "kustomize"):
            shutil.copytree(harness.ROOT / name, _tree / name,
                            ignore=shutil.ignore_patterns("*.crt", "*.key"))
        harness.run(["make", "-s", "-C", harness.ROOT, "certs",
                     f"CERTS_DIR={_tree / 'kustomize' / 'components' / 'certs'}"])
    return _tree


@functools.cache
def overlay(name):
    """The objects of an overlay of ours."""
    return build(tree() / "kustomize" / "overlays" / name)


OVERLAYS = sorted(p.name for p in (harness.ROOT / "kustomize" / "overlays").iterdir())


def on_top(components, resources):
    """What components make of resources: paths below the tree, or objects."""
    directory = tree() / "kustomize" / "overlays" / f"test-{harness.next_number()}"
    directory.mkdir()
    names = []
    for resource in resources:
        if isinstance(resource, str):
            names.append(f"../../../{resource}")
        else:
            names.append(f"{len(names)}.yaml")
            (directory / names[-1]).write_text(yaml.dump(resource))
    (directory / "kustomization.yaml").write_text(yaml.dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": names, "components": [f"../../components/{n}" for n in components]}))
    return build(directory)
