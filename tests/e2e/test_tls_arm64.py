#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Where secrets are copied from arm64's TLS libraries and Go programs: the real files, which are read
and not executed. `make kernels ARCH=arm64` decrypts HTTPS in a guest.
"""
import json
import os
import re
import struct
import unittest

import harness

DRIVER = harness.ROOT / "build" / "tests" / "e2e" / "key_log_driver"
NOWHERE = 255
GO = """
package main

import "net/http"

func main() {
	if _, err := http.Get("https://localhost/"); err != nil {
		println(err.Error())
	}
}
"""


def setUpModule():
    harness.run(["make", "-s", "-C", harness.ROOT, DRIVER.relative_to(harness.ROOT)], seconds=300)


def find(*paths, machine="arm64"):
    done = harness.run([DRIVER, machine, *paths])
    return [json.loads(line) for line in done.stdout.splitlines()]


def segments(data):
    """(offset, address, size, is code) of what is loaded (ELF's program headers)."""
    start, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for i in range(count):
        kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, start + 56 * i)
        if kind == 1:
            yield offset, address, size, bool(flags & 1)


def calls_of(data, offset):
    """Addresses of the bl that call what is at this offset of the file."""
    where = list(segments(data))
    target = next(a + offset - o for o, a, n, _ in where if o <= offset < o + n)
    found = []
    for at, address, size, is_code in where:
        if not is_code:
            continue
        for i, (word,) in enumerate(struct.iter_unpack("<I", data[at:at + size // 4 * 4])):
            away = (word & 0x3ffffff) - ((word & 0x2000000) << 1)
            if word >> 26 == 0x25 and address + 4 * i + 4 * away == target:
                found.append(address + 4 * i)
    return found


class Libraries(harness.Case):
    """Of Debian, which strips them: the function is found by the labels that are passed to it."""

    def setUp(self):
        super().setUp()
        done = harness.run([harness.ROOT / "tests" / "guest" / "sysroot", "arm64", "bookworm",
                            "libssl3", "libgnutls30"], check=False, seconds=200)
        if done.returncode:
            raise unittest.SkipTest("Debian's packages for arm64 could not be fetched")
        self.tree = done.stdout.splitlines()[-1]

    def check(self, library, callers_least):
        path = f"{self.tree}/usr/lib/aarch64-linux-gnu/{library}"
        site, = find(path)
        self.assertEqual(site["error"], 0)
        # AAPCS64: f(session, label, secret, length).
        self.assertEqual([site[key] for key in ("session", "label", "secret", "length", "random")],
                         [0, 1, 2, 3, NOWHERE])
        with open(path, "rb") as file:
            data = file.read()
        self.assertGreaterEqual(len(calls_of(data, site["offset"])), callers_least)
        # The code of another machine is not probed.
        self.assertLess(find(path, machine="amd64")[0]["error"], 0)

    def test_openssl(self):
        self.check("libssl.so.3", 5)

    def test_gnutls(self):
        self.check("libgnutls.so.30", 5)


class Go(harness.Case):
    def test_programs(self):
        """As built, stripped, and for any address: the same function, that of the symbol's."""
        harness.need("go")
        directory = self.scratch("go")
        directory.mkdir()
        (directory / "main.go").write_text(GO)
        (directory / "go.mod").write_text("module ask\n")
        env = {**os.environ, "GOARCH": "arm64", "CGO_ENABLED": "0", "GOCACHE": str(
            harness.ROOT / "build" / "go-arm64"), "GOFLAGS": "-mod=mod"}

        def build(name, *flags):
            harness.run(["go", "build", *flags, "-o", name, "."], cwd=directory, env=env, seconds=250)
            return directory / name

        plain, stripped, pie = (build("plain"), build("stripped", "-ldflags=-s -w"),
                                build("pie", "-buildmode=pie"))
        for path, named in ((plain, plain), (stripped, plain), (pie, pie)):
            with self.subTest(path.name):
                site, = find(path)
                self.assertEqual(site["error"], 0)
                # Go's: a *Config, then a string and two slices, in x0 to x8.
                self.assertEqual([site[key] for key in ("is_go", "label", "random", "secret", "length",
                                                        "session")], [1, 1, 3, 6, 7, NOWHERE])
                symbols = harness.run(["go", "tool", "nm", named], seconds=60).stdout
                address = int(re.search(r"^ *([0-9a-f]+) T crypto/tls\.\(\*Config\)\.writeKeyLog$",
                                        symbols, re.M).group(1), 16)
                where = segments(named.read_bytes())
                self.assertIn(site["offset"], [o + address - a for o, a, n, code in where
                                               if code and a <= address < a + n])


if __name__ == "__main__":
    harness.main()
