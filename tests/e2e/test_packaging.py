#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The parts of `make release` by themselves, on the programs that are built already: the Debian
package, archives of images, the list of what is in them; and that
there is one version. tests/release/ tests a whole release.
"""
import hashlib
import json
import os
import tarfile

import harness

PACKAGING = harness.ROOT / "sidecar" / "packaging"
WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
EPOCH = 1700000000
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}

FILES = """
./usr/bin/kubectl-sidelight
./usr/bin/kubectl_complete-sidelight
./usr/bin/sidelight
./usr/bin/sidelight-webhook
./usr/lib/systemd/system/sidelight@.service
./usr/share/bash-completion/completions/sidelight
./usr/share/doc/sidelight/changelog.gz
./usr/share/doc/sidelight/copyright
./usr/share/fish/vendor_completions.d/sidelight.fish
./usr/share/lintian/overrides/sidelight
./usr/share/man/man1/sidelight.1.gz
./usr/share/zsh/vendor-completions/_sidelight
""".split()


def architecture():
    return harness.run(["dpkg", "--print-architecture"]).stdout.strip()


class Package(harness.Case):
    def stage(self, name, umask):
        """As `make install install-doc` fills it; the parts of one program stand for both."""
        stage = self.scratch(name)
        share = stage / "usr" / "share"
        before = os.umask(umask)
        try:
            for program in (harness.BINARY, WEBHOOK):
                target = stage / "usr" / "bin" / program.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(program.read_bytes())
                target.chmod(0o755)
            for words, path in ((["man"], "man/man1/sidelight.1"),
                                (["completion", "bash"], "bash-completion/completions/sidelight"),
                                (["completion", "zsh"], "zsh/vendor-completions/_sidelight"),
                                (["completion", "fish"], "fish/vendor_completions.d/sidelight.fish")):
                (share / path).parent.mkdir(parents=True)
                (share / path).write_text(harness.run([harness.BINARY, *words]).stdout)
        finally:
            os.umask(before)
        return stage

    def pack(self, name, umask=0o022):
        deb = self.scratch(f"{name}.deb")
        harness.run([PACKAGING / "pack-deb", self.stage(name, umask), "1.2.3", architecture(), deb],
                    env=ENVIRONMENT, seconds=120)
        return deb

    def field(self, deb, name):
        return harness.run(["dpkg-deb", "-f", deb, name]).stdout.strip()

    def test_the_same_programs_make_the_same_package(self):
        """Wherever they are staged, and whatever the umask and the time of the files is."""
        one, other = self.pack("one"), self.pack("a-much-longer-name", umask=0o077)
        self.assertEqual(one.read_bytes(), other.read_bytes())

    def test_contents(self):
        deb = self.pack("contents")
        rows = [line.split() for line in harness.run(["dpkg-deb", "-c", deb]).stdout.splitlines()]
        self.assertEqual(sorted(row[5] for row in rows if row[0][0] != "d"), FILES)
        for row in rows:
            self.assertEqual(row[1], "root/root", row)
            self.assertIn(row[0], ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"), row)
        self.assertEqual(self.field(deb, "Version"), "1.2.3")
        for library in ("libc6", "libbpf1", "libgnutls30", "libseccomp2"):
            self.assertIn(library, self.field(deb, "Depends"))
        root = self.scratch("unpacked")
        harness.run(["dpkg-deb", "-x", deb, root])
        said = harness.run([root / "usr" / "bin" / "sidelight", "version"]).stdout
        self.assertEqual(said, harness.run([harness.BINARY, "version"]).stdout)
        unit = (root / "usr/lib/systemd/system/sidelight@.service").read_text()
        self.assertIn("ExecStart=/usr/bin/sidelight run --cgroup ", unit)


class Image(harness.Case):
    def make(self, name, *layers, stage="sidelight-webhook"):
        path = self.scratch(name)
        done = harness.run(
            [PACKAGING / "oci.py", "--dockerfile", harness.ROOT / "Dockerfile", "--stage", stage,
             "--version", "1.2.3", "--revision", "abc", path, *layers], env=ENVIRONMENT)
        return path, done.stdout.strip()

    def layer(self, text):
        path = self.scratch(f"{text}.tar")
        file = self.scratch(text)
        file.write_text(text)
        with tarfile.open(path, "w") as tar:
            tar.add(file, "file")
        return path

    def blobs(self, path):
        """{digest: content}, each of which is what its name says."""
        with tarfile.open(path) as tar:
            members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
            self.assertEqual({m.mtime for m in tar.getmembers()}, {EPOCH})
        found = {}
        for name, data in members.items():
            if name.startswith("blobs/"):
                found[f"sha256:{name.rpartition('/')[2]}"] = data
                self.assertEqual(hashlib.sha256(data).hexdigest(), name.rpartition("/")[2])
        return found, json.loads(members["index.json"])

    def test_one_architecture(self):
        """Its configuration is that of the Dockerfile; the digest is that of its manifest."""
        path, digest = self.make("image.tar", f"amd64={self.layer('one')}")
        blobs, index = self.blobs(path)
        top = index["manifests"][0]
        self.assertEqual(top["digest"], digest)
        self.assertEqual(top["annotations"]["io.containerd.image.name"],
                         "docker.io/library/sidelight-webhook:1.2.3")
        manifest = json.loads(blobs[digest])
        config = json.loads(blobs[manifest["config"]["digest"]])
        self.assertEqual(config["architecture"], "amd64")
        self.assertEqual(config["config"]["Entrypoint"], ["/usr/bin/sidelight-webhook"])
        self.assertEqual(config["config"]["Cmd"], ["serve"])
        self.assertEqual(config["config"]["User"], "65532:65532")
        self.assertEqual(config["config"]["ExposedPorts"], {"8443/tcp": {}})
        labels = config["config"]["Labels"]
        self.assertEqual(labels["org.opencontainers.image.title"], "sidelight-webhook")
        self.assertEqual(labels["org.opencontainers.image.revision"], "abc")
        self.assertEqual(labels["org.opencontainers.image.version"], "1.2.3")

    def test_two_architectures(self):
        layers = [f"amd64={self.layer('one')}", f"arm64={self.layer('two')}"]
        path, digest = self.make("images.tar", *layers, stage="sidelight")
        blobs, index = self.blobs(path)
        self.assertEqual(index["manifests"][0]["digest"], digest)
        each = json.loads(blobs[digest])["manifests"]
        self.assertEqual([m["platform"]["architecture"] for m in each], ["amd64", "arm64"])
        self.assertEqual(self.make("again.tar", *layers, stage="sidelight")[0].read_bytes(),
                         path.read_bytes())


class Bill(harness.Case):
    """The SPDX document, of an image with two libraries."""

    def test_document(self):
        root = self.scratch("images") / "sidelight"
        library = next(path for path in ("/usr/lib/x86_64-linux-gnu/libseccomp.so.2",
                                         "/usr/lib/aarch64-linux-gnu/libseccomp.so.2") if os.path.exists(path))
        copy = root / library.lstrip("/")
        copy.parent.mkdir(parents=True)
        copy.write_text("")
        archive = self.scratch("sidelight-1.2.3.oci.tar")
        archive.write_text("x")
        done = harness.run(
            [PACKAGING / "sbom.py", "--version", "1.2.3", "--revision", "abc", "--architecture", architecture(),
             "--curl", "7.88.1-10", "--images", root.parent, "--build", "gcc,make", archive],
            env=ENVIRONMENT)
        document = json.loads(done.stdout)
        self.assertEqual(document["spdxVersion"], "SPDX-2.3")
        self.assertEqual(document["creationInfo"]["created"], "2023-11-14T22:13:20Z")
        packages = {p["SPDXID"]: p for p in document["packages"]}
        self.assertEqual(len(packages), len(document["packages"]))
        contained = set()
        for relation in document["relationships"]:
            for end in ("spdxElementId", "relatedSpdxElement"):
                self.assertIn(relation[end], {*packages, "SPDXRef-DOCUMENT"})
            if relation["relationshipType"] == "CONTAINS":
                contained.add(packages[relation["relatedSpdxElement"]]["name"])
        self.assertEqual(contained, {"libseccomp2", "ca-certificates", "curl"})
        archives = [p for p in packages.values() if p["name"] == archive.name]
        self.assertEqual(archives[0]["checksums"][0]["checksumValue"],
                         hashlib.sha256(b"x").hexdigest())
        name = f"libseccomp2:{architecture()}"  # that of another machine may be there, too
        installed = harness.run(["dpkg-query", "-W", "-f", "${Version}", name]).stdout
        self.assertEqual([p["versionInfo"] for p in packages.values() if p["name"] == "libseccomp2"], [installed])

    def test_a_file_of_no_package_is_an_error(self):
        images = self.scratch("images")
        stray = images / "sidelight" / "usr" / "lib" / "libstray.so.1"
        stray.parent.mkdir(parents=True)
        stray.write_text("")
        archive = self.scratch("x.oci.tar")
        archive.write_text("x")
        done = harness.run(
            [PACKAGING / "sbom.py", "--version", "1", "--revision", "a", "--architecture", architecture(),
             "--curl", "1", "--images", images, "--build", "gcc", archive],
            env=ENVIRONMENT, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no package has /usr/lib/libstray.so.1", done.stderr)


class Version(harness.Case):
    def test_one_version(self):
        harness.run([harness.ROOT / "tests" / "lint" / "version"])


if __name__ == "__main__":
    harness.main()
