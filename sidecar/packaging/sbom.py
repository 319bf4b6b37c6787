#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
sbom.py --version VERSION --revision REVISION --architecture NAME --curl VERSION
        --images DIRECTORY --build PACKAGE,... ARTEFACT...

Prints an SPDX 2.3 document, as JSON: the artefacts with their SHA-256; what the package depends
on; what each file in the roots of the images, DIRECTORY/PROGRAM, comes from; what the static
programs are linked with; and what building needed. Versions are those that dpkg-query finds.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

FIELDS = ("binary:Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage")


# What the programs of the tarball are linked with, beside libcurl.
STATIC = ("libbpf-dev libc6-dev libcap-dev libcjson-dev libelf-dev libgmp-dev libgnutls28-dev "
          "libmicrohttpd-dev libncurses-dev libpcap0.8-dev libprotobuf-c-dev libseccomp-dev "
          "libtasn1-6-dev libuv1-dev nettle-dev zlib1g-dev").split()


def query(names):
    """The packages of these names, as members of "packages"; all have to be installed."""
    form = "\\t".join("${%s}" % field for field in FIELDS) + "\\n"
    out = subprocess.run(["dpkg-query", "-W", "-f", form, *sorted(set(names))], check=True,
                         stdout=subprocess.PIPE, text=True)
    return [debian_package(dict(zip(FIELDS, line.split("\t")))) for line in out.stdout.splitlines()]


def owner(path, architecture):
    """The package that installed a file; Debian's /lib is a link to /usr/lib by now."""
    for name in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", name], check=False, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            packages, _, _ = line.rpartition(": ")
            for package in packages.split(", "):
                if ":" not in package or package.endswith(f":{architecture}"):
                    return package
    raise SystemExit(f"sbom: no package has {path}")


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words))


def own_package(path, version, revision):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "SPDXID": identifier("artefact", path.name), "name": path.name, "versionInfo": version,
        "packageFileName": path.name, "supplier": "Organization: sidelight maintainers",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)",
        "copyrightText": "NOASSERTION", "sourceInfo": f"git commit {revision}",
    }


def debian_package(fields):
    name = fields["binary:Package"].split(":")[0]
    locator = f"pkg:deb/debian/{name}@{fields['Version']}?arch={fields['Architecture']}"
    return {
        "SPDXID": identifier("debian", name, fields["Architecture"]), "name": name,
        "versionInfo": fields["Version"], "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"built from {fields['source:Package']} {fields['source:Version']}",
        **({"homepage": fields["Homepage"]} if fields["Homepage"] else {}),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": locator.replace("+", "%2B")}],
    }


def curl_package(version):
    fields = dict.fromkeys(FIELDS, "") | {
        "binary:Package": "curl", "Version": version, "Architecture": "source",
        "source:Package": "curl", "source:Version": version, "Homepage": "https://curl.se/"}
    return {**debian_package(fields), "comment": "a static library, of Debian's source: tests/build-curl"}


def dependencies(deb):
    """Names of the packages that a package asks for; of alternatives, the first."""
    out = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], check=True, stdout=subprocess.PIPE, text=True)
    return [word.split()[0] for word in out.stdout.split(",")]


def in_images(directory, architecture):
    """Names of the packages that the files in the images come from."""
    paths = {path.relative_to(directory).parts[1:] for path in directory.rglob("*") if path.is_file()}
    files = {"/" + "/".join(parts) for parts in paths if parts}
    foreign = {f for f in files if ".so" in f or "/terminfo/" in f}
    return {owner(path, architecture) for path in foreign} | {"ca-certificates"}


def document(options):
    own = [own_package(path, options.version, options.revision) for path in options.artefacts]
    curl = curl_package(options.curl)
    images = query(in_images(options.images, options.architecture)) + [curl]
    static = query(f"{name}:{options.architecture}" for name in STATIC) + [curl]
    packages = {}
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", artefact["SPDXID"]) for artefact in own]
    for artefact, path in zip(own, options.artefacts):
        if path.suffix == ".deb":
            kind = "DEPENDS_ON"
            parts = query(f"{name}:{options.architecture}" for name in dependencies(path))
        elif path.name.endswith(".oci.tar"):
            kind, parts = "CONTAINS", images
        else:
            kind, parts = "STATIC_LINK", static
        relations += [(artefact["SPDXID"], kind, part["SPDXID"]) for part in parts]
        packages |= {part["SPDXID"]: part for part in parts}
    for tool in query(options.build.split(",")):
        packages.setdefault(tool["SPDXID"], tool)
        relations += [(tool["SPDXID"], "BUILD_TOOL_OF", artefact["SPDXID"]) for artefact in own]

    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    name = f"sidelight-{options.version}-{options.architecture}"
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": name, "documentNamespace": f"https://sidelight.dev/spdx/{name}-{options.revision}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Organization: sidelight maintainers",
                                      f"Tool: sidelight-sbom-{options.version}"]},
        "packages": own + [packages[key] for key in sorted(packages)],
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
                          for a, kind, b in relations],
    }


def main():
    parser = argparse.ArgumentParser()
    for option in ("version", "revision", "architecture", "curl", "build"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--images", required=True, type=pathlib.Path)
    parser.add_argument("artefacts", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    json.dump(document(options), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
