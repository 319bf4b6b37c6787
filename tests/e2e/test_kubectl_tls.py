#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
What the kubectl plugin makes of the platform's parameters on TLS.
"""
import harness
from test_kubectl import IMAGE, Plugged
from test_kubectl import setUpModule  # noqa: F401 (unittest calls it)


class PlatformSays(Plugged):
    def test_tls_as_the_platform_says(self):
        """The guard permits what is made of any of its parameters."""
        ours = ["BPF", "NET_ADMIN", "SYS_PTRACE", "PERFMON"]
        admin = {"tls-capability": "SYS_ADMIN"}
        for parameters, tls, added in (
            ({}, None, []), ({"tls": "keys"}, None, []), ({"tls": "off"}, "off", []),
            ({**admin, "tls": ""}, None, ["SYS_ADMIN"]),
            (admin, None, ["SYS_ADMIN"]), ({**admin, "tls": "off"}, "off", []),
            ({"tls-capability": "SYS_MODULE"}, None, []),
        ):
            for args in (), ("--image", "registry.example/sidelight:8"):
                parameters = {"image": IMAGE, **parameters}
                one = self.run_one("top", "web-0", *args, parameters=parameters)
                said = [e["value"] for e in one["env"] if e["name"] == "SIDELIGHT_TLS"]
                self.assertEqual(said, [tls] if tls else [], parameters)
                self.assertEqual(one["securityContext"]["capabilities"]["add"], ours + added)
                self.assertEqual(self.denied(parameters), [], parameters)

    def test_a_malformed_veto_is_one(self):
        for word in "OFF", "false", "off ", "\noff", "keys\n", '%"keys"':
            parameters = {"image": IMAGE, "tls": word, "tls-capability": "SYS_ADMIN"}
            one = self.run_one("top", "web-0", parameters=parameters)
            self.assertIn({"name": "SIDELIGHT_TLS", "value": "off"}, one["env"], word)
            self.assertNotIn("SYS_ADMIN", str(one), word)
            self.assertEqual(self.denied(parameters), [], word)

    def test_values_with_lines_of_their_own(self):
        """None is taken for another one."""
        admin, mine = {"tls-capability": "SYS_ADMIN"}, ("--image", "mine:1")
        for args, parameters, image, is_off, has_admin in (
            ((), {"image": IMAGE + "\n\n", "tls": "off"}, IMAGE, True, False),
            ((), {"image": IMAGE + "\n", **admin}, IMAGE, False, True),
            (mine, {"image": "a\nb\n", "tls": "off"}, "mine:1", True, False),
            (mine, {"image": "\n\nSYS_ADMIN"}, "mine:1", False, False),
            (mine, {"push": "http://gw", "tls": "off"}, "mine:1", True, False),
            ((), {"image": IMAGE, "tls-capability": "\nSYS_ADMIN\nevil:1"}, IMAGE, False, False),
        ):
            one = self.run_one("top", "web-0", *args, parameters=parameters)
            off = {"name": "SIDELIGHT_TLS", "value": "off"}
            self.assertEqual((one["image"], off in one["env"], "SYS_ADMIN" in str(one)),
                             (image, is_off, has_admin), parameters)

    def test_tls_where_the_platform_is_not_known(self):
        """Without it nothing is forbidden; who may not read what it says decrypts nothing."""
        self.start(parameters={})
        done = self.sidelight("top", "web-0", "--image", "mine:1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn("SIDELIGHT_TLS", str(self.api.told()))
        self.start()
        self.api.hides_parameters = True
        done = self.sidelight("top", "web-0", "--image", "mine:1")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (0, 1), done.stderr)
        self.assertIn("TLS is not decrypted", done.stderr)
        self.assertIn({"name": "SIDELIGHT_TLS", "value": "off"}, self.api.told()[0]["env"])


if __name__ == "__main__":
    harness.main()
