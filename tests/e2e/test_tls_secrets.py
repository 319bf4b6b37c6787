#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys: what holds secrets leaves none behind, in no core dump, and in nothing that it writes,
prints or serves.
"""
# tests/run: shares the machine
import http.client
import os
import resource
import signal
import ssl

import harness
import tls_schedule
from observer import Sidelight, http_get, worker_of
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

FORMATS = ("ndjson", "json", "csv", "xlsx", "har")


class Secrets(TlsCase):
    def connect(self, server, version=ssl.TLSVersion.TLSv1_3):
        """A connection with three requests, all its secrets and the keys of its records."""
        context = ssl._create_unverified_context()
        context.maximum_version = version
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # of TLS 1.2
        log = tls_schedule.Connection(context, self.scratch("keys"))
        client = http.client.HTTPSConnection("127.0.0.1", server.tls, context=context)
        for _ in range(3):
            client.request("GET", "/hello")
            client.getresponse().read()
        return client, log.secrets(), log.keys(client.sock.cipher()[0])

    def assert_none_in(self, data, values, where):
        """Neither the bytes nor their hexadecimal digits, of which half are enough."""
        for value in values:
            half = value[: len(value) // 2]
            self.assertNotIn(bytes.fromhex(half), data, where)
            self.assertNotIn(half.encode(), data.lower(), where)

    def core_of(self, pid):
        """All of the memory that a debugger writes, excluded parts of it as well."""
        path = self.scratch("core")
        commands = ["set dump-excluded-mappings on", "set use-coredump-filter off"]
        argv = ["gdb", "-nx", "--batch", "-p", pid]
        for command in [*commands, f"generate-core-file {path}"]:
            argv += ["-ex", command]
        harness.run(argv, seconds=120)
        return path.read_bytes()

    def test_debuggers_core(self):
        """After the connection's end; while it is open, there is something to be found."""
        harness.need("gdb")
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version=version):
                server = self.nginx("TLSv1.2 TLSv1.3")
                sidelight = self.sidelight(server)
                client, secrets, keys = self.connect(server, version)
                sidelight.assert_counted(server.expected(3), server.port)
                core = self.core_of(sidelight.worker)
                self.assertTrue(all(bytes.fromhex(key) in core for key in keys))
                client.close()
                harness.wait_for(
                    "the connection to end",
                    lambda: sidelight.latest_page().sum("sidelight_connections_open") == 0,
                )
                for pid in sidelight.process.pid, sidelight.worker:
                    self.assert_none_in(self.core_of(pid), secrets | keys, "core")
                sidelight.stop()
                server.stop()

    def dumps_core(self, pid, folder):
        """Ends a process of ours in the way that the kernel writes a core for; whether it did."""
        os.kill(pid, signal.SIGABRT)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(ended.si_status, signal.SIGABRT)
        return ended.si_code == os.CLD_DUMPED or any(folder.glob("*core*"))

    def test_kernels_core(self):
        """The kernel writes none of either process, even if a limit and a pattern allow it."""
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        self.stack.callback(resource.setrlimit, resource.RLIMIT_CORE, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        folder = self.scratch("folder")
        folder.mkdir()
        server = self.nginx("TLSv1.3")
        for of_worker in True, False:
            sidelight = Sidelight(
                self, "--tls", "keys", cgroup=server.cgroup, before=("env", "-C", folder)
            )
            self.wait_probed(sidelight, 3)
            client, _, _ = self.connect(server)
            if of_worker:
                worker = worker_of(sidelight.process.pid)
                os.kill(worker, signal.SIGABRT)
                harness.wait_for("the worker to end", lambda: not harness.is_alive(worker))
                self.assertEqual(list(folder.glob("*core*")), [])
            else:
                self.assertFalse(self.dumps_core(sidelight.process.pid, folder))
            client.close()
            sidelight.process.stop()

    def read_all(self, sidelight, control):
        """All that sidelight gives to anybody, by its name."""
        given = {"log": sidelight.process.output.read_bytes()}
        for path in "/metrics", "/healthz", "/readyz":
            given[path] = http_get(sidelight.port, path)[1].encode()
        openmetrics = {"Accept": "application/openmetrics-text"}
        given["OpenMetrics"] = http_get(sidelight.port, "/metrics", headers=openmetrics)[1].encode()
        for form in FORMATS:
            path = self.scratch(f"requests.{form}")
            argv = [harness.BINARY, "export", "--control", control, "--query", "--last", "1m"]
            harness.run([*argv, "--output", path])
            given[form] = path.read_bytes()
        argv = [harness.BINARY, "trace", "--control", control, "--last", "1m", "--count", "3"]
        given["trace"] = harness.run(argv).stdout.encode()
        argv = [harness.BINARY, "top", "--control", control, "--once", "--for", "100ms"]
        given["top"] = harness.run(argv).stdout.encode()
        return given

    def test_nothing_given_to_others(self):
        """While the connection is open, at the most talkative log level."""
        server = self.nginx("TLSv1.3")
        folder = self.scratch("control")
        folder.mkdir(mode=0o700)
        control = folder / "control.sock"
        sidelight = self.sidelight(server, "--log-level", "debug", "--control", control)
        client, secrets, keys = self.connect(server)
        sidelight.assert_counted(server.expected(3), server.port)
        self.assertGreater(len(secrets), 4)
        given = self.read_all(sidelight, control)
        for name in ("har", "ndjson", "trace"):
            self.assertIn(b"/hello", given[name])
        client.close()
        self.assertEqual(sidelight.stop(), 0)
        given["log at its end"] = sidelight.process.output.read_bytes()
        for name, data in given.items():
            self.assertGreater(len(data), 0, name)
            self.assert_none_in(data, secrets | keys, name)


if __name__ == "__main__":
    harness.main()
