# SPDX-License-Identifier: Apache-2.0
"""
What stands in for an API server: the schemas of Kubernetes' API, and
implementations of JSON patches and CEL, all from npm, pinned by tests/kubernetes.
"""
import atexit
import json
import os
import subprocess

import harness
import npm

SOURCE = harness.ROOT / "tests" / "kubernetes"
INSTALLED = harness.ROOT / "build" / "kubernetes"


def install():
    """Skips who asks, when the packages cannot be had."""
    npm.install("kubernetes")


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
