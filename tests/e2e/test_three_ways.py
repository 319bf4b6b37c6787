#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
One run of sidelight over HTTP, gRPC and other traffic, in one database by three ways: scraped, by
way of a Pushgateway, and by OTLP. All series have equal values, and equal labels but for the
mapping that sidecar/README.md documents.
"""
import re
import time

import harness
import otlp
from boards import Shop
from gateway import Pushgateway

# About the exporters themselves: they differ between two exports of one moment.
VOLATILE = re.compile("sidelight_(otlp|push|pushes|scrape|scrapes|cpu|resident|collected|cgroup)_")
POD = "shop-6d4cf56db6-x7k2p"

# Label by OTLP: label on /metrics. Those of None say the same a second time.
MAPPED = {
    "service_name": "job", "service_namespace": None, "k8s_namespace_name": "namespace",
    "k8s_pod_name": "pod", "k8s_deployment_name": "workload", "k8s_container_name": "container",
    "rpc_response_status_code": "rpc_status_code",
}


class Web(Shop):
    PLACE = {"namespace": "prod", "workload": "shop", "pod": POD}


class ThreeWays(harness.Case):
    def setUp(self):
        super().setUp()
        self.gateway = Pushgateway(self)
        podinfo = self.scratch("podinfo")
        podinfo.mkdir()
        (podinfo / "labels").write_text('app="web"\npod-template-hash="6d4cf56db6"\n')
        port = harness.free_port()
        self.shop = Web(
            self, f"--podinfo={podinfo}", f"--push={self.gateway.url}", "--push-interval=0.5",
            f"--otlp=http://127.0.0.1:{port}/opentelemetry", "--otlp-interval=0.5")
        self.database = otlp.VictoriaMetrics(
            self, self.shop.sidelight.port, self.gateway.port, port=port)

    def way_of(self, labels):
        if "service_instance_id" in labels:
            return "otlp"
        return "scrape" if labels.get("export") == "scrape" else "push"

    def check_who(self, labels, way):
        """Labels that differ by design."""
        if way == "otlp":
            self.assertEqual(labels["service_namespace"], "prod")
            who = ["prod", POD] + [labels[k] for k in ("k8s_container_name",) if k in labels]
            self.assertEqual(labels["service_instance_id"], ".".join(who))
        elif way == "scrape":
            self.assertEqual(labels["instance"], f"127.0.0.1:{self.shop.sidelight.port}")

    def common(self, labels):
        """The labels of /metrics, without those that tell the ways apart."""
        have = {}
        for key, value in labels.items():
            name = MAPPED.get(key, key)
            if name in (None, "__name__", "job", "instance", "export", "service_instance_id"):
                continue
            have[name] = repr(float(value)) if name == "le" else value
        return tuple(sorted(have.items()))

    def series(self, name):
        """{way: {labels: value}}"""
        ways = {"scrape": {}, "push": {}, "otlp": {}}
        for labels, value in self.database.query(f'{{__name__="{name}"}}'):
            way = self.way_of(labels)
            self.check_who(labels, way)
            ways[way][self.common(labels)] = value
        return ways

    def difference(self):
        """The first family whose series are not equal by all ways, or None."""
        for name in self.names:
            ways = self.series(name)
            if not ways["scrape"] or not ways["scrape"] == ways["push"] == ways["otlp"]:
                return name, ways
        return None

    def names_at_rest(self):
        """Names of series that do not change while nothing happens: sidelight looks at /proc, too."""
        pages = [self.shop.sidelight.scrape()]

        def is_later():
            pages[1:] = [self.shop.sidelight.scrape()]
            first, last = (page.sum("sidelight_collected_timestamp_seconds") for page in pages)
            return last >= first + 3

        harness.wait_for("a page of three seconds later", is_later, pause=0.5)
        changed = {name for (name, labels), value in pages[1].samples.items()
                   if pages[0].samples.get((name, labels)) != value}
        return sorted({name for name, _ in pages[1].samples if not VOLATILE.match(name)} - changed)

    def test_equal_numbers_and_labels(self):
        self.shop.traffic(3)
        for name, each in Shop.COUNTED.items():
            harness.wait_for(
                name, lambda n=name, e=each: self.shop.sidelight.scrape().sum(n) == 3 * e)
        self.names = self.names_at_rest()
        self.assertLessEqual(set(Shop.COUNTED), set(self.names))
        self.assertGreater(len(self.names), 40)
        try:
            harness.wait_for("the same by all ways", lambda: not self.difference(), 30, pause=1)
        except AssertionError:
            name, ways = self.difference() or (None, None)
            if name:
                self.assertEqual(ways["push"], ways["scrape"], name)
                self.assertEqual(ways["otlp"], ways["scrape"], name)
            raise
        jobs = {way: set() for way in ("push", "otlp")}
        for labels, _ in self.database.query("http_server_request_duration_seconds_count"):
            if self.way_of(labels) in jobs:
                jobs[self.way_of(labels)].add(labels.get("service_name") or labels["job"])
        self.assertEqual(jobs["push"], jobs["otlp"])
        self.assertEqual(self.series("sidelight_otlp_rejected_points_total")["otlp"].keys() and
                         max(self.series("sidelight_otlp_rejected_points_total")["otlp"].values()), 0)


if __name__ == "__main__":
    harness.main()
