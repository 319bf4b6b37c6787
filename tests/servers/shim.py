# SPDX-License-Identifier: Apache-2.0
"""
A bad wire: shim.py SEED DROP DOUBLE DELAY NETNS NETNS makes a tun0 in either
namespace and carries packets between them. Each packet is dropped, sent
twice, or held back until some later ones have passed, with these
probabilities.
"""
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
HELD_MAX_S = 0.02  # a held packet waits for others this long at most


def open_tun(netns):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{netns}") as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    return tun


def write(tun, packet):
    try:
        os.write(tun, packet)
    except OSError:
        pass  # not up yet, or full: one more loss


def main():
    seed, drop, double, delay = int(sys.argv[1]), *map(float, sys.argv[2:5])
    rng = random.Random(seed)
    tuns = [open_tun(name) for name in sys.argv[5:7]]
    other = {tuns[0]: tuns[1], tuns[1]: tuns[0]}
    held = []  # [due, packets left to let pass, tun, packet]
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select(tuns, [], [], HELD_MAX_S / 4 if held else None)
        for tun in ready:
            try:
                packet = os.read(tun, 65536)
            except OSError:
                continue
            to = other[tun]
            draw = rng.random()
            if draw < drop:
                continue
            if draw < drop + delay:
                held.append([time.monotonic() + HELD_MAX_S, rng.randrange(1, 6), to, packet])
                continue
            write(to, packet)
            if draw < drop + delay + double:
                write(to, packet)
            for entry in held:
                entry[1] -= entry[2] == to
        now = time.monotonic()
        for entry in [e for e in held if e[1] <= 0 or e[0] <= now]:
            held.remove(entry)
            write(entry[2], entry[3])


main()
