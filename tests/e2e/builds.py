# SPDX-License-Identifier: Apache-2.0
"""Programs that tests build, and those of packages that are unpacked, but not installed."""
import os
import pathlib
import unittest

import harness

_go_binaries = {}
# The unpacked folder lies over /usr, in a mount namespace that ends with the program.
OVER_USR = 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"'


def unpacked(name):
    """The folder where `make fetch-packages` has unpacked packages; skips who asks if it is not there."""
    folder = harness.ROOT / "build" / name
    if not (folder / "packages").exists():
        raise unittest.SkipTest(f"build/{name} is not there: its archive could not be reached")
    return folder


def over_usr(name):
    """What a command is preceded by that needs what is unpacked in build/NAME below /usr."""
    return ["unshare", "--mount", "sh", "-c", OVER_USR, unpacked(name)]


def newest_go():
    """GOROOT of the newest Go of Debian; skips who asks if it is not there."""
    (goroot,) = (unpacked("go") / "usr" / "lib").glob("go-*")
    return goroot


def build_go(source, options=(), goroot=None):
    """
    The path of a file of tests/servers that go has built, without network; once for each set of
    options. goroot: of a Go that is not the distribution's.
    """
    known = source, tuple(options), goroot
    if known not in _go_binaries:
        folder = pathlib.Path(os.environ.get("TMPDIR", "/tmp"))
        target = folder / f"sidelight-e2e-go-{os.getpid()}-{len(_go_binaries)}"
        env = {
            **os.environ,
            "GO111MODULE": "off",
            "GOFLAGS": "",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOGC": "400",  # a compiler ends soon
        }
        if goroot:
            env["GOROOT"] = str(goroot)
        go = goroot / "bin" / "go" if goroot else "go"
        argv = [go, "build", *options, "-o", target, harness.SERVERS / source]
        harness.run(argv, env=env, seconds=400)
        harness.atexit.register(target.unlink)
        _go_binaries[known] = target
    return _go_binaries[known]
