#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The SBOM of a release: what SPDX 2.3 asks of a document, and that it names the files of the release
and what is in them. The members and values allowed are those of SPDX's JSON schema
(spdx-schema.json of 2.3), the rest is of the specification's text, which the schema does not hold.
"""
import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness
from test_release import RELEASE, architecture, deb, only

IDENTIFIER = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
# A license expression (Annex D), without its parentheses.
LICENSE = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR) [A-Za-z0-9.+-]+)*")
AGENT = re.compile(r"(Organization|Person): \S.*")
PURL = re.compile(r"pkg:deb/debian/[a-z0-9.+%-]+@[^ @?+]+\?arch=[a-z0-9]+")

DOCUMENT = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo",
            "packages", "relationships"}
PACKAGE = {"SPDXID", "name", "versionInfo", "packageFileName", "supplier", "downloadLocation",
           "filesAnalyzed", "checksums", "homepage", "sourceInfo", "licenseConcluded",
           "licenseDeclared", "copyrightText", "comment", "externalRefs"}
REQUIRED = {"SPDXID", "name", "downloadLocation"}
RELATIONS = {"DESCRIBES", "DEPENDS_ON", "CONTAINS", "STATIC_LINK", "BUILD_TOOL_OF"}


def is_license(text):
    """Also NOASSERTION. What stands in parentheses is an expression, and one operand outside of it."""
    while (inner := re.search(r"\(([^()]*)\)", text)):
        if not LICENSE.fullmatch(inner[1]):
            return False
        text = text.replace(inner[0], "X", 1)
    return bool(LICENSE.fullmatch(text))


class Sbom(harness.Case):
    def setUp(self):
        super().setUp()
        self.path = only(f"sidelight-*-{architecture()}.spdx.json")
        self.sbom = json.loads(self.path.read_text(), object_pairs_hook=self.without_twice)
        self.packages = {package["SPDXID"]: package for package in self.sbom["packages"]}

    def without_twice(self, pairs):
        self.assertEqual(len(pairs), len(dict(pairs)), "a member comes twice")
        return dict(pairs)

    def related(self, kind, artefact):
        return {self.packages[r["relatedSpdxElement"]]["name"] for r in self.sbom["relationships"]
                if r["relationshipType"] == kind and
                self.packages.get(r["spdxElementId"], {}).get("packageFileName") == artefact}

    def test_document(self):
        self.assertEqual(set(self.sbom), DOCUMENT)
        self.assertEqual((self.sbom["spdxVersion"], self.sbom["dataLicense"], self.sbom["SPDXID"]),
                         ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        # An absolute URI without a fragment (6.5).
        self.assertRegex(self.sbom["documentNamespace"], r"\Ahttps://[^#\s]+\Z")
        info = self.sbom["creationInfo"]
        self.assertEqual(set(info), {"created", "creators"})
        datetime.datetime.strptime(info["created"], "%Y-%m-%dT%H:%M:%SZ")
        for creator in info["creators"]:
            self.assertRegex(creator, r"\A(Organization|Person|Tool): \S.*\Z")

    def test_packages(self):
        self.assertEqual(len(self.packages), len(self.sbom["packages"]), "an identifier comes twice")
        for package in self.sbom["packages"]:
            with self.subTest(package.get("SPDXID")):
                self.assertLessEqual(REQUIRED, set(package))
                self.assertLessEqual(set(package), PACKAGE)
                self.assertTrue(IDENTIFIER.fullmatch(package["SPDXID"]))
                self.assertIs(package["filesAnalyzed"], False)
                for key in ("licenseConcluded", "licenseDeclared"):
                    self.assertTrue(is_license(package[key]), package[key])
                self.assertTrue(AGENT.fullmatch(package["supplier"]))
                for value in (v for v in package.values() if isinstance(v, str)):
                    self.assertTrue(value.strip())
                for ref in package.get("externalRefs", ()):
                    self.assertEqual((ref["referenceCategory"], ref["referenceType"]),
                                     ("PACKAGE-MANAGER", "purl"))
                    self.assertTrue(PURL.fullmatch(ref["referenceLocator"]), ref["referenceLocator"])

    def test_relationships(self):
        known = set(self.packages) | {"SPDXRef-DOCUMENT"}
        seen = set()
        for relation in self.sbom["relationships"]:
            self.assertEqual(set(relation), {"spdxElementId", "relationshipType", "relatedSpdxElement"})
            self.assertIn(relation["relationshipType"], RELATIONS)
            self.assertLessEqual({relation["spdxElementId"], relation["relatedSpdxElement"]}, known)
            seen |= {relation["spdxElementId"], relation["relatedSpdxElement"]}
        self.assertEqual(seen, known, "an element without a relationship")

    def test_artefacts(self):
        """Each with the digest of its file; what it describes is what there is."""
        described = {self.packages[r["relatedSpdxElement"]]["packageFileName"]
                     for r in self.sbom["relationships"] if r["relationshipType"] == "DESCRIBES"}
        files = {path.name for path in RELEASE.iterdir()
                 if re.search(rf"(_{architecture()}\.deb|-{architecture()}\.tar\.gz|\.oci\.tar)\Z", path.name)}
        self.assertEqual(described, files)
        for package in self.sbom["packages"]:
            if "packageFileName" in package:
                digest = hashlib.sha256((RELEASE / package["packageFileName"]).read_bytes()).hexdigest()
                self.assertEqual(package["checksums"],
                                 [{"algorithm": "SHA256", "checksumValue": digest}])

    def test_package_depends(self):
        """As the .deb itself says."""
        said = subprocess.run(["dpkg-deb", "-f", deb(), "Depends"], check=True, capture_output=True,
                              text=True).stdout
        names = {word.split()[0].split(":")[0] for word in said.split(",")}
        self.assertEqual(self.related("DEPENDS_ON", deb().name), names)

    def test_images_contain(self):
        """The owner of each library in them."""
        for image in RELEASE.glob("*.oci.tar"):
            names = self.related("CONTAINS", image.name)
            self.assertLessEqual({"libc6", "ca-certificates", "curl"}, names, image.name)

    def test_static_programs_contain(self):
        name = only(f"sidelight-*-linux-{architecture()}.tar.gz").name
        self.assertLessEqual({"libc6-dev", "libgnutls28-dev", "libbpf-dev", "curl"},
                             self.related("STATIC_LINK", name))


if __name__ == "__main__":
    harness.main()
