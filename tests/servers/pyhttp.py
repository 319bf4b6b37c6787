# SPDX-License-Identifier: Apache-2.0
"""http.server of the standard library: pyhttp.py HOST PORT LOG [HTTP/1.0]."""
import http.server
import socket
import sys

STATUS = {
    "/empty": 204,
    "/made": 201,
    "/moved": 302,
    "/bad": 400,
    "/denied": 401,
    "/missing": 404,
    "/gateway": 502,
    "/late": 504,
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; methods without a do_ function get the library's own 501."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = STATUS.get(self.path.split("?")[0], 200)
        body = b"" if status == 204 else b"hello\n"
        self.send_response(status)
        if self.close_connection:
            # Unsaid, curl sends its next request on a connection that is closing.
            self.send_header("Connection", "close")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer
    do_PROPFIND = do_BREW = answer

    def log_request(self, code="-", size="-"):
        if isinstance(code, http.HTTPStatus):
            code = code.value
        log.write(f"{self.requestline} {code}\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


if ":" in sys.argv[1]:
    Server.address_family = socket.AF_INET6
if sys.argv[4:]:
    Handler.protocol_version = sys.argv[4]
with open(sys.argv[3], "w", buffering=1, encoding="latin-1") as log:
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
