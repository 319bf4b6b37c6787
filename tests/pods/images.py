# SPDX-License-Identifier: Apache-2.0
"""
The images of the Dockerfile, built without a network: the base image is a
skeleton, the machine lends its own /usr, compiler included, to each step, and
the objects that are compiled already are those of build/.
"""
import pathlib
import unittest

import harness
import podman

TARGETS = ("sidelight", "sidelight-webhook")
BORROW = [
    *(f"--volume={path}:{path}:ro" for path in podman.BORROWED),
    f"--volume={harness.ROOT}/build:/src/build:O",
]


def base(pods):
    """A base image in which every package of the machine is installed."""
    status = pathlib.Path("/var/lib/dpkg/status")
    name = f"localhost/base:{podman.digest(status, pathlib.Path(podman.__file__))}"
    if not pods.has_image(name):
        pods.import_root(name, podman.make_root(pods.directory / "base"))
    return name


def sources():
    """What the Dockerfile copies, and how it is built here."""
    names = ["Dockerfile", "Makefile", "tests/install-packages", "tests/build-curl", "tests/fetch-source",
             "tests/pods/images.py", "build/curl/lib/libcurl.a"]
    paths = [harness.ROOT / name for name in names]
    for folder in ("bpf", "sidecar"):
        paths += [p for p in (harness.ROOT / folder).rglob("*") if p.is_file()]
    return paths


def build_curl():
    """The only thing in the images that is not of this machine's packages; kept in build/."""
    argv = [harness.ROOT / "tests" / "build-curl", harness.ROOT / "build" / "curl"]
    done = harness.run(argv, check=False, seconds=300)
    if done.returncode == 3:
        raise unittest.SkipTest(f"no archive gives the source of libcurl: {done.stderr}")
    if done.returncode:
        raise AssertionError(f"{argv} failed:\n{done.stderr}")


def build(pods, target):
    """The name of the image of that target; all are built if their sources have changed."""
    build_curl()
    tag = podman.digest(*sources())
    if not pods.has_image(f"localhost/{target}:{tag}"):
        for each in TARGETS:
            for old in pods("images", "-q", f"localhost/{each}").stdout.split():
                pods("rmi", "-f", old, check=False)
        pods("image", "prune", "-f", check=False)
        for each in TARGETS:
            pods.buildah(
                "bud",
                f"--runtime={podman.RUNTIME}",
                "--pull-never",
                "--network=host",
                "--layers",
                f"--build-arg=BASE={base(pods)}",
                f"--target={each}",
                f"--tag=localhost/{each}:{tag}",
                *BORROW,
                harness.ROOT,
            )
    return f"localhost/{target}:{tag}"
