# SPDX-License-Identifier: Apache-2.0
"""The echo service of README.md with grpcio: no protoc, messages are bytes."""
import concurrent.futures
import os
import pathlib
import queue
import sys
import threading
import time

import grpc

SIZES = [
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.so_reuseport", 0),
]
TLS = os.environ.get("ECHO_TLS")
CODES = {code.value[0]: code for code in grpc.StatusCode}


def blob(size):
    return "b~" * (size // 2)


def read(name):
    return (pathlib.Path(TLS) / name).read_bytes()


def own(message):
    return message


class Service(grpc.GenericRpcHandler):
    def __init__(self, path):
        self.log = open(path, "w", buffering=1, encoding="ascii")
        self.mutex = threading.Lock()

    def service(self, details):
        name = details.method.rpartition("/")[2]
        body = {"Collect": self.collect, "Expand": self.expand, "Chat": self.chat}.get(name)
        kind = {
            "Collect": grpc.stream_unary_rpc_method_handler,
            "Expand": grpc.unary_stream_rpc_method_handler,
            "Chat": grpc.stream_stream_rpc_method_handler,
        }.get(name, grpc.unary_unary_rpc_method_handler)
        return kind(body or (lambda message, context: self.unary(name, message, context)))

    def wanted(self, context, name):
        return int(dict(context.invocation_metadata()).get(name, 0))

    def finish(self, name, context):
        code = self.wanted(context, "want-code")
        trailer = []
        sleep_ms = self.wanted(context, "want-sleep-ms")
        if sleep_ms:
            start = time.monotonic_ns()
            time.sleep(sleep_ms / 1e3)
            trailer.append(("slept-ns", str(time.monotonic_ns() - start)))
        size = self.wanted(context, "want-metadata")
        if size:
            trailer.append(("x-blob", blob(size)))
        context.set_trailing_metadata(trailer)
        with self.mutex:
            self.log.write(f"{name} {code}\n")
        if code:
            context.abort(CODES[code], "as asked")

    def unary(self, name, message, context):
        self.finish(name, context)
        return message

    def collect(self, messages, context):
        for _ in messages:
            pass
        self.finish("Collect", context)
        return b""

    def expand(self, _, context):
        message = bytes(self.wanted(context, "want-bytes"))
        for _ in range(self.wanted(context, "want-messages")):
            yield message
        self.finish("Expand", context)

    def chat(self, messages, context):
        yield from messages
        self.finish("Chat", context)


def serve(address, path):
    pool = concurrent.futures.ThreadPoolExecutor(128)
    server = grpc.server(pool, handlers=[Service(path)], options=SIZES)
    if TLS:
        pair = (read("key.pem"), read("cert.pem"))
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


class Call:
    def __init__(self, number, line):
        words = line.split()
        self.number, self.method = number, words[0]
        numbers = map(int, words[1:])
        self.code, self.sleep, self.messages, self.bytes, *rest = numbers
        self.deadline, self.cancel, self.extra = rest
        self.sent = self.received = 0

    def run(self, channel):
        """Returns the finished call, which knows its status and trailers."""
        metadata = [
            ("want-code", str(self.code)),
            ("want-sleep-ms", str(self.sleep)),
            ("want-messages", str(self.messages)),
            ("want-bytes", str(self.bytes)),
        ]
        if self.extra:
            metadata += [("want-metadata", str(self.extra)), ("x-blob", blob(self.extra))]
        path = "/e2e.Echo/" + self.method
        options = {"metadata": metadata, "timeout": self.deadline / 1e3 or None}
        message = bytes(self.bytes)
        if self.method == "Collect":
            call = channel.stream_unary(path).future(self.send(message), **options)
        elif self.method == "Expand":
            self.sent = 1
            call = channel.unary_stream(path)(message, **options)
        elif self.method == "Chat":
            self.turn = threading.Semaphore(1)
            call = channel.stream_stream(path)(self.send(message), **options)
        else:
            self.sent = 1
            call = channel.unary_unary(path).future(message, **options)
        if self.cancel:
            threading.Timer(self.cancel / 1e3, call.cancel).start()
        try:
            if self.method in ("Expand", "Chat"):
                for _ in call:
                    self.received += 1
                    if self.method == "Chat":
                        self.turn.release()
            else:
                call.result()
                self.received = 1
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass
        if self.method == "Chat":
            self.turn.release()
        return call

    def send(self, message):
        while self.sent < self.messages:
            if self.method == "Chat":
                self.turn.acquire()
            self.sent += 1
            yield message


def connect(address):
    if TLS:
        credentials = grpc.ssl_channel_credentials(read("cert.pem"))
        return grpc.secure_channel(address, credentials, options=SIZES)
    return grpc.insecure_channel(address, options=SIZES)


def ask(address, connections, workers):
    channels = [connect(address) for _ in range(connections)]
    for channel in channels:
        grpc.channel_ready_future(channel).result(20)
    print("ready", flush=True)
    calls = queue.Queue(workers)

    def work(channel):
        while call := calls.get():
            wall, start = time.time_ns(), time.monotonic_ns()
            done = call.run(channel)
            code = done.code().value[0]
            duration = time.monotonic_ns() - start
            slept = dict(done.trailing_metadata() or ()).get("slept-ns", 0)
            line = (call.number, call.method, code, call.sent, call.received, wall, duration, slept)
            sys.stdout.write(" ".join(map(str, line)) + "\n")
            sys.stdout.flush()

    threads = [
        threading.Thread(target=work, args=(channels[n % connections],)) for n in range(workers)
    ]
    for thread in threads:
        thread.start()
    for number, line in enumerate(sys.stdin):
        calls.put(Call(number, line))
    for thread in threads:
        calls.put(None)
    for thread in threads:
        thread.join()
    for channel in channels:
        channel.close()


def main():
    mode, host, port, *rest = sys.argv[1:]
    if mode == "server":
        serve(f"{host}:{port}", rest[0])
    else:
        ask(f"{host}:{port}", *map(int, rest))


main()
