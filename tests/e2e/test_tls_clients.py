#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
--tls keys and HTTP clients that services use: urllib3, aiohttp, whose TLS reads and writes memory, not
the socket, libcurl with GnuTLS, and Go's net/http. On connections that stay, and with a connection
for each request.
"""
import collections

import builds
import harness
from observer import Sidelight
from tls_case import TlsCase
from tls_case import setUpModule  # noqa: F401 (unittest calls it)

# Debian's, which has its packages.
PYTHON = "/usr/bin/python3"
REQUESTS = 60
WAIT = """
import os, ssl, sys, time
url, gate, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
while not os.path.exists(gate):
    time.sleep(.01)
paths = ["/hello", "/users/1842", "/missing"]
"""
URLLIB3 = """
pool = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
for is_kept in (True, False):
    for i in range(count):
        headers = {} if is_kept else {"Connection": "close"}
        answer = pool.request("GET", url + paths[i % 3], headers=headers, retries=False)
        print(answer.status, paths[i % 3], flush=True)
"""
AIOHTTP = """
import asyncio
async def ask(is_kept):
    connector = aiohttp.TCPConnector(ssl=False, force_close=not is_kept, limit=4)
    async with aiohttp.ClientSession(connector=connector) as session:
        async def get(i):
            async with session.get(url + paths[i % 3]) as answer:
                await answer.read()
                print(answer.status, paths[i % 3], flush=True)
        await asyncio.gather(*(get(i) for i in range(count)))
asyncio.run(ask(True))
asyncio.run(ask(False))
"""
# Debian's module has the libcurl that stands on GnuTLS.
PYCURL = """
assert "GnuTLS" in pycurl.version, pycurl.version
curl = pycurl.Curl()
for is_kept in (True, False):
    for i in range(count):
        curl.setopt(curl.URL, url + paths[i % 3])
        curl.setopt(curl.SSL_VERIFYPEER, 0)
        curl.setopt(curl.SSL_VERIFYHOST, 0)
        curl.setopt(curl.FORBID_REUSE, not is_kept)
        curl.setopt(curl.WRITEFUNCTION, lambda data: None)
        curl.perform()
        print(curl.getinfo(curl.RESPONSE_CODE), paths[i % 3], flush=True)
"""
ROUTES = {"/hello": "/hello", "/users/1842": "/users/{id}", "/missing": "/missing"}


class Clients(TlsCase):
    def check(self, server, command, ways=2):
        """command: it asks for REQUESTS paths in each of its ways, and writes them."""
        cgroup = self.cgroup()
        gate = self.scratch("gate")
        url = f"https://127.0.0.1:{server.tls}"
        client = self.spawn([*command, url, gate, REQUESTS], cgroup=cgroup)
        sidelight = Sidelight(self, "--tls", "keys", cgroup=cgroup)
        self.wait_probed(sidelight)
        gate.touch()
        harness.wait_for("the end of the client", lambda: not client.is_running(), seconds=60)
        answers = [line.split() for line in client.text().splitlines()]
        self.assertEqual(len(answers), ways * REQUESTS, client.text())
        page = sidelight.wait_counted(len(answers), side="client")
        expected = collections.Counter(("GET", ROUTES[path], status) for status, path, *_ in answers)
        self.assertEqual(page.requests("client"), expected)
        self.assert_https(page, len(answers), side="client")
        self.assertEqual(page.lost(), {})
        self.assertEqual(page.sum("sidelight_tls_connections_dark_total"), 0)
        return page

    def check_python(self, module, program):
        found = harness.run([PYTHON, "-c", f"import {module}, ssl"], check=False)
        if found.returncode:
            self.skipTest(f"python3-{module} is not installed")
        # It has mapped the library before it waits, and does not warn of the certificate.
        command = [PYTHON, "-W", "ignore", "-c", f"import {module}\n" + WAIT + program]
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version):
                self.check(self.nginx(version), command)

    def test_urllib3(self):
        self.check_python("urllib3", URLLIB3)

    def test_aiohttp(self):
        self.check_python("aiohttp", AIOHTTP)

    def test_libcurl_with_gnutls(self):
        self.check_python("pycurl", PYCURL)

    def check_go(self, goroot=None):
        program = builds.build_go("goget.go", goroot=goroot)
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version):
                page = self.check(self.nginx(version, "http2"), [program], ways=4)
                for http in "1.1", "2":
                    count = page.requests("client", network_protocol_version=http).total()
                    self.assertEqual(count, 2 * REQUESTS)

    def test_go(self):
        harness.need("go")
        self.check_go()

    def test_go_newest(self):
        self.check_go(builds.newest_go())


if __name__ == "__main__":
    harness.main()
