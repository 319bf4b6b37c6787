# SPDX-License-Identifier: Apache-2.0
"""
A machine of one's own for a test: mounts, processes, network (loopback only)
and cgroups, with cgroup v2 at /sys/fs/cgroup and nothing else, as on a node.

    if __name__ == "__main__":
        world.enter()
        harness.main()

enter() starts the same program again inside, and ends with its status. All
that runs in there ends with it, however it ends. With is_root, the cgroups
are the machine's own from the root on, because podman asks for controllers;
else they are those below a cgroup made for this run.
"""
import contextlib
import os
import subprocess
import sys

import harness

_INSIDE = "TEST_WORLD"
_PREPARE = """
mount -t proc proc /proc &&
umount -R /sys/fs/cgroup &&
mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
ip link set lo up &&
exec "$@"
"""


def enter(is_root=False):
    if os.environ.get(_INSIDE):
        return
    cgroup = harness.Cgroup()
    child = None
    try:
        child = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(cgroup)]
            + ["unshare", "-mnpf" if is_root else "-mnpCf", "--kill-child"]
            + ["sh", "-c", _PREPARE, "sh", sys.executable, *sys.argv],
            env={**os.environ, _INSIDE: "1"},
        )
        status = child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        status = 130
    finally:
        cgroup.close()
        _sweep_podman(cgroup.path.parent)
    sys.exit(status)


def _sweep_podman(root):
    """What podman leaves when it is killed: rmdir refuses what is in use."""
    parent = root / "libpod_parent"
    for path in sorted(parent.rglob("*/"), reverse=True) if parent.is_dir() else ():
        with contextlib.suppress(OSError):
            path.rmdir()
