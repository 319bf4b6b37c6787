# SPDX-License-Identifier: Apache-2.0
"""
Headless Chromium, driven by its DevTools protocol over two pipes: no library, no port.
"""
import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import time

import harness

# CI's machines may be much slower than this one.
SECONDS = 30


class Browser:
    """One with a profile of its own, for a case: nothing is shared with another one."""

    def __init__(self, case):
        harness.need("chromium")
        profile = case.scratch("profile")
        to_read, self.to = os.pipe()
        self.of, to_write = os.pipe()
        argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
                "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
                f"--user-data-dir={profile}", "about:blank"]
        # Descriptors 3 and 4 are where Chromium reads and writes.
        enter = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        with open(case.scratch("chromium.out"), "wb") as out:
            self.process = subprocess.Popen(
                ["bash", "-c", enter, "bash", *argv], pass_fds=(to_read, to_write), stdout=out,
                stderr=out, stdin=subprocess.DEVNULL, process_group=0)
        os.close(to_read)
        os.close(to_write)
        case.own(self)
        self.data = b""
        self.number = 0
        self.events = []

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.of)

    def _message(self, deadline):
        while b"\0" not in self.data:
            if not select.select([self.of], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"Chromium has not answered in {SECONDS} s")
            piece = os.read(self.of, 1 << 20)
            if not piece:
                raise AssertionError("Chromium has ended")
            self.data += piece
        message, self.data = self.data.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            message = self._message(deadline)
            if message.get("id") != self.number:
                self.events.append(message)
                continue
            if "error" in message:
                raise AssertionError(f"{method}: {message['error']['message']}")
            return message["result"]

    def page(self):
        return Page(self)


class Page:
    def __init__(self, browser):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def open(self, url):
        """Its status, when it has loaded."""
        self.call("Page.navigate", url=url)
        loader = lambda: self.value("document.readyState") == "complete" and \
            self.value("location.href") != "about:blank"
        harness.wait_for(f"{url} to load", loader, SECONDS)
        return self.value("performance.getEntriesByType('navigation')[0].responseStatus")

    def value(self, expression):
        """Of JavaScript, which may be a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression, seconds=SECONDS):
        """Until it is true; an element is."""
        is_true = f"Boolean({expression})"
        try:
            harness.wait_for(expression, lambda: self.value(is_true), seconds, pause=0.05)
        except AssertionError as error:
            shown = self.value("document.body.innerText.slice(0, 300)")
            raise AssertionError(f"{error}; {self.complaints()}; {shown}") from None

    def press(self, key, text=None):
        for kind in ("keyDown", "keyUp"):
            more = {"text": text or key} if kind == "keyDown" and len(text or key) == 1 else {}
            if key == "Enter" and kind == "keyDown":
                more = {"text": "\r"}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def show(self, width, height=900, scheme="light"):
        """As a screen of that size, of a person who likes the scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self):
        """What its console says of errors, policies that it broke included."""
        self.value("0")  # events that came before
        found = []
        for event in self.browser.events:
            params = event.get("params", {})
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(params["entry"]["text"])
        return found

    def urls(self):
        """All that it has asked for."""
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("sessionId") == self.session
                and event["method"] == "Network.requestWillBeSent"]
