# SPDX-License-Identifier: Apache-2.0
"""
Fresh Debian roots, made by debootstrap and kept in build/roots, and systemd as process 1 in one.
"""
import os
import shutil
import unittest

import harness

CACHE = harness.ROOT / "build" / "roots"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
PACKAGES = "systemd,dbus,nginx-light,curl,ca-certificates,man-db"

# As process 1 of its namespaces, in a cgroup namespace whose root systemd manages.
_BOOT = """
mount --bind "$0" "$0" &&
mount -t proc proc "$0/proc" &&
mount -t sysfs -o ro sysfs "$0/sys" &&
mount -t cgroup2 cgroup2 "$0/sys/fs/cgroup" &&
mount -t tmpfs tmpfs "$0/run" &&
mount -t tmpfs tmpfs "$0/tmp" &&
mount -t tmpfs -o mode=755 tmpfs "$0/dev" &&
for node in null zero full random urandom tty; do
	touch "$0/dev/$node" && mount --bind "/dev/$node" "$0/dev/$node" || exit
done &&
ln -s /proc/self/fd "$0/dev/fd" && mkdir "$0/dev/shm" "$0/dev/pts" &&
ip link set lo up &&
exec chroot "$0" env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --log-target=console --show-status=no
"""


def archive(suite):
    """A tar file of a root of that suite, with what the test needs, and without sidelight."""
    harness.need("debootstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{suite}.tar"
    if path.exists():
        return path
    root = CACHE / suite
    shutil.rmtree(root, ignore_errors=True)
    done = harness.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, root, MIRROR],
                       check=False, seconds=400)
    if done.returncode:
        raise unittest.SkipTest(f"debootstrap of {suite}: {done.stdout[-500:]}{done.stderr[-500:]}")
    harness.run(["tar", "-C", root, "-cf", path.with_suffix(".new"), "."], seconds=120)
    path.with_suffix(".new").rename(path)
    shutil.rmtree(root)
    return path


class Root:
    """A copy of such a root, in which commands run; with boot(), below a systemd."""

    def __init__(self, case, suite):
        self.case = case
        self.path = case.scratch(suite)
        self.path.mkdir()
        harness.run(["tar", "-C", self.path, "-xpf", archive(suite)], seconds=120)
        shutil.copy("/etc/resolv.conf", self.path / "etc" / "resolv.conf")
        self.process = self.first = None

    def __call__(self, *argv, check=True, seconds=60):
        enter = ["chroot", self.path]
        if self.first:
            enter = ["nsenter", f"--target={self.first}", "--mount", "--uts", "--ipc", "--net", "--pid",
                     "--cgroup", "--root", "--wd"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                       "DEBIAN_FRONTEND": "noninteractive"}
        return harness.run([*enter, *argv], check=check, seconds=seconds, env=environment)

    def files(self):
        """Names, without those that packages of the distribution change at any time."""
        out = harness.run(["find", self.path, "-xdev", "(", "-path", "*/var/cache/*", "-o", "-path", "*/var/log/*",
                           "-o", "-path", "*/var/lib/apt/*", "-o", "-path", "*/var/lib/dpkg/*-old", ")",
                           "-prune", "-o", "-printf", "%P\n"]).stdout
        return set(out.splitlines())

    def boot(self):
        """systemd as process 1; commands run beside it from now on."""
        self.process = self.case.spawn(
            ["unshare", "-mnpuiC", "--fork", "--kill-child", "sh", "-c", _BOOT, str(self.path)],
            cgroup=self.case.cgroup())
        self.first = harness.wait_for("systemd's process", self._child)
        harness.wait_for("systemd to be up", self._is_up, seconds=60)

    def _child(self):
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
                pids = f.read().split()
            with open(f"/proc/{pids[0]}/comm", encoding="ascii") as f:
                return int(pids[0]) if f.read().strip() == "systemd" else None
        except (OSError, IndexError):
            return None

    def _is_up(self):
        if not self.process.is_running():
            raise AssertionError(f"systemd ended:\n{self.process.text()}")
        said = self("systemctl", "is-system-running", check=False).stdout.strip()
        return said in ("running", "degraded")
