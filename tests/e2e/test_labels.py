#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
A scanner that asks for what is not there, before the first customer comes, takes no label from
what is served.
"""
import clients
import harness
import servers
from observer import Sidelight

WORDS = "admin login config backup shell test setup env git old db sql manager console actuator user"
CAP = 100


class Scanner(harness.Case):
    def test_paths_that_are_not_there(self):
        server = servers.Nginx(self)
        sidelight = Sidelight(self, cgroup=server.cgroup)
        words = WORDS.split()
        scanned = [("GET", f"/www/{a}/{b}.php") for a in words for b in words]
        served = [("GET", target) for target in ("/users/1842", "/hello", "/api/hello.world")] * 5
        sent = clients.send_plan(server.port, scanned + served)
        sidelight.wait_counted(len(sent))
        scrape = sidelight.settle(server.port)
        counted = scrape.requests()
        for _, target in served[:3]:
            self.assertEqual(counted["GET", clients.route_of(target), "200"], 5, counted)
        refused = {route: n for (_, route, status), n in counted.items() if status == "404"}
        self.assertEqual(sum(refused.values()), len(scanned))
        self.assertEqual(len(refused), CAP // 10 + 1)
        self.assertEqual(refused["_OTHER"], len(scanned) - CAP // 10)
        self.assertEqual(scrape.sum("sidelight_routes_overflowed_total"), refused["_OTHER"])


if __name__ == "__main__":
    harness.main()
