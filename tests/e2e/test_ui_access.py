#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`sidelight ui`: who may see its page.
"""
import harness
from test_ui import Ui


class Admission(Ui):
    def setUp(self):
        super().setUp()
        self.start()

    def test_nothing_without_the_token(self):
        process = self.ui()
        port, token = self.links(process)[0]
        paths = ("/", "/page.js", "/uPlot.js", "/api/windows", "/api/past", "/api/requests",
                 "/api/settings", "/nothing", f"/?token={token[:-1]}", f"/?token={token}0",
                 "/?token=", f"/api/requests?token={token}",
                 f"/page.js?token={token}")
        for path in paths:
            for fields in ({}, {"Cookie": "sidelight=x"}, {"Authorization": f"Bearer {token}"}):
                status, headers, body = self.get(port, path, **fields)
                self.assertEqual(status, 403, path)
                self.assertIsNone(headers["Set-Cookie"])
                self.assertEqual(len(body.splitlines()), 1)
                self.assertNotIn(token, body)
        self.assertEqual(len(self.links(process)), 1)

    def test_a_token_opens_one_browser(self):
        process = self.ui()
        port, token = self.links(process)[0]
        status, headers, _ = self.get(port, f"/?token={token}")
        self.assertEqual(status, 200)
        self.assertRegex(headers["Set-Cookie"],
                         r"^sidelight-[0-9a-f]{8}=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Strict$")
        self.assertNotIn(token, headers["Set-Cookie"])
        harness.wait_for("the next link", lambda: len(self.links(process)) == 2)
        self.assertEqual(self.get(port, f"/?token={token}")[0], 403)
        cookie = headers["Set-Cookie"].split(";")[0]
        self.assertEqual(self.get(port, "/", Cookie=cookie)[0], 200)
        self.assertEqual(self.get(port, f"/?token={token}", Cookie=cookie)[0], 200)
        self.assertEqual(self.enter(process)[1], cookie)
        other = self.ui()
        self.assertEqual(self.get(self.links(other)[0][0], "/", Cookie=cookie)[0], 403)

    def test_names_of_others_are_refused(self):
        """A name that the DNS of somebody else answers with 127.0.0.1; not a forwarded port."""
        process = self.ui()
        port, token = self.links(process)[0]
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}",
                     f"localhost.evil.example:{port}", "127.0.0.1:", "127.0.0.1:8x", "[::1",
                     "0.0.0.0", "127.0.0.2"):
            self.assertEqual(self.get(port, f"/?token={token}", host=host)[0], 403, host)
        # This can be no host (RFC 9112 section 3.2).
        host = f"127.0.0.1:{port}@evil.example"
        self.assertEqual(self.get(port, f"/?token={token}", host=host)[0], 400)
        port, cookie = self.enter(process)
        for host in ("127.0.0.1", "localhost", "localhost:8080", "[::1]:9", "127.0.0.1:65535"):
            self.assertEqual(self.get(port, "/", host=host, Cookie=cookie)[0], 200, host)
        self.assertEqual(self.get(port, "/", host="evil.example", Cookie=cookie)[0], 403)

    def test_other_pages_of_the_browser(self):
        """A server at another port is the same site, and gets nothing."""
        port, cookie = self.enter(self.ui())
        for site, status in (("same-site", 403), ("cross-site", 403), ("same-origin", 200),
                             ("none", 200)):
            for path in ("/api/windows", "/api/requests", "/page.js"):
                asked = self.get(port, path, Cookie=cookie, Sec_Fetch_Site=site)
                self.assertEqual(asked[0], status, (site, path))
        # A link to the page itself may be anywhere.
        self.assertEqual(self.get(port, "/", Cookie=cookie, Sec_Fetch_Site="cross-site")[0], 200)

    def test_fields_that_protect(self):
        port, cookie = self.enter(self.ui())
        for path in ("/", "/page.css", "/data.js", "/api/windows", "/api/requests"):
            _, headers, _ = self.get(port, path, Cookie=cookie)
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")

    def test_only_this_machine_and_no_capability(self):
        process = self.ui()
        port = int(self.links(process)[0][0])
        rows = [line.split() for name in ("tcp", "tcp6")
                for line in harness.pathlib.Path(f"/proc/net/{name}").read_text().splitlines()]
        listeners = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
        self.assertEqual(listeners, [f"0100007F:{port:04X}"])
        status = harness.status_of(process.pid)
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")


if __name__ == "__main__":
    harness.main()
