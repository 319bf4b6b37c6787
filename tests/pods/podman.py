# SPDX-License-Identifier: Apache-2.0
"""
Real Pods without a cluster and without a network: podman and buildah with
runc, inside a world.py. Images live in build/pods from run to run; what runs
lives in a scratch directory and ends with the world.
"""
import errno
import hashlib
import json
import os
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import harness  # noqa: E402

CACHE = harness.ROOT / "build" / "pods"
RUNTIME = HERE / "oci-runtime"

# Directories of the machine that images may borrow instead of holding them.
BORROWED = ("/usr", "/etc/alternatives", "/var/lib/dpkg")

_CONTAINERS_CONF = """
[containers]
pids_limit = 0
log_driver = "k8s-file"
seccomp_profile = "{seccomp}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "shim"
runtime_supports_json = ["shim"]
[engine.runtimes]
shim = ["{runtime}"]
"""

_STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{graph}"
runroot = "{run}"
"""

def _default_seccomp():
    """
    RuntimeDefault: podman's profile, with what those of containerd 1.6 and
    Docker 20.10 allow to holders of the newer capabilities.
    """
    profile = json.loads(pathlib.Path("/usr/share/containers/seccomp.json").read_text())
    for capability, call in (("CAP_BPF", "bpf"), ("CAP_PERFMON", "perf_event_open")):
        for rule in profile["syscalls"]:
            if rule["action"] == "SCMP_ACT_ERRNO" and call in rule["names"]:
                rule["names"].remove(call)
        rule = {"names": [call], "args": []}
        allow = {"action": "SCMP_ACT_ALLOW", "includes": {"caps": [capability]}, "excludes": {}}
        refuse = {
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": errno.EPERM,
            "includes": {},
            "excludes": {"caps": [capability, "CAP_SYS_ADMIN"]},
        }
        profile["syscalls"] += [{**rule, **allow}, {**rule, **refuse}]
    return profile


def prepare_cache():
    """Empty after a boot: podman does not sync what it stores, and may have left it half written."""
    boot, known = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(), CACHE / "boot_id"
    if not known.exists() or known.read_text() != boot:
        shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    known.write_text(boot)


class Podman:
    """podman and buildah with a configuration and a run directory of this case's own."""

    def __init__(self, case):
        for program in ("podman", "buildah", "runc", "conmon", "jq"):
            harness.need(program)
        prepare_cache()
        directory = case.scratch("podman")
        (directory / "run").mkdir(parents=True)
        (directory / "tmp").mkdir()
        seccomp = directory / "seccomp.json"
        seccomp.write_text(json.dumps(_default_seccomp()))
        config = directory / "containers.conf"
        config.write_text(_CONTAINERS_CONF.format(runtime=RUNTIME, seccomp=seccomp))
        storage = directory / "storage.conf"
        storage.write_text(_STORAGE_CONF.format(graph=CACHE / "storage", run=directory / "run"))
        self.directory = directory
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(config),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "TMPDIR": str(directory / "tmp"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "BUILDAH_ISOLATION": "oci",
            "BUILDAH_RUNTIME": str(RUNTIME),
        }
        case.stack.callback(self.close)
        try:
            self("info")
        except AssertionError as e:
            raise unittest.SkipTest(f"podman does not work on this machine: {e}") from None

    def __call__(self, *args, check=True, seconds=120, **more):
        argv = ["podman", "--tmpdir", self.directory / "tmp", *args]
        return harness.run(argv, check=check, seconds=seconds, env=self.env, **more)

    def buildah(self, *args, seconds=300):
        return harness.run(["buildah", *args], seconds=seconds, env=self.env)

    def close(self):
        self("pod", "rm", "-a", "-f", "-t", "0", check=False)
        self("rm", "-a", "-f", "-t", "0", check=False)
        self("umount", "-a", check=False)

    def has_image(self, name):
        return self("image", "exists", name, check=False).returncode == 0

    def import_root(self, name, root, *changes):
        """An image of one layer from a directory."""
        flags = [f"--change={change}" for change in changes]
        tar = self.directory / "root.tar"
        harness.run(["tar", "-C", root, "-cf", tar, "."])
        self("import", *flags, tar, name)
        tar.unlink()

    def inspect(self, kind, name):
        return json.loads(self(kind, "inspect", name).stdout)


def make_root(directory):
    """The skeleton of a Debian whose /usr is the machine's own, borrowed at run time."""
    directory.mkdir(parents=True)
    for name in ("usr", "etc/alternatives", "etc/ssl/certs", "var/lib/dpkg", "tmp", "proc", "sys", "dev", "run",
                 "root", "var/log/nginx", "var/lib/nginx", "var/cache", "srv"):
        (directory / name).mkdir(parents=True)
    (directory / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (directory / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group", "ld.so.cache", "nsswitch.conf",
                 "debian_version", "ssl/certs/ca-certificates.crt"):
        source = pathlib.Path("/etc") / name
        if source.exists():
            (directory / "etc" / name).write_bytes(source.read_bytes())
    return directory


def digest(*paths):
    """Names a state of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path).encode() + b"\0")
        total.update(pathlib.Path(path).read_bytes())
    return total.hexdigest()[:16]
