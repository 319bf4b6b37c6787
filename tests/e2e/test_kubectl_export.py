#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The kubectl plugin's files, and what kubectl completes of its command line.
"""
import os

import harness
import kustomize
import test_kubectl
from test_kubectl import PLUGIN


def setUpModule():
    kustomize.kubectl()


class Export(harness.Case):
    def test_export_to_a_file(self):
        """It takes its name when the program in the Pod has ended it, and else is not there."""
        stub = self.dir / "kubectl"
        stub.write_text("""#!/bin/sh
            case $1 in
            get) printf injected ;;
            exec)
                printf '%s ' "$@" >"$ASKED"
                printf whole
                [ -z "$SAYS" ] || { echo "$SAYS" >&2; exit 1; }
                ;;
            esac""")
        stub.chmod(0o755)
        folder = self.scratch("files")
        folder.mkdir()
        path = folder / "web 0.csv"
        ended = "command terminated with exit code "
        for says, status, left, said in (
            ("", 0, True, ""), (ended + "1", 1, True, ""), (ended + "2", 1, False, ""),
            ("error: lost connection to pod", 1, False, "error: lost connection to pod\n"),
        ):
            done = harness.run(
                [PLUGIN, "export", "web-0", "--output", path, "--", "--last", "1h"], check=False,
                env={**os.environ, "PATH": f"{self.dir}:{os.environ['PATH']}", "SAYS": says,
                     "ASKED": str(self.dir / "asked")})
            self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "", said))
            self.assertEqual([f.read_text() for f in folder.iterdir()], ["whole"] * left)
            self.assertEqual((self.dir / "asked").read_text(),
                             "exec pod/web-0 -c sidelight -- sidelight export --output - "
                             "--format csv --last 1h ")
            path.unlink(missing_ok=True)


class Completion(harness.Case):
    start = test_kubectl.Plugin.start

    def test_completion(self):
        """As kubectl itself asks for it."""
        self.start()
        os.symlink(PLUGIN.parent / "kubectl_complete-sidelight",
                   self.home / "bin" / "kubectl_complete-sidelight")
        for words, wanted in (
            (("",), ["trace", "top", "export", "syscalls", "doctor", "check", "ui"]), (("tr",), ["trace"]),
            (("trace", ""), ["web-0"]), (("trace", "-n", "shop", "w"), ["web-0"]),
            (("trace", "web-0", ""), ["--"]), (("trace", "web-0", "--cont"), ["--container", "--context"]),
            (("trace", "web-0", "-c", ""), ["app"]),
            (("trace", "web-0", "--", "--la"), ["--last"]),
            (("export", "web-0", "--", "--format", "x"), ["xlsx"]),
            (("trace", "web-0", "--", "--last", ""), []),
        ):
            done = harness.run(["kubectl", "__complete", "sidelight", *words], env=self.environment)
            *lines, directive = done.stdout.splitlines()
            self.assertEqual(sorted(lines), sorted(wanted), words)
            self.assertEqual(directive, ":4")


if __name__ == "__main__":
    harness.main()
