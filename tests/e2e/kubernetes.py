# SPDX-License-Identifier: Apache-2.0
"""
What stands in for an API server: the schemas of Kubernetes' API, and
implementations of JSON patches and CEL, all from npm, pinned by tests/kubernetes.
"""
import atexit
import fcntl
import filecmp
import json
import os
import shutil
import subprocess
import unittest

import harness

SOURCE = harness.ROOT / "tests" / "kubernetes"
INSTALLED = harness.ROOT / "build" / "kubernetes"
# npm's words for a registry that cannot be reached.
UNREACHABLE = ("EAI_AGAIN", "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH",
               "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT")


def install():
    """
    Once per lock file; two tests may ask at the same time. Skips who asks, when the packages
    are not here and cannot be had: modules ask in setUpModule, tests/skips names them.
    """
    harness.need("node", "npm")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with open(INSTALLED / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = INSTALLED / "installed.json"
        if done.exists() and filecmp.cmp(done, SOURCE / "package-lock.json", shallow=False):
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, INSTALLED / name)
        npm = harness.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                           "--fetch-retries=1"], check=False, cwd=INSTALLED, seconds=180)
        if npm.returncode:
            said = npm.stdout + npm.stderr
            # What comes, but is not what the lock file names, fails the tests.
            if any(word in said for word in UNREACHABLE):
                raise unittest.SkipTest("the npm registry cannot be reached")
            raise AssertionError(said)
        shutil.copy(SOURCE / "package-lock.json", done)


_children = {}


def _end_children():
    for child in _children.values():
        child.stdin.close()
        child.stdout.close()
        child.wait()


atexit.register(_end_children)


def _node(script, lines):
    """Answers of a program that is started once, and ends with its standard input."""
    child = _children.get(script)
    if not child:
        install()
        child = _children[script] = subprocess.Popen(
            ["node", str(SOURCE / script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "NODE_MODULES": str(INSTALLED / "node_modules")},
        )
    answers = []
    for line in lines:
        child.stdin.write(json.dumps(line) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        if not answer:
            raise AssertionError(f"{script} ended with {child.wait()}")
        answers.append(json.loads(answer))
    return answers


def invalid(objects):
    """What is wrong with each object: a list of lists of lines."""
    return _node("validate.mjs", objects)


def patched(pairs):
    """The documents after their patches; pairs of (document, patch)."""
    answers = _node("apply.mjs", [{"document": d, "patch": p} for d, p in pairs])
    for answer in answers:
        if "error" in answer:
            raise AssertionError(f"the patch does not apply: {answer['error']}")
    return [answer["document"] for answer in answers]


def evaluated(questions):
    """
    What admission policies make of objects; see evaluate.mjs. With EVALUATOR set to
    the program made of evaluate.go, that one is asked: Kubernetes' own code.
    """
    program = os.environ.get("EVALUATOR")
    if not program:
        return _node("evaluate.mjs", questions)
    lines = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
