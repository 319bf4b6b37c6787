#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
TLS on kernels that cannot keep a uprobe_multi link to one process: a library in front of bpf()
answers as these do (old_kernel.c). On such kernels themselves: tests/guest/kernels.
"""
# tests/run: shares the machine
import os
import re

import harness
import test_tls
from observer import Sidelight
from test_capabilities import NEEDED, having
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

LIBRARY = harness.ROOT / "build" / "tests" / "e2e" / "old_kernel.so"
SHARED = "its probe is not kept to single processes, and only those in watched cgroups are read"


class OldKernel:
    """Comes before the tests of all kernels, but for those that do not depend on the probes."""

    test_waiting_in_the_socket = None
    test_not_http = None
    test_off = None

    def setUp(self):
        super().setUp()
        before = dict(os.environ)
        os.environ.update(LD_PRELOAD=str(LIBRARY), OLD_KERNEL=self.KERNEL)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))


class ByEvents(OldKernel, test_tls.Tls):
    """Before 6.6: a perf event for each process and file."""

    KERNEL = "none"
    WAY = "by perf events"

    def test_without_the_capability(self):
        server = self.nginx("TLSv1.3")
        sidelight = Sidelight(self, "--tls", "keys", cgroup=server.cgroup, before=having(NEEDED))
        sent = self.ask(server, False)
        harness.wait_for("connections that are dark", lambda: sidelight.latest_page().sum(
            "sidelight_tls_connections_dark_total", reason="kernel") == len(sent))
        said = re.findall("TLS is not decrypted: .*", sidelight.process.text())
        self.assertEqual(
            said, ["TLS is not decrypted: the kernel has no uprobe_multi (Linux 6.6), and without "
                   "it the probes need CAP_SYS_ADMIN, which is missing"])

    def test_with_no_more_than_it_takes(self):
        server = self.nginx("TLSv1.3")
        sidelight = Sidelight(self, "--tls", "keys", cgroup=server.cgroup,
                              before=having({**NEEDED, "SYS_ADMIN": 21, "SYS_PTRACE": 19}))
        self.wait_probed(sidelight, 3)
        held = harness.status_at_rest(sidelight.process.pid)
        self.assertTrue(int(held["CapPrm"], 16) >> 21 & 1)
        sent = self.ask(server, False)
        page = sidelight.assert_counted(server.expected(len(sent)), server.port)
        self.assert_https(page, len(sent))


class OfAll(OldKernel, test_tls.Tls):
    """6.6 to 6.9: one probe for all processes that have the file."""

    KERNEL = "of-all"
    WAY = "of all processes that have a file"
    PROBED = f"[^ ]*$FILE[^ ]*: {SHARED}"
    NGINX_PROBES = 1

    def check_early_probe(self, sidelight):
        pass  # new processes have the one of all

    def wait_probed(self, sidelight, probes=1):
        super().wait_probed(sidelight)
        self.assertIn(SHARED, sidelight.process.text())

    def test_processes_of_others(self):
        """They hit the probe, and nothing of theirs is read."""
        server, other = self.nginx("TLSv1.3"), self.nginx("TLSv1.3")
        sidelight = self.sidelight(server)
        sent = self.ask(server, False)
        self.ask(other, False)
        page = sidelight.assert_counted(server.expected(len(sent)), server.port)
        self.assert_https(page, len(sent))


if __name__ == "__main__":
    harness.main()
