#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
etcd, asked by etcdctl: what sidelight counts equals etcd's own counters of
its gRPC calls, by method and status.
"""
# tests/run: shares the machine
import collections
import contextlib
import re
import signal

import harness
import peers
import servers
from observer import Metrics, Sidelight, difference, health, http_get


class Etcd(servers.Server):
    programs = ("etcd", "etcdctl")

    def command(self):
        self.peer_port, self.metrics_port = harness.free_port(), harness.free_port()
        url = f"http://{self.host}"
        return [
            "etcd",
            *("--data-dir", self.dir / "data"),
            *("--listen-client-urls", f"{url}:{self.port}"),
            *("--advertise-client-urls", f"{url}:{self.port}"),
            *("--listen-peer-urls", f"{url}:{self.peer_port}"),
            *("--initial-advertise-peer-urls", f"{url}:{self.peer_port}"),
            *("--initial-cluster", f"default={url}:{self.peer_port}"),
            *("--listen-metrics-urls", f"{url}:{self.metrics_port}"),
        ], {}

    def metrics(self):
        return Metrics(http_get(self.metrics_port, "/metrics")[1])

    def is_healthy(self):
        return '"true"' in http_get(self.metrics_port, "/health")[1]

    def handled(self):
        """Its account of calls, as a Counter of (method, status)."""
        out = collections.Counter()
        for have, value in self.metrics().each("grpc_server_handled_total"):
            status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", have["grpc_code"]).upper()
            status = "CANCELLED" if status == "CANCELED" else status
            out[f"{have['grpc_service']}/{have['grpc_method']}", status] += int(value)
        return +out


class EtcdTest(harness.Case):
    def ctl(self, *args, **more):
        command = ["etcdctl", f"--endpoints=127.0.0.1:{self.server.port}", *args]
        return harness.run(command, env={**harness.os.environ, "ETCDCTL_API": "3"}, **more).stdout

    def test_put_get_watch(self):
        self.server = Etcd(self)
        harness.wait_for("etcd to be healthy", self.server.is_healthy, 30)
        before = self.server.handled()
        sidelight = Sidelight(self, cgroup=self.server.cgroup)
        watch = self.spawn(
            ["etcdctl", f"--endpoints=127.0.0.1:{self.server.port}", "watch", "--prefix", "key"],
            env={"ETCDCTL_API": "3"},
        )
        harness.wait_for(
            "the watch to be there",
            lambda: self.server.metrics().sum("etcd_debugging_mvcc_watcher_total") >= 1,
        )
        for i in range(12):
            self.ctl("put", f"key{i}", "v" * (10 ** (i % 5)))
            self.assertIn("v", self.ctl("get", f"key{i}"))
        self.ctl("get", "--prefix", "key")
        self.ctl("del", "--prefix", "key")
        self.ctl("lease", "list")
        self.ctl("member", "list")
        self.ctl("endpoint", "status")
        # A call that fails: no such lease.
        self.ctl("lease", "revoke", "1234", check=False)
        harness.wait_for("12 events", lambda: watch.text().count("PUT") == 12)
        watch.send(signal.SIGINT)
        watch.wait()

        def expected():
            return self.server.handled() - before

        harness.wait_for(
            "the end of the watch",
            lambda: any(method == "etcdserverpb.Watch/Watch" for method, _ in expected()),
        )
        theirs = expected()
        self.assertEqual(theirs["etcdserverpb.KV/Put", "OK"], 12)
        self.assertGreater(len(theirs), 6)

        def all_counted():
            return peers.counted(sidelight.scrape(), "server").total() >= theirs.total()

        with contextlib.suppress(AssertionError):  # then the difference is shown
            harness.wait_for("all calls to be counted", all_counted)
        scrape = sidelight.scrape()
        ours = peers.counted(scrape, "server")
        # etcd calls it cancelled when the client of a Watch is gone with its connection; on the
        # wire there was no status. Which of both etcdctl does first differs.
        watch = ("etcdserverpb.Watch/Watch", "UNAVAILABLE")
        if ours.pop(watch, 0):
            ours[watch[0], "CANCELLED"] += 1
        self.assertEqual(ours, theirs, difference(ours, theirs) + "\n" + health(scrape))
        self.assertEqual(scrape.lost(), {})
        self.compare_messages(scrape)

    def compare_messages(self, scrape):
        """Of either direction, by method."""
        for theirs, direction in (("received", "request"), ("sent", "response")):
            expected, got = collections.Counter(), collections.Counter()
            for have, value in self.server.metrics().each(f"grpc_server_msg_{theirs}_total"):
                expected[f"{have['grpc_service']}/{have['grpc_method']}"] += int(value)
            for have, value in scrape.each(
                "sidelight_rpc_messages_total", direction=direction, role="server"
            ):
                got[have["rpc_method"]] += int(value)
            self.assertEqual(got, +expected, direction)


if __name__ == "__main__":
    harness.main()
