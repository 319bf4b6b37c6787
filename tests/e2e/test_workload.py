#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The workload of a Pod that nobody said, as in the static sidecar: by the Pod's name and labels.
"""
import harness
from observer import Sidelight

LABELS = 'app="web"\npod-template-hash="6d4cf56db6"\n'


class Workload(harness.Case):
    def labelled(self, *args, labels=LABELS):
        """The labels "workload" of the series of a sidelight with this downward API volume."""
        podinfo = self.scratch("podinfo")
        podinfo.mkdir()
        if labels is not None:
            (podinfo / "labels").write_text(labels)
        sidelight = Sidelight(self, "--podinfo", podinfo, *args, cgroup=self.cgroup().path)
        return {labels.get("workload") for labels, _ in
                sidelight.scrape().each("sidelight_connections_open")}

    def test_by_name_and_labels(self):
        pod = ("--pod", "web-6d4cf56db6-x7k2p", "--namespace", "shop")
        self.assertEqual(self.labelled(*pod), {"web"})
        self.assertEqual(self.labelled(*pod, "--workload", "mine"), {"mine"})
        self.assertEqual(self.labelled(*pod, labels=None), {None})
        self.assertEqual(self.labelled(), {None})


if __name__ == "__main__":
    harness.main()
