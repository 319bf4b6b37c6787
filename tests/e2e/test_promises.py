#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
What users build on, and what must not change by accident: the names of metrics and labels.
"""
import pathlib
import shutil

import harness

LINT = harness.ROOT / "tests" / "lint"


class Metrics(harness.Case):
    def tree(self):
        """A copy of what the check reads."""
        root = self.scratch("tree")
        for folder in ("metrics", "webhook"):
            shutil.copytree(harness.ROOT / "sidecar" / folder, root / "sidecar" / folder)
        (root / "tests" / "lint").mkdir(parents=True)
        shutil.copy(LINT / "metrics", root / "tests" / "lint")
        shutil.copy(harness.ROOT / "tests" / "metrics.golden", root / "tests")
        return root

    def check(self, root):
        done = harness.run([pathlib.Path(root) / "tests" / "lint" / "metrics"], check=False)
        return done.returncode, done.stdout

    def test_all_names_are_promised(self):
        self.assertEqual(self.check(harness.ROOT), (0, ""))

    def test_a_renamed_metric_is_named(self):
        root = self.tree()
        table = root / "sidecar" / "metrics" / "red.c"
        text = table.read_text()
        self.assertIn('"http_server_active_requests"', text)
        table.write_text(text.replace('"http_server_active_requests"', '"http_server_open_requests"'))
        status, said = self.check(root)
        self.assertEqual(status, 1)
        self.assertIn("http_server_active_requests is gone or has another name", said)
        self.assertIn("http_server_open_requests is new", said)


class Variables(harness.Case):
    def test_the_table_is_what_the_help_says(self):
        harness.run([LINT / "variables", harness.BINARY])


if __name__ == "__main__":
    harness.main()
