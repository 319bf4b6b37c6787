# SPDX-License-Identifier: Apache-2.0
"""
A thread for each connection, and a log of who answered: threadhttp.py HOST PORT LOG. With the word
fork behind it, a process for each.

A line per request: method, target, process, thread.
"""
import http.server
import os
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        log.write(f"{self.command} {self.path} {os.getpid()} {threading.get_native_id()}\n")
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


class Forking(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 1024
    max_children = 1000


server = Forking if sys.argv[4:] == ["fork"] else Server
with open(sys.argv[3], "w", buffering=1, encoding="latin-1") as log:
    server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
