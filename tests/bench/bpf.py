# SPDX-License-Identifier: Apache-2.0
"""
The kernel's run-time statistics of BPF programs, and what they themselves cost.
"""
import ctypes
import os
import platform
import re
import struct


class BpfError(Exception):
    """bpf(2) refused; the text says what."""


def bpf(command, attribute):
    """The descriptor that bpf(2) answers with. The attribute's rest is zero."""
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    size = len(attribute)
    fd = libc.syscall(number, command, ctypes.create_string_buffer(attribute, size), size)
    if fd < 0:
        raise BpfError(f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return fd


class BpfStatistics:
    """Switched on while entered (BPF_ENABLE_STATS, Linux 5.8)."""

    def __enter__(self):
        # The attribute names what to enable; 0 is run time. The descriptor
        # holds it, so that the kernel switches it off even if we are killed.
        self.fd = bpf(32, struct.pack("I", 0))
        return self

    def __exit__(self, *_):
        os.close(self.fd)


class EmptyPrograms:
    """
    Programs that do nothing, at both hooks for packets of a cgroup. The time
    that the statistics ascribe to a run of them is what they ascribe to every run:
    the reading of a clock, and a call.
    """

    # r0 = 1; exit
    CODE = bytes.fromhex("b700000001000000" "9500000000000000")
    PROG_LOAD, LINK_CREATE, CGROUP_SKB, INGRESS, EGRESS = 5, 28, 8, 0, 1

    def __init__(self, cgroup):
        self.cgroup, self.programs, self.links = cgroup, [], []

    def __enter__(self):
        directory = os.open(self.cgroup, os.O_RDONLY)
        code, licence = (ctypes.create_string_buffer(b) for b in (self.CODE, b"GPL"))
        try:
            for hook in (self.INGRESS, self.EGRESS):
                # Type, number of instructions, where they are, licence; no log, no flags, no
                # name, no device; attach type: <linux/bpf.h>
                self.programs.append(bpf(self.PROG_LOAD, struct.pack(
                    "IIQQIIQII16sII", self.CGROUP_SKB, len(self.CODE) // 8,
                    ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0,
                    hook)))
                self.links.append(bpf(self.LINK_CREATE, struct.pack(
                    "IIII", self.programs[-1], directory, hook, 0)))
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.close(directory)
        return self

    def __exit__(self, *_):
        while self.links:
            os.close(self.links.pop())
        while self.programs:
            os.close(self.programs.pop())

    def us_per_run(self):
        spent = runs = 0
        for fd in self.programs:
            with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as text:
                info = dict(re.findall(r"^(run_\w+):\s+(\d+)", text.read(), re.M))
            spent, runs = spent + int(info["run_time_ns"]), runs + int(info["run_cnt"])
        return spent / runs / 1e3


def measured(watcher, cgroup, load):
    """
    One load with the statistics on: what they ascribe to the programs of `watcher` (world.py) and
    how much of that is the measuring, in microseconds per request; and what load() returned.
    """
    with BpfStatistics(), EmptyPrograms(cgroup) as empty:
        before = watcher.bpf_us_and_runs()
        done = load()
        spent, runs = (a - b for a, b in zip(watcher.bpf_us_and_runs(), before))
        return spent / done.requests, runs * empty.us_per_run() / done.requests, done
