# SPDX-License-Identifier: Apache-2.0
"""
A shop's gRPC service and its customers, for the demo: no protoc, messages are
bytes.

    shop.py server PORT
    shop.py client PORT SEED CALLS     prints, for each status, how many calls had it

The client chooses the status; SEED makes the mix repeatable.
"""
import collections
import concurrent.futures
import random
import sys

import grpc

METHODS = ("shop.Cart/AddItem", "shop.Cart/Checkout", "shop.Catalog/Search")
CODES = {code.name: code for code in grpc.StatusCode}
ERRORS = ("NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAVAILABLE", "INTERNAL")
ERROR_SHARE = 0.2


class Shop(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method.endswith("/Search"):
            return grpc.unary_stream_rpc_method_handler(self.search)
        return grpc.unary_unary_rpc_method_handler(self.buy)

    def end(self, context):
        wanted = dict(context.invocation_metadata())["status"]
        if wanted != "OK":
            context.abort(CODES[wanted], "as asked")

    def buy(self, message, context):
        self.end(context)
        return message

    def search(self, message, context):
        for _ in range(3):
            yield message
        self.end(context)


def serve(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[Shop()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def buy(channel, method, status):
    how = {"metadata": [("status", status)]}
    try:
        if method.endswith("/Search"):
            list(channel.unary_stream("/" + method)(b"words", **how))
        else:
            channel.unary_unary("/" + method)(b"item", **how)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def ask(port, seed, calls):
    rng = random.Random(seed)
    plan = [
        (rng.choice(METHODS), rng.choice(ERRORS) if rng.random() < ERROR_SHARE else "OK")
        for _ in range(calls)
    ]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            statuses = pool.map(lambda call: buy(channel, *call), plan)
            for status, count in collections.Counter(statuses).items():
                print(status, count)


def main():
    mode, *rest = sys.argv[1:]
    if mode == "server":
        serve(*rest)
    else:
        ask(*map(int, rest))


main()
