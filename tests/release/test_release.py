#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 900
"""
A release, made by `make release` in RELEASE (default: build/release), as its users get it: the
package on fresh Debian 12 and 13, under systemd; the static programs. `make check-release` runs it.
"""
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness
from roots import Root

RELEASE = pathlib.Path(os.environ.get("RELEASE", harness.ROOT / "build" / "release"))
URL = "http://127.0.0.1:9465"


def only(pattern):
    found = sorted(RELEASE.glob(pattern))
    if len(found) != 1:
        raise AssertionError(f"{pattern} in {RELEASE}: {found}")
    return found[0]


def architecture():
    return harness.run(["dpkg", "--print-architecture"]).stdout.strip()


def deb():
    return only(f"sidelight_*_{architecture()}.deb")


class Debian(harness.Case):
    """The package watches a service through its restart, and leaves nothing behind."""

    def get(self, url):
        return self.root("curl", "-sf", "-m", "5", url, check=False)

    def counted(self):
        page = self.get(f"{URL}/metrics").stdout
        found = re.findall(r"^http_server_request_duration_seconds_count\{.* (\d+)$", page, re.M)
        return sum(map(int, found))

    def is_ready(self):
        return self.get(f"{URL}/readyz").returncode == 0

    def journal(self):
        show = self.root("systemctl", "status", "--no-pager", "-l", "sidelight@nginx", "nginx", check=False).stdout
        return show + self.root.process.text()[-4000:]

    def ask(self, count):
        """Requests to nginx, each of which is counted."""
        before = self.counted()
        for _ in range(count):
            self.assertEqual(self.get("http://127.0.0.1/").returncode, 0)
        harness.wait_for("requests to be counted", lambda: self.counted() >= before + count, seconds=20)
        self.assertEqual(self.counted(), before + count)

    def prepare(self, suite):
        """A root that runs, with what the package depends on, which stays when that is removed."""
        self.root = Root(self, suite)
        shutil.copy(deb(), self.root.path / "sidelight.deb")
        self.root("apt-get", "-q", "update", seconds=120)
        depends = harness.run(["dpkg-deb", "-f", deb(), "Depends"]).stdout
        names = [word.split()[0] for word in depends.split(",")]
        self.root("apt-get", "-q", "-y", "--no-install-recommends", "install", *names, seconds=300)
        self.root.boot()
        self.root("systemctl", "stop", "nginx")

    def check(self, suite):
        self.prepare(suite)
        before = self.root.files()
        self.root("dpkg", "-i", "/sidelight.deb")
        self.assertEqual(self.root("dpkg", "--verify", "sidelight").stdout, "")
        self.root("systemd-analyze", "verify", "--man=no", "sidelight@nginx.service")
        try:
            self.watch()
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.journal()}") from e
        self.remove(before)

    def watch(self):
        # Before there is a cgroup of nginx's.
        self.root("systemctl", "enable", "--now", "sidelight@nginx")
        self.root("systemctl", "start", "nginx")
        harness.wait_for("the unit to watch nginx.service", self.is_ready, seconds=30)
        self.ask(5)
        for _ in range(2):
            self.root("systemctl", "restart", "nginx")
            harness.wait_for("nginx to be watched again", self.is_ready, seconds=30)
            self.ask(7)
        self.assertEqual(self.counted(), 19)

    def remove(self, before):
        self.root("dpkg", "--purge", "sidelight")
        processes = self.root("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
        self.assertIn("nginx", processes)
        self.assertNotIn("sidelight", processes)
        units = self.root("systemctl", "list-units", "--all", "--no-legend", "sidelight@*").stdout
        self.assertEqual(units, "")
        self.assertEqual(sorted(self.root.files() ^ before), [])
        self.assertEqual(self.root("find", "/run", "-name", "sidelight*").stdout, "")

    def test_debian_12(self):
        self.check("bookworm")

    def test_debian_13(self):
        self.check("trixie")


class Lintian(harness.Case):
    def test_package(self):
        harness.need("lintian")
        done = harness.run(["lintian", "--allow-root", "--fail-on=error,warning", deb()], check=False, seconds=200)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Tarball(harness.Case):
    """The static programs."""

    def setUp(self):
        super().setUp()
        root = self.scratch("tarball")
        root.mkdir()
        harness.run(["tar", "-C", root, "--strip-components=1", "-xf",
                     only(f"sidelight-*-linux-{architecture()}.tar.gz")])
        self.root = root

    def test_needs_no_library(self):
        """Also as the file says that it needs none, in a root that has nothing else."""
        for program in ("sidelight", "sidelight-webhook"):
            said = harness.run(["readelf", "-d", "-l", self.root / "bin" / program]).stdout
            self.assertNotIn("(NEEDED)", said)
            self.assertNotIn("INTERP", said)
            done = harness.run(["chroot", self.root, f"/bin/{program}", "version"])
            self.assertTrue(done.stdout.startswith(f"{program} "), done.stdout)

    def test_watches(self):
        harness.need("python3", "curl")
        script = (f"{self.root}/bin/sidelight run --for 10 -- sh -c '"
                  "python3 -m http.server 8765 & until curl -sf localhost:8765/ >/dev/null; do :; done; kill $!'")
        done = harness.run(["unshare", "-n", "sh", "-c", f"ip link set lo up; {script}"], check=False)
        self.assertRegex(done.stderr, r"GET\s", done.stderr)


if __name__ == "__main__":
    harness.main()
