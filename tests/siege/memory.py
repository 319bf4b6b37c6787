# SPDX-License-Identifier: Apache-2.0
"""
A cgroup with a memory limit, of either version: processes that are started in
it are charged to it, and so is the kernel memory of BPF maps that they make.
"""
import pathlib
import unittest
import uuid

import harness


def mount_version_1(point):
    """In a world.py, which has cgroups of version 2 only. Returns whether there are such."""
    point.mkdir()
    argv = ["mount", "-t", "cgroup", "-o", "memory", "memory", point]
    return harness.run(argv, check=False).returncode == 0


def _controller():
    """(directory, is version 2) of the memory controller."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return pathlib.Path(point), False
        if kind == "cgroup2":
            controllers = pathlib.Path(point, "cgroup.controllers").read_text().split()
            if "memory" in controllers:
                pathlib.Path(point, "cgroup.subtree_control").write_text("+memory")
                return pathlib.Path(point), True
    raise unittest.SkipTest("no memory controller is mounted")


class MemoryGroup:
    """Has a limit in bytes; close() needs it to be empty."""

    def __init__(self, name, limit):
        parent, self.is_v2 = _controller()
        self.path = parent / f"sidelight-siege-{uuid.uuid4()}-{name}"
        self.path.mkdir()
        self._file("memory.max", "memory.limit_in_bytes").write_text(str(limit))

    def _file(self, v2, v1):
        return self.path / (v2 if self.is_v2 else v1)

    @property
    def enter(self):
        """Words before a command that put it in here."""
        return ["sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', self.path]

    def peak(self):
        """The most that was ever charged, in bytes."""
        return int(self._file("memory.peak", "memory.max_usage_in_bytes").read_text())

    def kernel(self):
        """What the kernel itself has for those in here, maps and state of sockets: in bytes."""
        if not self.is_v2:
            return int((self.path / "memory.kmem.usage_in_bytes").read_text())
        text = (self.path / "memory.stat").read_text()
        return next(int(l.split()[1]) for l in text.splitlines() if l.startswith("kernel "))

    def kills(self):
        """How often the kernel killed something in here for want of memory."""
        text = self._file("memory.events", "memory.oom_control").read_text()
        return next(int(l.split()[1]) for l in text.splitlines() if l.startswith("oom_kill "))

    def close(self):
        self.path.rmdir()
