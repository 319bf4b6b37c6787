# SPDX-License-Identifier: Apache-2.0
"""
What the pictures show: a shop that answers HTTP in times that differ, asks a bank for each order,
which fails now and then.

    shop.py serve PORT BANK     the shop, whose bank is at port BANK
    shop.py bank PORT           the bank
    shop.py visit PORT SECONDS  customers
"""
import http.client
import http.server
import math
import random
import sys
import threading
import time

# Path, and its share of all requests.
PATHS = (("/products/{}", 5), ("/search", 3), ("/orders/{}/items", 2), ("/orders", 1))
# Median of the time that an answer takes, and its spread.
TIMES = {"products": (0.004, 0.5), "search": (0.018, 0.7), "orders": (0.009, 0.6)}
rng = random.Random(4)


def ask(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, b"{}" if method == "POST" else None)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bank = None

    def status(self):
        """After the time that it takes."""
        if self.bank is None:
            time.sleep(rng.lognormvariate(math.log(0.012), 0.4))
            return 503 if rng.random() < 0.04 else 200
        median, spread = TIMES[self.path.split("/")[1]]
        time.sleep(rng.lognormvariate(math.log(median), spread))
        if self.command == "POST" and ask(self.bank, "POST", "/payments") != 200:
            return 502
        return 404 if rng.random() < 0.01 else 200

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"x" * rng.randrange(200, 4000)
        self.send_response(self.status())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def visit(port, seconds):
    """Some 40 requests a second, more in the middle; each on its time, however long others take."""
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        path, _ = rng.choices(PATHS, [share for _, share in PATHS])[0]
        method = "POST" if path == "/orders" else "GET"
        target = path.format(rng.randrange(10, 10**6))
        threading.Thread(target=ask, args=(port, method, target)).start()
        time.sleep(rng.expovariate(30 + 30 * math.sin(math.pi * passed / seconds) ** 2))


def main():
    mode, port, *rest = sys.argv[1:]
    if mode == "visit":
        visit(int(port), float(rest[0]))
        return
    Handler.bank = int(rest[0]) if rest else None
    Server(("127.0.0.1", int(port)), Handler).serve_forever()


main()
