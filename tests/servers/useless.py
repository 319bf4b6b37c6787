# SPDX-License-Identifier: Apache-2.0
"""useless.py PORT COUNT SEED: COUNT connections to loopback that want nothing."""
import random
import socket
import struct
import sys

HALF = b"POST /half HTTP/1.1\r\nHost: e2e\r\nContent-Length: 100\r\nX-Pad: "
port, count, seed = map(int, sys.argv[1:])
rng = random.Random(seed)
linger = struct.pack("ii", 1, 0)
for number in range(count):
    s = socket.socket()
    # Reset instead of closed: a source port is free again at once.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    s.bind((f"127.0.{seed}.{number % 200 + 1}", 0))
    s.connect(("127.0.0.1", port))
    draw = rng.random()
    if draw < 0.3:
        s.send(HALF)
    elif draw < 0.5:
        s.send(rng.randbytes(40))
    s.close()
