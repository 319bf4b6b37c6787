#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: deadline 240
"""
The images of the Dockerfile: what is in them, and that they start as they are to be started.
"""
import podman  # noqa: F401: finds the modules of tests/e2e
import harness

import images
import world
from gateway import Certificates, Pushgateway
from podman import Podman

CAPABILITIES = ("BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON")
AS_INJECTED = [
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
]
SIZE_MAX = 20e6


class Images(harness.Case):
    def setUp(self):
        super().setUp()
        self.pods = Podman(self)

    def doctor(self, image, *flags):
        done = self.pods("run", "--rm", *AS_INJECTED, *flags, image, "doctor", check=False)
        rows = {line[:25].strip(): line[25:].split()[0:1] for line in done.stdout.splitlines()
                if len(line) > 25}
        return done, {name: state[0] for name, state in rows.items() if state}

    def check_contents(self, image, program):
        details = self.pods.inspect("image", image)[0]
        container = self.pods("create", image).stdout.strip()
        tar = self.scratch("root.tar")
        self.pods("export", "-o", tar, container)
        self.pods("rm", container)
        names = harness.run(["tar", "-tf", tar]).stdout.split()
        files = {n for n in names if not n.endswith("/")}
        self.assertEqual({f for f in files if "bin/" in f}, {f"usr/bin/{program}"})
        for name in files - {f"usr/bin/{program}", "etc/nsswitch.conf"}:
            self.assertRegex(name, r"\.so(\.|$)|^etc/ssl/certs/|^lib/terminfo/./[a-z0-9-]+$|^(dev|proc|sys|run|etc)/[a-z.]+$")
        print(f"{program}: {details['Size'] / 1e6:.1f} MB in {len(files)} files")
        self.assertLess(details["Size"], SIZE_MAX)
        labels = details["Labels"]
        self.assertEqual(labels["org.opencontainers.image.title"], program)
        self.assertEqual(labels["org.opencontainers.image.licenses"], "Apache-2.0")
        return details["Config"]

    def test_sidecar(self):
        image = images.build(self.pods, "sidelight")
        config = self.check_contents(image, "sidelight")
        self.assertEqual(config["Entrypoint"] + config["Cmd"], ["/usr/bin/sidelight", "run"])
        grants = [f"--cap-add={name}" for name in CAPABILITIES]
        # As root, as the webhook has it; and as somebody else, by the file's capabilities.
        for user in ("0:0", "65532:65532"):
            done, states = self.doctor(image, f"--user={user}", *grants)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for name in CAPABILITIES:
                self.assertEqual(states[f"CAP_{name}"], "yes", f"{user}:\n{done.stdout}")
            self.assertIn('"sidelight run" can work here.', done.stdout)
        # Granted nothing it still starts, and says so.
        done, states = self.doctor(image)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(states["CAP_BPF"], "MISSING", done.stdout)
        self.assertEqual(states["CAP_SYS_PTRACE"], "no", done.stdout)

    def test_webhook(self):
        image = images.build(self.pods, "sidelight-webhook")
        config = self.check_contents(image, "sidelight-webhook")
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual(config["Entrypoint"], ["/usr/bin/sidelight-webhook"])
        done = self.pods("run", "--rm", *AS_INJECTED, image, "version")
        self.assertTrue(done.stdout.startswith("sidelight-webhook "), done.stdout)
        self.check_janitor(image)

    def check_janitor(self, image):
        """It believes who has a certificate of the CA that it was told, and nobody else."""
        certificates = Certificates(self.dir)
        config = self.scratch("web.yml")
        config.write_text(
            "tls_server_config:\n"
            f"  cert_file: {certificates['server.pem']}\n"
            f"  key_file: {certificates['server.key']}\n"
        )
        port = Pushgateway(self, None, f"--web.config.file={config}").port
        sweep = [
            "run", "--rm", "--network=host", *AS_INJECTED[1:],
            f"--volume={certificates['ca.pem']}:/ca.pem:ro",
            image, "janitor", "--once", f"--gateway=https://localhost:{port}",
        ]
        done = self.pods(*sweep, check=False)
        self.assertNotEqual(done.returncode, 0, done.stderr)
        self.assertIn("certificate", done.stderr)
        done = self.pods(*sweep, "--gateway-ca=/ca.pem", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    world.enter(is_root=True)
    harness.main()
