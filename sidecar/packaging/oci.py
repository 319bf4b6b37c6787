#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
oci.py --dockerfile FILE --stage NAME --version VERSION --revision REVISION FILE ARCHITECTURE=LAYER...

Writes the archive FILE of an OCI image, with one layer (a tar file) for each architecture. Its
configuration is that of the stage NAME of the Dockerfile. Prints the digest of the image: of its
index, if there are several architectures. The times in it are SOURCE_DATE_EPOCH.
"""
import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def parse_stage(text, name, arguments):
    """The configuration that a stage `FROM scratch AS name` of a Dockerfile gives its image."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M))
    lines = re.split(r"^FROM scratch AS (?:%s)$" % re.escape(name), text, flags=re.M)[1]
    config = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
              "Labels": {}}
    for line in re.split(r"^FROM ", lines, flags=re.M)[0].splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in ("ENTRYPOINT", "CMD"):
            config[{"ENTRYPOINT": "Entrypoint", "CMD": "Cmd"}[word]] = json.loads(rest)
        elif word == "USER":
            config["User"] = rest
        elif word == "EXPOSE":
            config["ExposedPorts"] = {f"{rest}/tcp": {}}
        elif word == "LABEL":
            for label in shlex.split(rest):
                key, _, value = label.partition("=")
                config["Labels"][key] = re.sub(r"\$(\w+)", lambda m: arguments[m[1]], value)
        elif word not in ("", "ARG", "COPY"):
            raise SystemExit(f"oci: {name}: {word} is not known here")
    return config


class Archive:
    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def add(self, data, media_type, **more):
        """The descriptor of a blob."""
        if not isinstance(data, bytes):
            data = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    def write(self, path, epoch):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size, member.mtime, member.mode = len(data), epoch, 0o644
                tar.addfile(member, io.BytesIO(data))


def add_image(archive, architecture, layer, config, created):
    with open(layer, "rb") as f:
        tar = f.read()
    blob = archive.add(gzip.compress(tar, 9, mtime=0), LAYER)
    image = {
        "created": created, "architecture": architecture, "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
        "history": [{"created": created, "created_by": "make release"}],
    }
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                "config": archive.add(image, CONFIG), "layers": [blob]}
    return archive.add(manifest, MANIFEST, platform={"architecture": architecture, "os": "linux"})


def main():
    parser = argparse.ArgumentParser()
    for option in ("dockerfile", "stage", "version", "revision"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("file")
    parser.add_argument("layers", nargs="+")
    options = parser.parse_args()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open(options.dockerfile, encoding="utf-8") as f:
        config = parse_stage(f.read(), options.stage, {"REVISION": options.revision})
    config["Labels"]["org.opencontainers.image.version"] = options.version

    archive = Archive()
    images = [add_image(archive, *layer.split("=", 1), config, created) for layer in options.layers]
    top = images[0]
    if len(images) > 1:
        top = archive.add({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX)
    digest = top["digest"]
    # Docker, podman and containerd take the name from one of these.
    names = {"io.containerd.image.name": f"docker.io/library/{options.stage}:{options.version}",
             "org.opencontainers.image.ref.name": options.version}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**top, "annotations": names}]}
    archive.files["index.json"] = json.dumps(index, sort_keys=True).encode()
    archive.write(options.file, epoch)
    print(digest)


if __name__ == "__main__":
    main()
