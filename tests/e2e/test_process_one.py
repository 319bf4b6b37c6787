#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""doctor says whom a signal to process 1 reaches, where the PID namespace is shared."""
import json

import harness


class ProcessOne(harness.Case):
    def check(self, name):
        """The row of a doctor that runs where a program of this name is process 1."""
        harness.need("unshare")
        script = self.scratch("bin") / name
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\n{harness.BINARY} doctor --format json\ntrue\n")
        script.chmod(0o755)
        done = harness.run(["unshare", "--pid", "--fork", "--mount-proc", script])
        return next(row for row in json.loads(done.stdout) if row["check"] == "process 1")

    def test_who_is_process_one(self):
        row = self.check("pause")
        self.assertEqual((row["state"], row["is_needed"]), ("no", False))
        self.assertIn("/pause", row["found"])
        self.assertIn("signals", row["disables"])
        row = self.check("app")
        self.assertEqual((row["state"], row["found"]), ("yes", "app"))


if __name__ == "__main__":
    harness.main()
