#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
Pushes to a real Pushgateway, to gateways that misbehave, and through to a
real Prometheus.
"""
import gzip
import signal
import ssl
import time

import clients
import gateway
import harness
import servers
from gateway import COUNT, Certificates, Driver, FakeGateway, Prometheus, Pushgateway
from observer import Sidelight, http_get


def setUpModule():
    gateway.build_driver()


# Of "s3cret", by bcrypt with the least work.
SECRET_HASH = "$2b$04$gh09oZGPkZTQjOGPVFYbEu6nGmrOP7LLbTpeSJgIgNCc5gBtIJmlq"


class Group(harness.Case):
    """What stands in the gateway."""

    def test_put_replaces_the_group(self):
        real = Pushgateway(self)
        driver = Driver(self, push=real.url, group=["job=shop", "namespace=prod", "pod=web-1"])
        driver.feed(3)
        real.wait_has(3, job="shop", namespace="prod", pod="web-1", container="app")
        path = "/metrics/job/shop/namespace/prod/pod/web-1"
        real.send("PUT", path, b"stale_metric 1\n")
        driver.feed(2)
        real.wait_has(5, job="shop", namespace="prod", pod="web-1")
        self.assertNotIn("stale_metric", real.metrics().text)

    def test_common_labels_without_those_of_the_group(self):
        fake = FakeGateway(self)
        driver = Driver(
            self, "--label", "namespace=prod", "--label", "node=n1", "--label", "workload=",
            push=fake.url + "/prefix/", group=["job=shop", "namespace=prod"],
        )
        driver.feed(1)
        fake.wait_requests(3)
        method, path, headers, text = fake.requests[-1]
        self.assertEqual((method, path), ("PUT", "/prefix/metrics/job/shop/namespace/prod"))
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertIsNone(headers["Expect"])
        self.assertIn('node="n1"', text)
        self.assertNotIn("namespace=", text)
        self.assertNotIn("workload=", text)

    def test_values_that_a_path_cannot_carry(self):
        real = Pushgateway(self)
        driver = Driver(
            self, push=real.url,
            group=["job=a b", "namespace=", "pod=a/b%2F..", "node=..", "zone=größe"],
        )
        driver.feed(1)
        wanted = {
            "job": "a b", "namespace": "", "pod": "a/b%2F..", "node": "..", "zone": "größe"
        }
        real.wait_has(1)
        self.assertEqual(real.groups(), [wanted])
        driver.process.stop()
        real.assert_groups([])

    def test_prometheus_answers_red_queries(self):
        real = Pushgateway(self)
        prometheus = Prometheus(self, real.port, honors_labels=True)
        driver = Driver(self, push=real.url, group=["job=shop", "namespace=prod", "pod=web-1"])
        driver.feed(1)
        selector = '{job="shop",namespace="prod",pod="web-1",container="app"}'
        harness.wait_for(
            "a first scrape", lambda: prometheus.query(f"{COUNT}{selector}"), seconds=20
        )

        def rate():
            driver.feed(10)
            query = f"sum by (http_route) (rate({COUNT}{selector}[10s]))"
            found = {m["http_route"]: v for m, v in prometheus.query(query)}
            return found if len(found) == 3 and min(found.values()) > 0 else None

        rates = harness.wait_for("a rate by route", rate, seconds=30, pause=0.3)
        self.assertEqual(set(rates), {"/ok", "/slow/{id}", "/fail"})
        self.assertEqual(len(set(rates.values())), 1)  # each was fed the same
        errors = prometheus.query(
            f'sum(rate({COUNT}{{error_type!="",job="shop"}}[10s]))'
            f' / sum(rate({COUNT}{{job="shop"}}[10s]))'
        )
        self.assertAlmostEqual(errors[0][1], 1 / 3, places=3)
        bucket = COUNT.replace("_count", "_bucket")
        quantiles = prometheus.query(
            f"histogram_quantile(0.5, sum by (le, http_route) (rate({bucket}{selector}[10s])))"
        )
        found = {m["http_route"]: v for m, v in quantiles}
        for route, low, high in (
            ("/ok", 0.001, 0.0025), ("/fail", 0.01, 0.025), ("/slow/{id}", 0.25, 0.5)
        ):
            self.assertTrue(low < found[route] <= high, f"{route}: {found[route]}")

    def test_type_conflict_with_another_group(self):
        real = Pushgateway(self)
        real.send(
            "PUT", "/metrics/job/other", b"# TYPE sidelight_series counter\nsidelight_series 1\n"
        )
        driver = Driver(self, push=real.url)
        driver.feed(4)
        driver.tells(" rejected (")
        real.send("DELETE", "/metrics/job/other")
        real.wait_has(4, seconds=20)
        driver.tells("job/shop accepted")
        self.assertEqual(len(driver.log("rejected")), 1)


class Host(harness.Case):
    """Several of one host, outside of a Pod."""

    def test_each_target_has_a_group(self):
        real = Pushgateway(self)
        push = ["--push", real.url, "--push-interval", "0.2"]
        web = [servers.Nginx(self), servers.Nginx(self)]
        pid = web[1].process.pid
        watch = [["--cgroup", str(web[0].cgroup.path)], ["--pid", str(pid)]]
        running = [Sidelight(self, *push, *words) for words in watch]
        for count, server in zip((5, 9), web):
            for _ in range(count):
                self.assertEqual(clients.get(server.port, "/hello"), 200)
        for count, target in (5, str(web[0].cgroup.path)), (9, f"pid-{pid}"):
            harness.wait_for(
                f"{count} requests in the group of {target}",
                lambda c=count, t=target: real.metrics().sum(COUNT, target=t) == c,
            )
        self.assertEqual(len(real.groups()), 2)
        for sidelight in running:
            sidelight.stop()
        real.assert_groups([])

    def test_both_ways_have_the_same_labels(self):
        """But instance, and export, which tells the copies apart."""
        pod = ["--pod=web-1", "--namespace=prod", "--node=n1", "--workload=web"]
        for where, flags in ("a host", []), ("a host, named", ["--job=shop"]), ("a Pod", pod):
            with self.subTest(where=where):
                real = Pushgateway(self)
                web = servers.Nginx(self)
                push = ["--push", real.url, "--push-interval", "0.2", *flags]
                sidelight = Sidelight(self, *push, cgroup=web.cgroup)
                self.assertEqual(clients.get(web.port, "/hello"), 200)
                harness.wait_for("the push", lambda g=real: g.metrics().sum(COUNT) == 1)
                sidelight.wait_counted(1)
                pushed = [have for have, count in real.metrics().each(COUNT) if count]
                scraped = [have for have, count in sidelight.scrape().each(COUNT) if count]
                self.assertEqual([have.pop("export") for have in scraped], ["scrape"])
                self.assertNotIn("export", pushed[0])
                self.assertEqual("instance" in pushed[0] and pushed[0]["instance"] != "",
                                 where != "a Pod")
                del pushed[0]["instance"]
                self.assertEqual(pushed, scraped)
                self.assertIn("job", scraped[0])

    def test_one_way_needs_no_label(self):
        web = servers.Nginx(self)
        sidelight = Sidelight(self, "--job=shop", cgroup=web.cgroup)
        self.assertEqual(clients.get(web.port, "/hello"), 200)
        sidelight.wait_counted(1)
        labels = [have for have, _ in sidelight.scrape().each(COUNT)]
        self.assertEqual(labels[0]["job"], "shop")
        self.assertNotIn("export", labels[0])


class Foreign(harness.Case):
    """Who else writes to our group."""

    LINE = "somebody else pushes to"
    CHECKS = "sidelight_push_group_checks_total"

    def checks(self, real, **labels):
        return {r: real.metrics().sum(self.CHECKS, result=r, **labels)
                for r in ("own", "foreign", "gone", "unread")}

    def test_nobody_else(self):
        real = Pushgateway(self)
        real.send("PUT", "/metrics/job/shop/pod/web-1", b"other 1\n")
        driver = Driver(self, "--interval-ms", "100", push=real.url)
        harness.wait_for("several checks", lambda: self.checks(real)["own"] >= 3)
        self.assertEqual({r for r, n in self.checks(real).items() if n}, {"own"})
        self.assertEqual(driver.log(self.LINE), [])

    def test_another_sidelight_in_the_same_group(self):
        real = Pushgateway(self)
        drivers = [Driver(self, push=real.url, group=["job=shop", "zone=größe"]) for _ in "ab"]
        for driver in drivers:
            driver.tells(self.LINE)
        harness.wait_for("another check", lambda: self.checks(real)["foreign"] >= 2)
        for driver in drivers:
            self.assertEqual(len(driver.log(self.LINE)), 1, driver.process.text())
            self.assertIn("job/shop/zone@base64/", driver.log(self.LINE)[0])

    def test_somebody_who_adds_or_deletes(self):
        for method, body, line in (
            ("POST", b"other 1\n", self.LINE), ("DELETE", None, " was gone before a push"),
        ):
            with self.subTest(method=method):
                real = Pushgateway(self)
                driver = Driver(self, "--interval-ms", "400", push=real.url)

                def write(send=real.send, how=(method, "/metrics/job/shop", body), word=line):
                    send(*how)
                    return driver.log(word)

                harness.wait_for("the line", write, 20, pause=0.05)
                self.assertEqual(len(driver.log(line)), 1)

    def test_gateways_that_do_not_tell(self):
        for why, page, words in (
            ("no page", None, "cannot be read (404"),
            ("no times", b"go_goroutines 7\n", "does not tell"),
            ("a page that is too long", gzip.compress(b"\n" * (20 << 20)), "does not tell"),
        ):
            with self.subTest(why=why):
                fake = FakeGateway(self)
                fake.page = page
                driver = Driver(self, "--interval-ms", "100", push=fake.url)
                driver.tells(words)
                fake.wait_requests(9)
                body = fake.bodies()[-1]
                self.assertEqual(body.sum(self.CHECKS, result="unread"), fake.reads)
                self.assertEqual(fake.reads, 2)  # after the pushes number 1 and 4
                self.assertEqual(len(driver.log("is not known")), 1)

    def test_a_page_that_hangs_holds_up_nothing(self):
        fake = FakeGateway(self)
        fake.page = "hang"
        driver = Driver(self, push=fake.url)
        fake.wait_requests(3)  # the interval ends the first reading, after the first push
        fake.released.set()
        driver.tells("is not known")
        last = FakeGateway(self)
        last.page = "hang"
        driver = Driver(self, "--interval-ms", "3600000", push=last.url)
        harness.wait_for("the reading", lambda: last.reads == 1)
        start = time.monotonic()
        driver.process.send(signal.SIGTERM)
        self.assertEqual(driver.process.wait(10), 0)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual([r[0] for r in last.requests], ["PUT", "PUT", "DELETE"])


class Exit(harness.Case):
    """The last push, and what is left behind."""

    def stop(self, driver, seconds=3.0):
        start = time.monotonic()
        driver.process.send(signal.SIGTERM)
        self.assertEqual(driver.process.wait(10), 0, driver.process.text())
        self.assertLess(time.monotonic() - start, seconds)

    def test_final_push_then_delete(self):
        fake = FakeGateway(self)
        driver = Driver(self, "--interval-ms", "3600000", push=fake.url)
        fake.wait_requests(1)  # the first push; the next regular one is an hour away
        driver.feed(7)
        self.stop(driver)
        self.assertEqual([r[0] for r in fake.requests], ["PUT", "PUT", "DELETE"])
        self.assertEqual(fake.bodies()[-1].sum(COUNT), 21)
        self.assertEqual(fake.requests[-1][1], "/metrics/job/shop")
        self.assertEqual(fake.requests[-1][3], "")

    def test_delete_leaves_nothing(self):
        real = Pushgateway(self)
        driver = Driver(self, push=real.url)
        driver.feed(1)
        real.wait_has(1)
        self.stop(driver)
        real.assert_groups([])

    def test_keep_leaves_the_last_state(self):
        real = Pushgateway(self)
        driver = Driver(self, "--keep", "--interval-ms", "3600000", push=real.url)
        driver.feed(9)
        self.stop(driver)
        self.assertTrue(real.has(9))
        self.assertEqual(real.groups(), [{"job": "shop"}])

    def test_gateway_hangs(self):
        for keep in ((), ("--keep",)):
            with self.subTest(keep=keep):
                fake = FakeGateway(self, answer="hang")
                driver = Driver(self, *keep, push=fake.url)
                fake.wait_requests(1)
                self.stop(driver)
                fake.released.set()
                methods = [r[0] for r in fake.requests]
                self.assertEqual(methods, ["PUT", "PUT"] + ([] if keep else ["DELETE"]))

    def test_gateway_is_gone(self):
        driver = Driver(self, push=f"http://127.0.0.1:{harness.free_port()}")
        driver.tells("refused (connection refused)")
        self.stop(driver, seconds=2.0)
        self.assertEqual(len(driver.log("DELETE")), 1)

    def test_stop_waits_for_the_push_under_way(self):
        fake = FakeGateway(self, delay=0.3)
        driver = Driver(self, "--interval-ms", "3600000", push=fake.url)
        fake.wait_requests(1)
        driver.feed(1)
        self.stop(driver)
        self.assertEqual([r[0] for r in fake.requests], ["PUT", "PUT", "DELETE"])
        self.assertEqual(fake.most_open, 1)

    def test_delete_follows_a_failed_push(self):
        # A push that fails creates the group all the same.
        fake = FakeGateway(self, answer=lambda r: 400 if r[0] == "PUT" else 202)
        driver = Driver(self, push=fake.url)
        driver.tells("rejected")
        self.stop(driver)
        self.assertEqual(fake.requests[-1][0], "DELETE")


class Trouble(harness.Case):
    """Gateways that are not there, slow, or of another opinion."""

    def test_counters_survive_an_outage(self):
        port = harness.free_port()
        driver = Driver(self, push=f"http://127.0.0.1:{port}")
        driver.tells("refused (connection refused), next try in ")
        driver.feed(5)
        real = Pushgateway(self, port)
        real.wait_has(5, seconds=20)
        driver.tells("accepted")
        real.process.stop()
        driver.feed(6)
        harness.wait_for("the second outage", lambda: len(driver.log("refused")) == 2)
        Pushgateway(self, port).wait_has(11, seconds=20)
        driver.tells("accepted")
        self.assertEqual(len(driver.log("refused")), 2)  # once per change, not per try

    def test_back_off_grows(self):
        fake = FakeGateway(self, answer=503)
        times = []
        fake.answer = lambda _: times.append(time.monotonic()) or 503
        driver = Driver(self, "--interval-ms", "100", push=fake.url)
        fake.wait_requests(6)
        # 100 ms doubles each time and jitter takes away half at most: 1.55 s, where five intervals
        # are 0.5 s. The rest is for a first request that arrives late.
        self.assertGreater(times[5] - times[0], 1.2, times)
        self.assertEqual(len(driver.log("failed (503: first line), next try in")), 1)

    def test_answers_that_are_no(self):
        for answer, result, line in (
            (400, "rejected", "rejected (400: first line), next try in"),
            (500, "failed", "failed (500: first line), next try in"),
            (301, "redirected", "redirected (301 to http://127.0.0.1:"),
            ("nothing", "rejected", "rejected (empty reply), next try in"),
        ):
            with self.subTest(answer=answer):
                fake = FakeGateway(self, answer=answer)
                driver = Driver(self, push=fake.url)
                driver.feed(2)
                fake.wait_requests(3)
                self.assertEqual(len(driver.log(line)), 1, driver.process.text())
                self.assertEqual(len(driver.log()), 1)
                fake.answer = 200
                driver.tells("job/shop accepted")
                self.assertTrue(all(path == "/metrics/job/shop" for _, path, _, _ in fake.requests))
                failures = len(fake.requests) - 1
                fake.wait_requests(failures + 2)
                last = fake.bodies()[-1]
                self.assertEqual(last.sum(COUNT), 6)
                self.assertGreaterEqual(last.sum("sidelight_pushes_total", result=result), 3)
                self.assertGreaterEqual(last.sum("sidelight_pushes_total", result="ok"), 1)

    def test_slow_gateway_blocks_nothing(self):
        fake = FakeGateway(self, delay=1.0)
        driver = Driver(self, "--listen", "127.0.0.1:0", "--interval-ms", "100", push=fake.url)
        fake.wait_requests(1)
        start = time.monotonic()
        self.assertEqual(http_get(driver.port, "/healthz")[0], 200)
        driver.feed(1)
        self.assertLess(time.monotonic() - start, 0.9)  # before the gateway has answered
        fake.wait_requests(4)
        self.assertEqual(fake.most_open, 1)
        self.assertGreater(fake.bodies()[-1].sum("sidelight_pushes_skipped_total"), 3)

    def test_timeout(self):
        fake = FakeGateway(self, answer="hang")
        driver = Driver(self, "--timeout-ms", "300", push=fake.url)
        driver.tells(" timed out (")
        fake.answer = 200
        driver.tells("accepted")

    def test_gateway_without_gzip(self):
        fake = FakeGateway(self, answer=lambda r: 400 if r[2]["Content-Encoding"] else 200)
        driver = Driver(self, push=fake.url)
        driver.feed(1)
        driver.tells("accepted")
        self.assertNotIn("Content-Encoding", fake.requests[-1][2])

    def test_keep_alive(self):
        ports = set()
        fake = FakeGateway(self)
        handle = fake.handle
        fake.handle = lambda handler: (ports.add(handler.client_address[1]), handle(handler))
        Driver(self, "--interval-ms", "100", push=fake.url)
        fake.wait_requests(5)
        self.assertEqual(len(ports), 1)

    def test_addresses_that_are_none(self):
        for url, line in (
            ("ftp://gw", "not an http:// or https:// URL"),
            ("http://", "not an http:// or https:// URL"),
            ("http://gw/?x=1", "a gateway's URL has no query and no fragment"),
            ("http://gw/#x", "a gateway's URL has no query and no fragment"),
        ):
            with self.subTest(url=url):
                done = harness.run(
                    [gateway.DRIVER, "--push", url, "--group", "job=x"], check=False
                )
                self.assertEqual((done.returncode, done.stderr), (2, f"--push: {line}\n"))

    def test_password_is_not_logged(self):
        fake = FakeGateway(self, answer=500)
        driver = Driver(self, push=fake.url.replace("://", "://joe:hidden@"))
        driver.tells("failed")
        self.assertNotIn("hidden", driver.process.text())
        self.assertTrue(fake.requests[0][2]["Authorization"].startswith("Basic "))


class Security(harness.Case):
    """TLS and credentials."""

    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)

    def test_real_gateway_with_tls_client_certificate_and_password(self):
        c = self.certificates
        config = self.dir / "web.yml"
        config.write_text(
            "tls_server_config:\n"
            f"  cert_file: {c['server.pem']}\n  key_file: {c['server.key']}\n"
            f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {c['ca.pem']}\n"
            f"basic_auth_users:\n  joe: {SECRET_HASH}\n"
        )
        user = self.dir / "user"
        user.write_text("joe:wrong\n")
        real = Pushgateway(self, None, f"--web.config.file={config}")
        url = f"https://localhost:{real.port}"
        client = ("--cert", c["client.pem"], "--key", c["client.key"])

        wrong_ca = Driver(self, "--ca", c["other-ca.pem"], *client, push=url)
        wrong_ca.tells("failed in TLS (")
        Driver(self, "--ca", c["ca.pem"], push=url).tells(" refused (", "failed in TLS (")
        driver = Driver(self, "--ca", c["ca.pem"], "--user-file", user, *client, push=url)
        driver.tells("rejected (401")
        user.write_text("joe:s3cret\n")
        driver.tells("job/shop accepted")

    def test_bearer_token_is_read_again(self):
        c = self.certificates
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(c["server.pem"], c["server.key"])
        context.load_verify_locations(c["ca.pem"])
        context.verify_mode = ssl.CERT_REQUIRED
        wanted = "Bearer one"
        fake = FakeGateway(
            self, lambda r: 200 if r[2]["Authorization"] == wanted else 403, context=context
        )
        token = self.dir / "token"
        driver = Driver(
            self, "--ca", c["ca.pem"], "--cert", c["client.pem"], "--key", c["client.key"],
            "--token-file", token, push=fake.url,
        )
        driver.tells(f"not tried (cannot use {token}: No such file or directory), next try in")
        token.write_text("one\n")
        driver.tells("accepted")
        wanted = "Bearer two"
        driver.tells("rejected (403")
        token.write_text("two\nX-Injected: yes\n")
        driver.tells("it must hold one line of text")
        token.write_text("two\n")
        harness.wait_for("the new token", lambda: len(driver.log("accepted")) == 2)
        self.assertTrue(all(r[2]["X-Injected"] is None for r in fake.requests))


if __name__ == "__main__":
    harness.main()
