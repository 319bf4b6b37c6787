#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
`sidelight ui` has header fields captured while a page wants them, and where nobody forbids it.
"""
import signal

import clients
import harness
from test_ui import Ui


class Headers(Ui):
    def fields(self, port, cookie, words=""):
        """The request header fields of the last /hello, after one more."""
        clients.get(self.server.port, "/hello", headers={"X-One": "1", "X-Token": "Hunter2"})
        self.sidelight.settle(self.server.port)
        lines = self.ask(port, cookie, f"/api/requests?try-headers=all&route=/hello{words}")
        fields = lines[-1]["request_headers"]
        return fields and {field["name"].lower(): field["value"] for field in fields}

    def test_headers_while_a_page_wants_them(self):
        """Captured from the question that says so until the one that takes it back, or the end."""
        self.start()
        process = self.ui()
        port, cookie = self.enter(process)
        self.assertIsNone(self.fields(port, cookie))
        self.ask(port, cookie, "/api/requests?capture=1&count=1")
        readers = lambda: self.sidelight.scrape().sum("sidelight_control_readers")
        harness.wait_for("the reader", lambda: readers() == 1)
        fields = self.fields(port, cookie, "&capture=1")
        self.assertEqual((fields["x-one"], fields["x-token"]), ("1", "***"))
        self.ask(port, cookie, "/api/requests?capture=0")
        harness.wait_for("no reader", lambda: readers() == 0)
        self.assertIsNone(self.fields(port, cookie))
        self.ask(port, cookie, "/api/requests?capture=1")
        harness.wait_for("the reader", lambda: readers() == 1)
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        harness.wait_for("no reader", lambda: readers() == 0)
        self.assertEqual(self.sidelight.scrape().sum("sidelight_recorder_headers_bytes"), 0)

    def test_headers_that_are_forbidden(self):
        self.start("--header-capture", "forbidden")
        port, cookie = self.enter(self.ui())
        (settings,) = self.ask(port, cookie, "/api/settings")
        self.assertEqual(settings["header_capture"], "forbidden")
        self.ask(port, cookie, "/api/requests?capture=1")
        clients.get(self.server.port, "/hello")
        self.sidelight.settle(self.server.port)
        line = self.ask(port, cookie, "/api/requests?try-headers=all&capture=1&route=/hello")[-1]
        self.assertNotIn("request_headers", line)


if __name__ == "__main__":
    harness.main()
