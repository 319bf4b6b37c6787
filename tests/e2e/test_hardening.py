#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Both programs, and the libcurl that images have, are built with the hardening flags of
Debian, whatever CFLAGS say. What the linker and the compiler made of them is read
from the files; the flags that leave no trace there, from the commands.
"""
# tests/run: shares the machine
import os
import platform
import re

import harness

BUILD = harness.ROOT / "build"
PROGRAMS = [BUILD / "sidelight", BUILD / "sidelight-webhook"]
LEAN = [BUILD / "lean" / p.name for p in PROGRAMS if (BUILD / "lean" / p.name).exists()]
CURL = BUILD / "curl" / "lib" / "libcurl.a"
# In the notes of an object file, and the flag that is the reason.
BRANCHES = {"x86_64": ("x86 feature: IBT, SHSTK", "-fcf-protection"),
            "aarch64": ("AArch64 feature: BTI, PAC", "-mbranch-protection=standard")}
FLAGS = {"-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=2",
         "-Werror=format-security"}
WARNINGS = {"-Wall", "-Wextra", "-Wconversion", "-Wvla"}


def setUpModule():
    harness.need("readelf", "make")
    harness.run(["make", "-s", "-C", harness.ROOT, "all"], seconds=300)


def readelf(*args):
    return harness.run(["readelf", "-W", *args]).stdout


def undefined(path):
    """The symbols that it takes from elsewhere."""
    return {line.split()[7].split("@")[0] for line in readelf("-s", path).splitlines()
            if " UND " in line and len(line.split()) > 7}


class Programs(harness.Case):
    def test_the_loader_maps_them_where_nobody_knows_and_lets_nobody_rebind(self):
        for path in PROGRAMS + LEAN:
            with self.subTest(path):
                self.assertRegex(readelf("-h", path), r"Type:\s+DYN")
                self.assertRegex(readelf("-d", path), r"\(FLAGS\)\s+BIND_NOW")
                self.assertRegex(readelf("-d", path), r"\(FLAGS_1\)\s+Flags: NOW PIE")
                segments = readelf("-l", path)
                self.assertRegex(segments, r"GNU_RELRO")
                self.assertRegex(segments, r"GNU_STACK\s.*\sRW\s")
                self.assertNotRegex(segments, r"LOAD\s.*\sRWE\s", "writable code")
                self.assertNotRegex(readelf("-d", path), r"RPATH|RUNPATH|TEXTREL")

    def test_the_compiler_checks_stacks_and_buffers(self):
        for path in PROGRAMS + LEAN:
            with self.subTest(path):
                symbols = undefined(path)
                self.assertIn("__stack_chk_fail", symbols)
                self.assertGreater(len([s for s in symbols if re.fullmatch(r"__\w+_chk", s)]), 1)

    def test_branches_lead_to_where_they_may(self):
        note, _ = BRANCHES[platform.machine()]
        objects = [p for folder in ("base", "proto", "webhook")
                   for p in (BUILD / "sidecar" / folder).glob("*.o")]
        self.assertGreater(len(objects), 20)
        notes = readelf("-n", *objects)
        self.assertEqual(notes.count(note), len(objects))


class Library(harness.Case):
    def setUp(self):
        super().setUp()
        if not CURL.exists():
            self.skipTest("libcurl for images is not built: no archive of sources")

    def test_it_is_built_like_the_programs(self):
        note, _ = BRANCHES[platform.machine()]
        symbols = undefined(CURL)
        self.assertIn("__stack_chk_fail", symbols)
        self.assertGreater(len([s for s in symbols if re.fullmatch(r"__\w+_chk", s)]), 3)
        members = harness.run(["ar", "t", CURL]).stdout.split()
        self.assertGreater(len(members), 50)
        self.assertEqual(readelf("-n", CURL).count(note), len(members))
        said = (BUILD / "curl" / "version").read_text().split()
        self.assertLessEqual(FLAGS, set(said))


class Commands(harness.Case):
    """As `make -n` prints them."""

    def commands(self, *variables):
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("MAKEFLAGS", "MFLAGS", "CFLAGS", "LDFLAGS", "CPPFLAGS")}
        printed = harness.run(["make", "-n", "-C", harness.ROOT, f"BUILD={self.scratch('build')}",
                               *variables, "all"], env=environment).stdout.splitlines()
        compiled = [line.split() for line in printed if line.startswith("gcc ") and " -c " in line]
        linked = [line.split() for line in printed if line.startswith("gcc ")
                  and line.split()[line.split().index("-o") + 1].endswith(
                      ("/sidelight", "/sidelight-webhook"))]
        self.assertGreater(len(compiled), 50)
        self.assertEqual(len(linked), 2)
        return compiled, linked

    def test_whatever_the_command_line_adds(self):
        branch = BRANCHES[platform.machine()][1]
        for variables in ((), ("CFLAGS=-O1 -Dx",), ("CFLAGS=-O3", "LDFLAGS=-Wl,--as-needed"),
                          ("CPPFLAGS=-Dy",), ("LEAN=",)):
            with self.subTest(variables):
                compiled, linked = self.commands(*variables)
                added = {word for v in variables for word in v.split("=", 1)[1].split()
                         if not v.startswith(("LDFLAGS", "LEAN"))}
                for words in compiled:
                    wanted = FLAGS | WARNINGS | added | {branch, "-std=gnu11", "-D_GNU_SOURCE"}
                    self.assertLessEqual(wanted, set(words))
                for words in linked:
                    self.assertLessEqual({"-pie", "-Wl,-z,relro", "-Wl,-z,now", branch,
                                          "-Wl,-z,noexecstack"}, set(words))
                    self.assertEqual("-Wl,--as-needed" in words, len(variables) == 2)

    def test_without_optimization_there_is_nothing_to_fortify(self):
        compiled, _ = self.commands("CFLAGS=-O0 -g")
        for words in compiled:
            self.assertLessEqual(FLAGS - {"-D_FORTIFY_SOURCE=2"}, set(words))
            self.assertNotIn("-D_FORTIFY_SOURCE=2", words)


if __name__ == "__main__":
    harness.main()
