#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys and PostgreSQL, whose connections ask for TLS in its own protocol.
"""
# tests/run: shares the machine
import builds
import harness
from observer import Sidelight
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

# PostgreSQL refuses to run as root.
UNPRIVILEGED = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
PROGRAMS = "/usr/lib/postgresql/15/bin"
POSTGRESQL = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'cert.pem'
ssl_key_file = 'key.pem'
"""


class PostgreSql(TlsCase):
    def start_server(self):
        """In a cgroup of its own, which is returned with its port."""
        data = self.scratch("data")
        data.mkdir()
        harness.run(["chown", "65534:65534", data])
        prefix = [*builds.over_usr("postgresql"), *UNPRIVILEGED]
        # From a directory that they may enter.
        harness.run(
            [*prefix, f"{PROGRAMS}/initdb", "--auth=trust", "--username=a", "-D", data], cwd="/"
        )
        for name in "cert.pem", "key.pem":
            (data / name).write_bytes((self.folder / name).read_bytes())
            (data / name).chmod(0o600)
            harness.run(["chown", "65534:65534", data / name])
        with open(data / "postgresql.conf", "a") as config:
            config.write(POSTGRESQL)
        port, cgroup = harness.free_port(), self.cgroup()
        argv = [*prefix, f"{PROGRAMS}/postgres", "-D", data, "-p", port]
        server = self.spawn(argv, cgroup=cgroup, cwd="/")
        server.wait_listening(port)
        return cgroup, port

    def ask(self, port, *queries):
        """Over one connection; returns what the last one answers."""
        url = f"postgresql://a@127.0.0.1:{port}/postgres?sslmode=require"
        argv = [*builds.over_usr("postgresql"), f"{PROGRAMS}/psql", "-X", "-A", "-t", "-d", url]
        done = harness.run([*argv, *(f"--command={query}" for query in queries)])
        return done.stdout.splitlines()[-1]

    def test_left_alone(self):
        """Known from its first bytes, which ask for TLS: nothing is decrypted, and little captured."""
        cgroup, port = self.start_server()
        sidelight = Sidelight(self, "--tls", "keys", cgroup=cgroup)
        self.wait_probed(sidelight)
        for version in "TLSv1.3", "TLSv1.2":
            self.ask(port, f"alter system set ssl_max_protocol_version = '{version}'",
                     "select pg_reload_conf()")
            used = "select version from pg_stat_ssl where pid = pg_backend_pid()"
            harness.wait_for(version, lambda used=used: self.ask(port, used) == version)
        before = sidelight.scrape()
        big = "select length(repeat('x', 30000000)), repeat('x', 30000000)"
        self.assertGreater(len(self.ask(port, big)), 30000000)
        muted = 'sidelight_connections_not_http_total'
        page = harness.wait_for(
            "the connection",
            lambda: (
                p := sidelight.scrape()
            ).sum(muted, protocol="PostgreSQL") > before.sum(muted, protocol="PostgreSQL") and p,
        )
        captured = "sidelight_captured_bytes_total"
        self.assertLess(page.sum(captured) - before.sum(captured), 1 << 20)
        self.assertEqual(page.sum(muted), page.sum(muted, protocol="PostgreSQL"))
        for side in "server", "client":
            self.assertEqual(page.requests(side).total(), 0)
        for name in "tls_connections_dark", "tls_secrets_lost", "parse_failures":
            self.assertEqual(page.sum(f"sidelight_{name}_total"), 0, name)


if __name__ == "__main__":
    harness.main()
