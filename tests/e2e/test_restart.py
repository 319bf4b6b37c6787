#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
A service that is restarted as systemd does it: its cgroup is removed, and
another one is made under the same path.
"""
# tests/run: shares the machine
import clients
import harness
import servers
from observer import Sidelight, http_get


class Service:
    """A web server in a cgroup of a service manager's making, on a port that stays."""

    def __init__(self, case):
        self.case = case
        self.slice = case.cgroup()
        self.path = self.slice.path / "web.service"
        self.port = harness.free_port()
        self.start()

    def __str__(self):
        return str(self.path)

    def start(self):
        self.path.mkdir()
        argv = ["python3", harness.SERVERS / "pyhttp.py", "127.0.0.1", self.port]
        self.process = self.case.spawn([*argv, self.case.scratch("log")], cgroup=self)
        self.process.wait_listening(self.port)

    def stop(self):
        self.process.stop()
        harness.wait_for("the cgroup to be removed", self._is_removed)

    def _is_removed(self):
        try:
            self.path.rmdir()
        except OSError:
            return False
        return True


class Restart(harness.Case):
    def setUp(self):
        super().setUp()
        self.service = Service(self)

    def wait_watched(self, sidelight, count):
        """Also that the answer of /readyz is the one that belongs to it."""
        page = lambda: sidelight.latest_page().sum("sidelight_watched_cgroups") == count
        harness.wait_for(f"{count} watched cgroups", page)
        status, text = http_get(sidelight.port, "/readyz")
        self.assertEqual(status, 200 if count else 503, text)

    def ask(self, sidelight, count):
        """Requests, all of which must be counted."""
        before = sidelight.scrape().requests().total()
        for _ in range(count):
            clients.get(self.service.port, "/hello")
        page = sidelight.settle(self.service.port)
        self.assertEqual(page.requests().total() - before, count, sidelight.process.text())
        self.assertEqual(page.lost_requests(), 0)

    def check(self, *args):
        sidelight = Sidelight(self, *args)
        self.ask(sidelight, 5)
        for count in (7, 3, 1):
            self.service.stop()
            self.wait_watched(sidelight, 0)
            self.service.start()
            self.wait_watched(sidelight, 1)
            self.ask(sidelight, count)
        text = sidelight.process.text()
        self.assertEqual(text.count("web.service has ended"), 3, text)
        self.assertEqual(text.count("web.service is there again"), 3, text)

    def test_a_cgroup_by_its_path(self):
        self.check("--cgroup", self.service)

    def test_the_service_of_a_process(self):
        self.check("--pid", self.service.process.pid)

    def test_a_cgroup_that_is_named_relative_to_a_directory(self):
        self.check("--cgroup", f"{self.service.slice}/../{self.service.slice.path.name}/web.service")

    def test_the_slice_of_the_service_goes_with_it(self):
        outer = self.service.slice.path / "app.slice"
        self.service.stop()
        outer.mkdir()
        self.service.path = outer / "web.service"
        self.service.start()
        sidelight = Sidelight(self, cgroup=self.service)
        self.ask(sidelight, 5)
        self.service.stop()
        outer.rmdir()
        self.wait_watched(sidelight, 0)
        outer.mkdir()
        self.service.start()
        self.wait_watched(sidelight, 1)
        self.ask(sidelight, 5)

    def test_more_restarts_than_cgroups_can_be_watched(self):
        sidelight = Sidelight(self, cgroup=self.service)
        self.service.stop()
        for _ in range(100):
            self.service.path.mkdir()
            self.service.path.rmdir()
        self.service.start()
        self.wait_watched(sidelight, 1)
        self.ask(sidelight, 5)

    def test_restarted_inside_of_its_cgroup(self):
        sidelight = Sidelight(self, cgroup=self.service.slice)
        self.ask(sidelight, 5)
        self.service.stop()
        self.wait_watched(sidelight, 1)
        self.service.start()
        self.ask(sidelight, 5)


if __name__ == "__main__":
    harness.main()
