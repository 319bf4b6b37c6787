#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Servers nobody here wrote, with keep-alive and with a connection per request,
asked by two clients: what sidelight counts equals the server's own access
log, for every method, status code and route.
"""
# tests/run: shares the machine
import collections

import clients
import harness
import servers
from observer import Sidelight

PLAN = 80


class Servers(harness.Case):
    def check(self, make, listen="127.0.0.1", ask="127.0.0.1", **knobs):
        server = make(self, host=listen, **knobs)
        # Of routes that are answered with 404 or 501 first, a tenth of the cap is named at once.
        sidelight = Sidelight(self, "--route-cap", "200", cgroup=server.cgroup)
        sent = []
        for keep_alive in (True, False):
            for client in ("http.client", "curl"):
                plan = clients.make_plan(f"{client} {keep_alive}", PLAN, server.methods)
                with self.subTest(server=make.__name__, client=client, keep_alive=keep_alive):
                    if client == "curl":
                        sent += clients.curl_plan(server.port, plan, self.dir, keep_alive, ask)
                    else:
                        sent += clients.send_plan(server.port, plan, keep_alive, ask)
                    expected = server.expected(len(sent))
                    self.assertEqual(
                        expected,
                        collections.Counter(
                            (clients.label_of(m), clients.route_of(t), str(s)) for m, t, s in sent
                        ),
                        "the server's log is not what the client saw",
                    )
                    sidelight.assert_counted(
                        expected, lambda target: clients.get(server.port, target, ask)
                    )
        server.stop()

    def test_nginx(self):
        self.check(servers.Nginx)

    def test_nginx_ipv6(self):
        self.check(servers.Nginx, "::1", "::1")

    def test_apache(self):
        self.check(servers.Apache)

    def test_apache_ipv6(self):
        self.check(servers.Apache, "::1", "::1")

    def test_lighttpd(self):
        self.check(servers.Lighttpd)

    def test_caddy(self):
        self.check(servers.Caddy)

    def test_python(self):
        self.check(servers.PythonHttp)

    def test_python_http10(self):
        self.check(servers.PythonHttp, args=["HTTP/1.0"])

    def test_node(self):
        self.check(servers.Node)

    def test_node_ipv4_on_an_ipv6_socket(self):
        self.check(servers.Node, "::", "127.0.0.1")

    def test_go(self):
        self.check(servers.Go)

    def test_go_ipv4_on_an_ipv6_socket(self):
        self.check(servers.Go, "", "127.0.0.1")


class Proxy(harness.Case):
    """HAProxy in front of nginx: its own log is the server side, nginx's the client side."""

    def check(self, together, **knobs):
        cgroup = self.cgroup()
        backend = servers.Nginx(self, cgroup if together else None)
        proxy = servers.Haproxy(self, cgroup, BACKEND=backend.port, **knobs)
        sidelight = Sidelight(self, cgroup=cgroup)
        plan = clients.make_plan(7, 2 * PLAN)
        sent = clients.send_plan(proxy.port, plan[:PLAN]) + clients.send_plan(
            proxy.port, plan[PLAN:], False
        )
        front = proxy.expected(len(sent))
        passed_on = [entry for entry in sent if entry[1] != "/denied"]
        self.assertLess(len(passed_on), len(sent))
        back = backend.expected(len(passed_on))
        scrape = sidelight.assert_counted(front + back if together else front, proxy.port)
        # The sentinel went through, too; requests() leaves it out on both sides.
        self.assertEqual(scrape.requests("client"), back)
        to = {
            have["server_port"]
            for have, _ in scrape.each("http_client_request_duration_seconds_count")
        }
        self.assertEqual(len(to), 1)

    def test_both_sides_of_a_proxy(self):
        self.check(False)

    def test_both_sides_without_keep_alive(self):
        self.check(False, MODE="httpclose", REUSE="never")

    def test_proxy_and_server_in_one_cgroup(self):
        self.check(True)


if __name__ == "__main__":
    harness.main()
