# SPDX-License-Identifier: Apache-2.0
"""
Packages from npm that tests stand on, pinned by a lock file: a folder of tests/ names them.
"""
import fcntl
import filecmp
import shutil
import unittest

import harness

# npm's words for a registry that cannot be reached.
UNREACHABLE = ("EAI_AGAIN", "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH",
               "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT")


def install(name):
    """
    The directory with the packages of tests/NAME. Installs them once per lock file; two tests may
    ask at the same time. Skips who asks, when the packages are not here and cannot be had: modules
    ask in setUpModule, tests/skips names them.
    """
    harness.need("node", "npm")
    source = harness.ROOT / "tests" / name
    installed = harness.ROOT / "build" / name
    installed.mkdir(parents=True, exist_ok=True)
    with open(installed / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = installed / "installed.json"
        if done.exists() and filecmp.cmp(done, source / "package-lock.json", shallow=False):
            return installed
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, installed / file)
        npm = harness.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                           "--fetch-retries=1"], check=False, cwd=installed, seconds=180)
        if npm.returncode:
            said = npm.stdout + npm.stderr
            # What comes, but is not what the lock file names, fails the tests.
            if any(word in said for word in UNREACHABLE):
                raise unittest.SkipTest("the npm registry cannot be reached")
            raise AssertionError(said)
        shutil.copy(source / "package-lock.json", done)
    return installed
