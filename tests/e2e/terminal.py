# SPDX-License-Identifier: Apache-2.0
"""
A terminal with a shell in it, by tmux: keys go in, the screen comes out.
"""
import os
import shlex

import harness


class Terminal:
    def __init__(self, case, width=110, height=24, env=None):
        harness.need("tmux")
        self.case = case
        self.socket = case.dir / f"tmux-{harness.next_number()}"
        self.tmux("-f/dev/null", "new-session", "-d", "-x", width, "-y", height,
                  "env", "PS1=$ ", "ENV=", *[f"{k}={v}" for k, v in (env or {}).items()], "sh", "-i")
        case.own(self)
        self.wait("$")
        self.settings = self.stty()

    def tmux(self, *args):
        argv = ["tmux", "-S", self.socket, *args]
        env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        return harness.run(argv, env={**env, "LC_ALL": "C.UTF-8"}).stdout

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.keys("Enter")

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def lines(self):
        return [line.rstrip() for line in self.screen().splitlines()]

    def wait(self, *parts, seconds=15):
        """The screen, once it has all of these."""
        latest = []

        def event():
            latest[:] = [self.screen()]
            return all(part in latest[0] for part in parts)

        try:
            harness.wait_for("the screen", event, seconds, pause=0.05)
        except AssertionError:
            self.case.fail(f"{parts} are not on the screen:\n{latest[0]}")
        return latest[0]

    def wait_until(self, what, check, seconds=15):
        """The lines of the screen, once check() is true of them."""
        latest = []

        def event():
            latest[:] = [self.lines()]
            return check(latest[0])

        try:
            harness.wait_for(what, event, seconds, pause=0.05)
        except AssertionError:
            self.case.fail(f"in vain for {what}:\n" + "\n".join(latest[0]))
        return latest[0]

    def resize(self, width, height=24):
        self.tmux("resize-window", "-x", width, "-y", height)

    def stty(self):
        """What the shell says of its terminal."""
        path = self.case.scratch("stty")
        self.type(f"stty -g > {shlex.quote(str(path))}.new; mv {path}.new {path}")
        harness.wait_for("stty", path.exists)
        return path.read_text()

    def is_whole_screen(self):
        """A program has the alternate screen."""
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def child(self):
        """The pid of the program that the shell has started."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        with open(f"/proc/{shell}/task/{shell}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def assert_restored(self):
        harness.wait_for("the shell's screen", lambda: not self.is_whole_screen())
        self.case.assertEqual(self.stty(), self.settings)

    def close(self):
        harness.run(["tmux", "-S", self.socket, "kill-server"], check=False)  # it may be over
