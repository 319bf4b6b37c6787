#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 240
"""
Real Pods: manifests as the webhook injects them, run by podman and runc.
"""
import collections
import http.client
import re
import ssl
import threading

import podman  # noqa: F401: finds the modules of tests/e2e
import harness

import clients
import world
from gateway import Certificates, FakeGateway, Pushgateway
from observer import difference, health, worker_of
from pod import InPod, Pod
from podman import Podman

CAPABILITIES = sum(1 << bit for bit in (12, 19, 38, 39))


def expected(results):
    return collections.Counter(
        (clients.label_of(method), clients.route_of(target), str(status))
        for method, target, status in results
    )


class Load:
    """Clients that ask for one target again and again, whatever happens to the server."""

    def __init__(self, port, count=4):
        self.stopping = threading.Event()
        self.answered = 0
        self.cut = 0  # requests without an answer
        self.threads = [threading.Thread(target=self.run, args=(port,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, port):
        while not self.stopping.is_set():
            is_open = False
            try:
                with clients.Wire(port) as wire:
                    while not self.stopping.is_set():
                        is_open = True
                        wire.send(clients.request_bytes("GET", "/load"))
                        wire.response()
                        self.answered += 1
                        is_open = False
            except (OSError, EOFError):
                self.cut += is_open
                self.stopping.wait(0.002)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Pods(harness.Case):
    def test_life_of_a_pod(self):
        pods = Podman(self)
        gateway = Pushgateway(self)
        pod = Pod(
            self,
            pods,
            f"--push={gateway.url}",
            "--push-interval=1s",
            environment={"SIDELIGHT_POD_LABELS": "app, team/owner, absent"},
        ).wait_ready()
        sidecar = InPod(pod)
        self.check_privileges(pod)
        self.check_counts(pod, sidecar)
        self.check_labels(pod, sidecar)
        self.check_annotations(pod, sidecar)
        self.check_restart(pod, sidecar)
        self.check_stop(pod, gateway)

    def test_last_push(self):
        """What happened since the last push is in the one that comes at the end."""
        pods = Podman(self)
        gateway = Pushgateway(self)
        pod = Pod(
            self,
            pods,
            f"--push={gateway.url}",
            "--push-interval=1h",
            environment={"SIDELIGHT_PUSH_ON_EXIT": "keep"},
        ).wait_ready()
        # The first comes within five seconds, whatever the interval.
        harness.wait_for("the first push", gateway.groups)
        web = clients.send_plan(pod.web_port, [("GET", "/hello"), ("GET", "/gateway")] * 50)
        pod.stop()
        self.assertEqual(pod.state("sidelight")["ExitCode"], 0, pod.output())
        pushed = gateway.metrics()
        counted = pushed.requests(container="web")
        self.assertEqual(
            counted,
            expected(web),
            f"{difference(counted, expected(web))}\n{health(pushed)}\n{pod.output()}",
        )

    def test_push_over_tls(self):
        """By the CA of --push-ca, by those that the image brings along, and by no other."""
        pods = Podman(self)
        certificates = Certificates(self.dir)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates["server.pem"], certificates["server.key"])
        gateway = FakeGateway(self, context=context)
        ca = certificates["ca.pem"]
        for why, environment, files, word in (
            ("the CA is said", {"SIDELIGHT_PUSH_CA": "/ca.pem"}, {"/ca.pem": ca}, "accepted"),
            ("it is one of the image's", {}, {"/etc/ssl/certs/ca-certificates.crt": ca}, "accepted"),
            ("nobody knows it", {}, {}, "failed in TLS ("),
        ):
            with self.subTest(why):
                gateway.requests.clear()
                push = f"--push={gateway.url}"
                pod = Pod(self, pods, push, environment=environment, files=files)
                pod.wait("a push", lambda: word in pod.output())
                self.assertEqual(bool(gateway.bodies()), word == "accepted")
                pod.close()

    def test_https(self):
        """As injected, with a program of another user, whose root is read-only."""
        pod = Pod(self, Podman(self), has_tls=True, user=65533).wait_ready()
        sidecar = InPod(pod)
        self.check_privileges(pod)
        pod.wait("a probe", lambda: sidecar.scrape().sum("sidelight_tls_probes") > 0)
        self.assertEqual(harness.status_of(pod.pid("web"))["Uid"].split()[0], "65533")
        context = ssl.create_default_context(cafile=pod.certificates["ca.pem"])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            for _ in range(10):
                wire = http.client.HTTPSConnection("localhost", pod.tls_port, context=context, timeout=10)
                for target in ("/hello", "/missing") * 10:
                    wire.request("GET", target)
                    wire.getresponse().read()
                wire.close()
        want = expected([("GET", "/hello", 200), ("GET", "/missing", 404)] * 200)
        sidecar.settle(pod.web_port)
        harness.wait_for("the requests", lambda: sidecar.scrape().requests(url_scheme="https") == want)
        scrape = sidecar.scrape()
        self.assertEqual(scrape.requests(container="web", url_scheme="https"), want, health(scrape))
        self.assertEqual(scrape.sum("sidelight_tls_connections_dark_total"), 0, health(scrape))

    def check_privileges(self, pod):
        pid = pod.pid("sidelight")
        status = harness.status_at_rest(pid)
        self.assertEqual(int(status["CapPrm"], 16), CAPABILITIES)
        self.assertEqual(int(status["CapBnd"], 16), CAPABILITIES)
        self.assertEqual(int(status["CapInh"], 16), 0)
        self.assertEqual(status["NoNewPrivs"], "1")
        status = harness.status_of(worker_of(pid))
        for name in ("CapEff", "CapPrm", "CapInh"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["Seccomp"], "2")

    def check_counts(self, pod, sidecar):
        web = clients.send_plan(pod.web_port, [("GET", "/hello"), ("GET", "/missing")] * 100)
        api = clients.send_plan(pod.api_port, clients.make_plan(7, 150))
        sidecar.assert_counted(expected(web), pod.web_port, container="web")
        sidecar.assert_counted(expected(api), pod.api_port, container="api")
        self.assertEqual(sidecar.scrape().requests().total(), len(web) + len(api))

    def check_labels(self, pod, sidecar):
        name = "http_server_request_duration_seconds_count"
        for have, _ in sidecar.scrape().each(name):
            common = {
                "namespace": "shop-ns",
                "pod": pod.name,
                "node": "node-7",
                "workload": "shop",
                "job": "shop",
                "export": "scrape",
                "label_app": "shop",
                "label_team_owner": "blue",
            }
            self.assertEqual({k: have.get(k) for k in common}, common)
            self.assertNotIn("label_absent", have)
            self.assertIn(have["container"], ("web", "api"))

    def check_annotations(self, pod, sidecar):
        def counted(route):
            return sidecar.scrape().requests(container="web")["GET", route, "200"]

        pod.podinfo.annotate(routes="/shop/{what}/*", log_level="loud", push_interval="2s")
        pod.wait("the annotations", lambda: "interval is now 2.0 s" in pod.output())
        self.assertIn("routes are now /shop/{what}/*", pod.output())
        self.assertIn('sidelight.dev/log-level: "loud" is not one of', pod.output())
        clients.send_plan(pod.web_port, [("GET", "/shop/red-shoes/size-8")] * 5)
        sidecar.settle(pod.web_port)
        self.assertEqual(counted("/shop/{what}/*"), 5)
        pod.podinfo.annotate(routes=None, log_level=None, push_interval=None)
        pod.wait("their end", lambda: "interval is now 1.0 s" in pod.output())
        self.assertIn("routes are now automatic", pod.output())
        clients.send_plan(pod.web_port, [("GET", "/shop/red-shoes/size-8")] * 3)
        sidecar.settle(pod.web_port)
        self.assertEqual(counted("/shop/{what}/*"), 5)
        self.assertEqual(counted("/shop/red-shoes/size-8"), 3)

    def check_restart(self, pod, sidecar):
        load = Load(pod.web_port)
        self.stack.callback(load.stop)
        harness.wait_for("the load", lambda: load.answered > 500)
        pod.pods("kill", "-s", "KILL", pod.container_name("web"))
        harness.wait_for("its end to be seen", lambda: "web (" in self.ended(pod), 5)
        sidecar.settle(pod.api_port)
        before = sidecar.scrape().requests(container="web")
        (pod.dir / "access.log").rename(pod.dir / "access.old")
        at_end = load.answered
        pod.pods("start", pod.container_name("web"))
        harness.wait_for("the load after it", lambda: load.answered > at_end + 500)
        attached_ms = pod.wait_watched("web", times=2)
        load.stop()
        sidecar.settle(pod.web_port)
        now = sidecar.scrape().requests(container="web")
        counted = collections.Counter(now)
        counted.subtract(before)
        logged = expected(
            key for key, n in pod.logged().items() for _ in range(n) if key[1] != "/sentinel"
        )
        # Of the requests that the kill cut off the server logs nothing: one for each client, and
        # those that waited for a worker on a connection that was made just then.
        cut = {key: n for key, n in (+counted).items() if not key[2].isdigit()}
        self.assertLessEqual(sum(cut.values()), load.cut, cut)
        counted.subtract(cut)
        self.assertEqual(+counted, logged, difference(+counted, logged))
        print(f"restarted container attached {attached_ms} ms after its start;"
              f" {logged.total()} requests since, all counted")
        self.assertIsNotNone(attached_ms)
        self.assertLess(attached_ms, 50)

    def ended(self, pod):
        return "\n".join(re.findall(r"container .* has ended", pod.output()))

    def check_stop(self, pod, gateway):
        harness.wait_for("a push", gateway.groups)
        self.assertEqual(
            gateway.groups(), [{"job": "shop", "namespace": "shop-ns", "pod": pod.name}]
        )
        pod.stop()
        gateway.assert_groups([])


if __name__ == "__main__":
    world.enter(is_root=True)
    harness.main()
