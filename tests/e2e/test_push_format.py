#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Protobuf for a Pushgateway, which parses it ten times as fast; text for everything else that takes
pushes, and for a Pushgateway behind something that refuses protobuf.
"""
import urllib.error
import urllib.request

import gateway
import harness
from gateway import COUNT, Driver, FakeGateway, Pushgateway
from observer import http_get
from otlp import VictoriaMetrics
from test_histograms import PROTOBUF, TEXT, TYPE, comparable, decode, page, samples

STATUS = (b'{"status":"success","data":{"build_information":{"version":"1.5.1"},'
          b'"flags":{"persistence.file":"","persistence.interval":"5m0s"},"start_time":"x"}}')
REFUSED = "sidelight_push_protobuf_refused_total"
GIVEN_UP = "takes no protobuf"


def setUpModule():
    gateway.build_driver()


def types(requests):
    """One letter for each push: t of text, p of protobuf."""
    letters = {TEXT: "t", TYPE: "p"}
    return "".join(letters[headers["Content-Type"]]
                   for method, _, headers, _ in requests if method == "PUT")


def counted(request):
    """Requests of the driver that a push tells, and the value of REFUSED."""
    _, _, headers, text = request
    if headers["Content-Type"] == TYPE:
        have = samples(decode(text.encode(errors="surrogateescape")))
    else:
        have = comparable(text)
    return (sum(value for (name, _), value in have.items() if name == COUNT),
            sum(value for (name, _), value in have.items() if name == REFUSED))


class Relay(FakeGateway):
    """Passes pushes on to a real Pushgateway, and tells what that says of itself."""

    def __init__(self, case, real):
        super().__init__(case, answer=self.pass_on)
        self.real = real
        self.status = http_get(real.port, "/api/v1/status")[1].encode()

    def pass_on(self, request):
        method, path, headers, text = request
        try:
            return self.real.send(method, path, text.encode(errors="surrogateescape") or None,
                                  headers["Content-Type"] or "")
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:  # what an inconsistency makes of it
            return "nothing"


class Gateways(harness.Case):
    def start(self, fake, *args):
        self.driver = Driver(self, "--interval-ms", "100", *args, push=fake.url)
        self.driver.feed(2)
        return self.driver

    def pushed(self, fake, count):
        fake.wait_requests(count)
        return types(fake.requests[:count])

    def test_a_real_one_gets_protobuf_from_the_second_push_on(self):
        real = Pushgateway(self)
        relay = Relay(self, real)
        driver = self.start(relay)
        self.assertEqual(self.pushed(relay, 6), "tppppp")
        driver.feed(3)
        driver.mix(2)
        real.wait_has(5)
        self.assertEqual(relay.asked, [1])
        self.assertEqual(driver.log("rejected"), [])
        self.assertEqual(driver.process.stop(), 0)
        real.assert_groups([])

    def test_both_formats_leave_the_same_in_a_real_one(self):
        real = Pushgateway(self)
        driver = Driver(self, "--listen", "127.0.0.1:0", "--label", 'namespace=a"b\\c')
        driver.feed(3)
        driver.mix(2)
        left = []
        for accept in None, PROTOBUF:
            kind, body = page(driver.port, accept)
            real.send("PUT", "/metrics/job/shop", body, kind)
            left.append({key: value for key, value in comparable(real.metrics().text).items()
                         if dict(key[1]).get("job") == "shop" and not key[0].startswith("push_")})
        self.assertGreater(len(left[0]), 100)
        self.assertEqual(left[0], left[1])

    def test_what_is_no_pushgateway_gets_text(self):
        for why, status in (
            ("it has no such page", None),
            ("it says something else", b'{"status":"success","data":{"version":"1.93"}}'),
            ("it says too much", STATUS + b" " * 20000),
            ("it is slow to say", "hang"),
        ):
            with self.subTest(why=why):
                fake = FakeGateway(self)
                fake.status = status
                driver = self.start(fake)
                self.assertEqual(self.pushed(fake, 18), "t" * 18)
                self.assertEqual(fake.asked, [1, 4, 16])
                self.assertEqual(counted(fake.requests[-1]), (6, 0))
                fake.released.set()
                self.assertEqual(driver.process.stop(), 0)

    def test_it_refuses_protobuf(self):
        for answer, line, want in (
            (400, "rejected (400", "tptptttt"),
            (415, "rejected (415", "tptptttt"),
            (500, "failed (500", "tptptttt"),
            # On a connection that is kept, libcurl tries it a second time.
            ("nothing", "rejected (empty reply)", "tpptpptt"),
        ):
            with self.subTest(answer=answer):
                fake = FakeGateway(
                    self, answer=lambda r, no=answer: no if types([r]) == "p" else 200)
                fake.status = STATUS
                driver = self.start(fake)
                self.assertEqual(self.pushed(fake, 8), want)
                self.assertEqual(counted(fake.requests[7]), (6, 2))
                self.assertEqual(len(driver.log(GIVEN_UP)), 1, driver.process.text())
                self.assertEqual(len(driver.log(line)), 2)
                driver.feed(1)
                harness.wait_for("the rest", lambda f=fake: counted(f.requests[-1])[0] == 9)
                self.assertEqual(driver.process.stop(), 0)

    def test_an_answer_of_another_program(self):
        """It says of itself that it is a Pushgateway, but something else takes the pushes."""
        fake = FakeGateway(self, answer=204)
        fake.status = STATUS
        driver = self.start(fake)
        self.assertEqual(self.pushed(fake, 10), "tptpt" + "t" * 5)
        self.assertEqual(len(driver.log(GIVEN_UP)), 1)

    def test_a_gateway_of_before_gzip(self):
        fake = FakeGateway(self, answer=lambda r: 400 if r[2]["Content-Encoding"] else 200)
        fake.status = STATUS
        self.start(fake)
        harness.wait_for("protobuf", lambda: types(fake.requests).endswith("ppp"), seconds=20)
        self.assertIsNone(fake.requests[-1][2]["Content-Encoding"])
        self.assertEqual(counted(fake.requests[-1]), (6, 0))

    def test_another_program_at_its_address(self):
        first = FakeGateway(self)
        first.status = STATUS
        self.start(first)
        self.assertEqual(self.pushed(first, 3), "tpp")
        first.server.shutdown()
        first.server.server_close()
        first.answer = "nothing"  # on the connection that is kept
        self.driver.tells("rejected", "refused")
        second = FakeGateway(self, port=first.port)
        second.wait_requests(5)
        self.assertEqual(types(second.requests[:5]), "ttttt")

    def test_a_conflict_is_no_refusal_of_protobuf(self):
        real = Pushgateway(self)
        relay = Relay(self, real)
        driver = self.start(relay)
        self.pushed(relay, 3)
        name = b"rpc_server_call_duration_seconds"
        real.send("PUT", "/metrics/job/other", b"# TYPE %b counter\n%b 1\n" % (name, name))
        driver.mix(1)
        driver.tells(" rejected (")
        before = len(relay.requests)
        relay.wait_requests(before + 3)
        real.send("DELETE", "/metrics/job/other")
        harness.wait_for("protobuf", lambda: types(relay.requests).endswith("ppp"), seconds=20)
        self.assertEqual(driver.log(GIVEN_UP), [])
        driver.feed(4)
        real.wait_has(6)

    def test_native_histograms_need_no_permission(self):
        fake = FakeGateway(self)
        self.start(fake, "--histograms", "both")
        self.assertEqual(self.pushed(fake, 3), "ppp")
        self.assertEqual(fake.asked, [])


class Victoria(harness.Case):
    """VictoriaMetrics, which takes pushes as a Pushgateway does."""

    def setUp(self):
        super().setUp()
        self.database = VictoriaMetrics(self, port=harness.free_port())
        self.base = "/api/v1/import/prometheus"

    def counts(self, job):
        query = f'{COUNT}{{http_route="/ok",job="{job}"}}'
        return [value for _, value in self.database.query(query)]

    def test_it_keeps_nothing_of_protobuf_without_a_word(self):
        """Why the gateway is asked what it is."""
        driver = Driver(self, "--listen", "127.0.0.1:0")
        driver.feed(3)
        for job, accept in ("protobuf", PROTOBUF), ("text", None):
            kind, body = page(driver.port, accept)
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.database.port}{self.base}/metrics/job/{job}",
                data=body, method="PUT", headers={"Content-Type": kind})
            with urllib.request.urlopen(request, timeout=5) as answer:
                self.assertIn(answer.status, (200, 204))
        harness.wait_for("the text", lambda: self.counts("text") == [3], seconds=20)
        self.assertEqual(self.counts("protobuf"), [])

    def test_it_gets_text(self):
        url = f"http://127.0.0.1:{self.database.port}{self.base}"
        driver = Driver(self, "--interval-ms", "200", push=url)
        for count in (2, 5):
            driver.feed(count - driver.fed)
            harness.wait_for(f"{count} requests", lambda n=count: self.counts("shop") == [n],
                             seconds=20)
            driver.tells("accepted")
        self.assertEqual(driver.log(GIVEN_UP), [])


if __name__ == "__main__":
    harness.main()
