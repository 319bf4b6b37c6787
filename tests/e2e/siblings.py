# SPDX-License-Identifier: Apache-2.0
"""
Pods as the kubelet and runc leave them, made of namespaces and cgroups alone:
for what a container runtime cannot be asked to do. To be used in a world.py.

    siblings.py SPEC     (JSON) becomes one container's process
"""
import ctypes
import json
import os
import pathlib
import signal
import struct
import sys
import time
import uuid

CLONE_NEWNS, CLONE_NEWCGROUP = 0x20000, 0x2000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_SECCOMP, PR_CAPBSET_DROP = 22, 24
CAPABILITIES = {"NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "PERFMON": 38, "BPF": 39}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    args = [a.encode() if isinstance(a, str) else a for a in args]
    if getattr(_libc, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{args}: {os.strerror(error)}")


def _refuse_tracing():
    """By seccomp, as a hardened node may: bpf(BPF_RAW_TRACEPOINT_OPEN) is not permitted."""
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    rules = (
        (0x20, 0, 0, 0),  # the call's number
        (0x15, 0, 3, number),
        (0x20, 0, 0, 16),  # its first argument
        (0x15, 0, 1, 17),
        (0x06, 0, 0, 0x00050001),  # EPERM
        (0x06, 0, 0, 0x7FFF0000),  # allowed
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
    _call("prctl", PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0)


def _make(spec):
    """In the container's process, before its program."""
    _call("unshare", CLONE_NEWNS)
    _call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    _call("mount", "proc", "/proc", "proc", 0, None)
    pathlib.Path(spec["cgroup"], "cgroup.procs").write_text("0")
    if spec["has_cgroup"]:
        _call("unshare", CLONE_NEWCGROUP)
        _call("umount2", "/sys/fs/cgroup", 0)
        _call("mount", "cgroup2", "/sys/fs/cgroup", "cgroup2", 0, None)
    if spec["cgroup_link"]:
        _call("umount2", "/sys/fs/cgroup", 2)
        _call("mount", "tmpfs", "/sys/fs", "tmpfs", 0, None)
        os.symlink(spec["cgroup_link"], "/sys/fs/cgroup")
    if spec["log"]:
        _call("mount", spec["log"], spec["log_point"], None, MS_BIND, None)
    if spec["is_untraced"]:
        _refuse_tracing()
    for name, bit in CAPABILITIES.items():
        if name not in spec["capabilities"]:
            _call("prctl", PR_CAPBSET_DROP, bit, 0, 0, 0)
    for bit in set(range(41)) - set(CAPABILITIES.values()):
        _call("prctl", PR_CAPBSET_DROP, bit, 0, 0, 0)
    if spec["user"]:
        os.setgroups([])
        os.setgid(spec["user"])
        os.setuid(spec["user"])


def main():
    spec = json.loads(sys.argv[1])
    if spec["pid_namespace"]:
        with open(f"/proc/{spec['pid_namespace']}/ns/pid") as f:
            _call("setns", f.fileno(), CLONE_NEWPID)
    else:
        _call("unshare", CLONE_NEWPID)
    ours, theirs = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        print(child, file=sys.stderr, flush=True)
        if spec["has_users"]:
            # As with hostUsers: false.
            os.read(theirs[0], 1)
            for name in ("uid_map", "gid_map"):
                pathlib.Path(f"/proc/{child}/{name}").write_text("0 524288 65536")
            os.write(ours[1], b"x")
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status) & 255)
    _make(spec)
    if spec["has_users"]:
        _call("unshare", CLONE_NEWUSER)
        os.write(theirs[1], b"x")
        os.read(ours[0], 1)
    if spec["gate"]:
        os.read(os.open(spec["gate"], os.O_RDONLY), 1)
    os.execvp(spec["argv"][0], spec["argv"])


class Pod:
    """Only pause at first. Without shares, each container has a PID namespace of its own."""

    def __init__(self, case, shares=True):
        self.case = case
        self.shares = shares
        self.uid = str(uuid.uuid4())
        self.cgroup = pathlib.Path("/sys/fs/cgroup") / f"pod-{self.uid}"
        self.cgroup.mkdir()
        case.stack.callback(self.close)
        self.dir = case.scratch("pod")
        self.dir.mkdir()
        (self.dir / "log").touch()
        pause = self.dir / "pause"
        pause.symlink_to("/bin/sleep")
        self.number = 0
        self.containers = []
        self.pause = None
        self.pause = self.container(None, [pause, "infinity"], has_cgroup=False).wait_pid()

    def container(self, name, argv, **more):
        """
        capabilities, user and has_users (a namespace of them) as said; without
        has_cgroup it shows the cgroups of the node; is_untraced may not attach
        tracepoints; gate: a fifo by which it
        is let go, when all is made but its program.
        """
        made = Container(self, name, argv, **more)
        self.containers.append(made)
        return made

    def close(self):
        for container in reversed(self.containers):
            container.kill()
        self.cgroup.rmdir()


class Container:
    def __init__(self, pod, name, argv, capabilities=CAPABILITIES, has_cgroup=True, gate=None,
                 pod_uid=None, user=0, has_users=False, is_untraced=False,
                 cgroup_link=None):
        import harness

        pod_uid = pod_uid or pod.uid
        pod.number += 1
        self.id = f"{pod.number:04x}" + uuid.uuid4().hex + uuid.uuid4().hex[:28]
        self.cgroup = pod.cgroup / self.id
        self.cgroup.mkdir()
        self.log = pod.dir / "pods" / pod_uid / "containers" / str(name) / "0a1b2c3d"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self.is_gone = False
        self.harness = harness
        spec = {
            "pid_namespace": pod.pause if pod.shares else None,
            "cgroup": str(self.cgroup),
            "has_cgroup": has_cgroup,
            "log": str(self.log) if name else None,
            "log_point": str(pod.dir / "log"),
            "capabilities": list(capabilities),
            "user": user,
            "has_users": has_users,
            "is_untraced": is_untraced,
            "cgroup_link": cgroup_link,
            "gate": str(gate) if gate else None,
            "argv": [str(word) for word in argv],
        }
        self.process = pod.case.spawn([sys.executable, __file__, json.dumps(spec)])

    def wait_pid(self):
        """Its number outside, once it executes its program."""

        def event():
            first = self.process.text().split("\n", 1)
            return len(first) == 2 and int(first[0])

        return self.harness.wait_for("a container to start", event)

    def kill(self):
        if self.is_gone:
            return
        self.is_gone = True
        (self.cgroup / "cgroup.kill").write_text("1")
        self.process.wait()
        events = self.cgroup / "cgroup.events"
        self.harness.wait_for("its end", lambda: "populated 0" in events.read_text())
        self.cgroup.rmdir()

    def kill_at_once(self):
        """Its cgroup goes as soon as the kernel lets it go, as with a quick runtime."""
        self.is_gone = True
        (self.cgroup / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + 10
        while self.cgroup.exists() and time.monotonic() < deadline:
            try:
                self.cgroup.rmdir()
            except OSError:
                pass
        self.process.wait()

    def signal(self, number=signal.SIGTERM):
        os.kill(self.wait_pid(), number)


if __name__ == "__main__":
    main()
