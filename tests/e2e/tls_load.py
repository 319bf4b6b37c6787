# SPDX-License-Identifier: Apache-2.0
"""Load over TLS for tests: wrk in the background, and what it says when it is ended."""
import re
import signal

import harness


class Load:
    """wrk until it is finished; close: a connection, and so a handshake, for each request."""

    def __init__(self, case, port, close=False, connections=4):
        harness.need("wrk")
        argv = ["wrk", "-t1", f"-c{connections}", "-d1h", "--timeout", "20s"]
        argv += ["-H", "Connection: close"] if close else []
        self.case = case
        self.connections = connections
        self.process = case.spawn([*argv, f"https://127.0.0.1:{port}/hello"])

    def finish(self):
        """Ends it; returns how many requests were answered, and all of them well."""
        self.process.stop(signal.SIGINT)
        text = self.process.text()
        for words in "Socket errors", "Non-2xx":
            self.case.assertNotIn(words, text)
        return int(re.search(r"(\d+) requests in", text)[1])
