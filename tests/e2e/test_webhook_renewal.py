#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Certificates that are made again: which authorities stay, and that API servers with the old
bundle or the new one get answers from a webhook with the old certificate or the new one.
"""
import re
import ssl

from admission import WEBHOOK, Server, pod, review
from harness import Case, main, run, wait_for


class Renewal(Case):
    def authorities(self, where):
        """The certificates of ca.crt."""
        return re.findall(r"-----BEGIN CERTIFICATE-----[^-]+", (where / "ca.crt").read_text())

    def make(self, where, *words):
        run([WEBHOOK, "certs", "--dir", where, *words])
        return self.authorities(where), (where / "tls.crt").read_text()

    def verifies(self, authority, cert):
        """Is this serving certificate one that a client with this bundle takes?"""
        files = []
        for name, text in (("bundle", authority), ("cert", cert)):
            path = self.scratch(name)
            path.write_text(text)
            files.append(path)
        return run(["openssl", "verify", "-CAfile", files[0], "-x509_strict", files[1]],
                   check=False).returncode == 0

    def test_renewed(self):
        """The authority stays: old and new certificates lead to old and new bundles."""
        where = self.scratch("made")
        where.mkdir()
        before, first = self.make(where)
        self.assertEqual((where / "ca.key").stat().st_mode & 0o777, 0o600)
        bundle = (where / "ca.crt").read_text()
        for _ in range(3):
            after, second = self.make(where)
            self.assertEqual(after, before)
            self.assertNotEqual(second, first)
            self.assertTrue(self.verifies(bundle, second), "new certificate, old bundle")

    def test_renewed_without_the_old_key(self):
        """A new authority, and the old ones beside it, as long as they are valid."""
        for why, spoil in (("no key", lambda d: (d / "ca.key").unlink()),
                           ("nonsense", lambda d: (d / "ca.key").write_text("nonsense")),
                           ("of another", lambda d: (d / "ca.key").write_bytes(
                               (d / "tls.key").read_bytes()))):
            with self.subTest(why):
                where = self.scratch("made")
                where.mkdir()
                before, first = self.make(where)
                spoil(where)
                after, second = self.make(where)
                self.assertEqual(after[1:], before)
                bundle = (where / "ca.crt").read_text()
                self.assertTrue(self.verifies(bundle, first), "old certificate, new bundle")
                self.assertTrue(self.verifies(bundle, second))
                self.assertEqual(self.make(where)[0], after, "and it goes on with that one")
                for _ in range(5):
                    spoil(where)
                    after, _ = self.make(where)
                self.assertEqual(len(after), 4)
        (where / "ca.crt").write_text("nonsense")
        self.assertEqual(len(self.make(where)[0]), 1)

    def test_an_authority_that_ends_too_early(self):
        where = self.scratch("made")
        where.mkdir()
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", "/CN=short", "-keyout", where / "ca.key",
             "-out", where / "ca.crt"])
        short = self.authorities(where)
        self.assertEqual(self.make(where, "--days", "10")[0], short)
        after, _ = self.make(where, "--days", "31")
        self.assertEqual(after[1:], short)

    def test_none_is_missed_while_it_is_renewed(self):
        """Old bundle or new, old Secret or new: every review is answered."""
        server = Server(self)
        old = ssl.create_default_context(cafile=str(server.dir / "ca.crt"))
        connection = self.own(server.connect())
        connection.connect()
        before = connection.serial()
        run([WEBHOOK, "certs", "--dir", server.dir])
        new = ssl.create_default_context(cafile=str(server.dir / "ca.crt"))
        seen = set()

        def all_answered():
            for tls in (old, new):
                connection = server.connect(tls=tls)
                answer = server.post("/mutate-pod", review(pod()), connection=connection)
                self.assertEqual(answer.status, 200)
                seen.add(connection.serial())
                connection.close()
            return seen - {before}

        wait_for("the new certificate", all_answered)


if __name__ == "__main__":
    main()
