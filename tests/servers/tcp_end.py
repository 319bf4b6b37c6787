#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
One end of TCP connections that does what the lines of its standard input say, each after the
other, and answers each with a line. Sockets have numbers, from 0 in the order of their making.

    listen HOST          its port; not a number of a socket
    accept               the number of the socket
    connect HOST PORT    likewise
    send N BYTES         blocks until the kernel has taken them
    fill N               sends until the kernel takes no more: how many bytes it took
    receive N BYTES      blocks until they came
    linger N             a close() of it sends an RST
    close N
"""
import socket
import struct
import sys

listener = None
sockets = []


def listen(host):
    global listener
    listener = socket.socket()
    listener.bind((host, 0))
    listener.listen(2048)
    return listener.getsockname()[1]


def add(sock):
    sockets.append(sock)
    return len(sockets) - 1


def send(number, count):
    sockets[int(number)].sendall(bytes(int(count)))
    return count


def fill(number):
    sock, sent = sockets[int(number)], 0
    sock.settimeout(0.5)
    try:
        while True:
            sent += sock.send(bytes(65536))
    except socket.timeout:
        return sent


def receive(number, count):
    left = int(count)
    while left:
        left -= len(sockets[int(number)].recv(min(left, 65536)))
    return count


def linger(number):
    sockets[int(number)].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return number


def close(number):
    sockets[int(number)].close()
    return number


COMMANDS = {
    "listen": listen,
    "accept": lambda: add(listener.accept()[0]),
    "connect": lambda host, port: add(socket.create_connection((host, int(port)))),
    "send": send,
    "fill": fill,
    "receive": receive,
    "linger": linger,
    "close": close,
}

for line in sys.stdin:
    name, *words = line.split()
    print(COMMANDS[name](*words), flush=True)
