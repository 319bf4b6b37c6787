#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Recording rules and alerts, by Prometheus' own promtool: they are valid, and each alert fires when
it should and is silent when it should be. test_dashboards.py has the rules on real traffic.
"""
import yaml

import harness
from boards import RULES

CASES = sorted((harness.ROOT / "tests" / "rules").glob("*.yaml"))
OPERATOR = harness.ROOT / "kustomize" / "components" / "rules" / "prometheusrule.yaml"


def objects(path):
    return list(yaml.safe_load_all((harness.ROOT / path).read_text()))


def alerts():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"]
            for rule in group["rules"] if "alert" in rule]


class Rules(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("promtool")

    def test_they_are_valid(self):
        done = harness.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES])
        self.assertIn("SUCCESS", done.stdout)

    def test_the_operator_gets_the_same(self):
        spec = yaml.safe_load(OPERATOR.read_text())["spec"]
        self.assertEqual(spec, yaml.safe_load(RULES.read_text()))

    def test_each_alert_says_what_to_do(self):
        for alert in alerts():
            with self.subTest(alert["alert"]):
                self.assertEqual(set(alert["annotations"]),
                                 {"summary", "description", "dashboard", "runbook"})
                self.assertIn(alert["labels"]["severity"], ("critical", "warning", "info"))

    def test_each_alert_has_both_cases(self):
        fires, is_silent = set(), set()
        for path in CASES:
            for case in yaml.safe_load(path.read_text())["tests"]:
                for wanted in case["alert_rule_test"]:
                    (fires if wanted["exp_alerts"] else is_silent).add(wanted["alertname"])
        names = {alert["alert"] for alert in alerts()}
        self.assertEqual(fires, names)
        self.assertEqual(is_silent, names)

    def test_alerts(self):
        self.assertEqual(len(CASES), 2)
        for path in CASES:
            with self.subTest(path.name):
                done = harness.run(["promtool", "test", "rules", path], seconds=200, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_webhooks_monitor_reaches_it(self):
        """Else the alert of its certificate has no series."""
        webhook, = (o for o in objects("webhook-manifests/deployment.yaml")
                    if o["kind"] == "Deployment")
        monitor, = objects("kustomize/components/podmonitor-webhook/podmonitor.yaml")
        self.assertEqual(monitor["metadata"]["namespace"], webhook["metadata"]["namespace"])
        pod = webhook["spec"]["template"]
        self.assertLessEqual(monitor["spec"]["selector"]["matchLabels"].items(),
                             pod["metadata"]["labels"].items())
        ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        self.assertLessEqual({e["port"] for e in monitor["spec"]["podMetricsEndpoints"]}, ports)


if __name__ == "__main__":
    harness.main()
