#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
What both programs print of their tables of options for others to read: manual pages, checked by
man-db and groff, and completions, asked by the shells themselves.
"""
import os
import pty
import re
import select
import unittest

import harness

WEBHOOK = harness.ROOT / "build" / "sidelight-webhook"
PROGRAMS = {"sidelight": harness.BINARY, "sidelight-webhook": WEBHOOK}


def commands_of(program):
    text = harness.run([program, "help"]).stdout
    block = text[text.index("\nCommands\n") + 10 : text.index("\n\nUsage")]
    return re.findall(r"^  (\S+)", block, re.M)


def flags_of(program, *command):
    """Of all commands without one; `help help` is the page of all, and not asked for."""
    return set(re.findall(r"^  (--[a-z-]+)", harness.run([program, "help", *command]).stdout, re.M))


def pages_of(program):
    return [command for command in commands_of(program) if command != "help"]


class Manual(harness.Case):
    def page(self, name):
        path = self.scratch(f"{name}.1")
        path.write_text(harness.run([PROGRAMS[name], "man"]).stdout)
        return path

    def test_pages(self):
        harness.need("man", "groff")
        for name, program in PROGRAMS.items():
            page = self.page(name)
            environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
            done = harness.run(["man", "--warnings", "-l", page], env=environment)
            self.assertEqual(done.stderr, "")
            strict = harness.run(["groff", "-man", "-Tutf8", "-ww", "-z", page])
            self.assertEqual(strict.stderr, "")
            text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
            self.assertIn(name, text.split("NAME")[1].splitlines()[1])
            for word in [*commands_of(program), *flags_of(program)]:
                self.assertRegex(text, rf"(?m)^ +({name} )?{word}\b")
            for variable in re.findall(r"SIDELIGHT_[A-Z_]+", harness.run([program, "help"]).stdout):
                self.assertIn(variable.rstrip("_"), text)


class Bash(harness.Case):
    def complete(self, *words, program="sidelight"):
        script = """
            eval "$("$1" completion bash)"; shift
            complete -p "$1" >/dev/null || exit 1
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            "$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        argv = ["bash", "--norc", "-c", script, "bash", PROGRAMS[program], program, *words]
        done = harness.run(argv, cwd=self.dir)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_commands(self):
        for name, program in PROGRAMS.items():
            self.assertEqual(self.complete("", program=name), commands_of(program))
            for command in pages_of(program):
                flags = {w for w in self.complete(command, "--", program=name)} - {"--help"}
                self.assertEqual(flags, flags_of(program, command), command)
        self.assertEqual(self.complete("rep"), ["replay"])

    def test_values(self):
        (self.dir / "a.pcap").touch()
        (self.dir / "b.key").touch()
        for words, want in (
            (("export", "--format", "x"), ["xlsx"]),
            (("export", "--format", "=", "x"), ["xlsx"]),
            (("export", "--format", "="), ["table", "ndjson", "json", "csv", "xlsx", "har"]),
            (("replay", "--keylog", "b"), ["b.key"]),
            (("replay", "a"), ["a.pcap"]),
            (("replay", "--sid"), ["--side"]),
            (("trace", "--last", ""), []),
            (("help", "ex"), ["export"]),
            (("completion", "f"), ["fish"]),
            (("run", "--", "x", "--fo"), []),
            (("nonsense", "--fo"), []),
        ):
            self.assertEqual(self.complete(*words), want, words)

    def test_in_a_shell(self):
        """Readline's own way: a key is pressed, and the line grows."""
        typed = interact(
            ["bash", "--norc", "--noprofile", "-i"],
            f'PS1="> "; PATH={harness.BINARY.parent}:$PATH; '
            'eval "$(sidelight completion bash)"; echo rea""dy\n',
            "sidelight exp\t--form\txl\t\n",
        )
        self.assertIn("sidelight: --format xlsx is not for terminals", typed)


def interact(argv, setup, keys):
    """What a shell on a terminal shows after it was set up and these keys were pressed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", HOME="/nonexistent", LC_ALL="C.UTF-8")
        os.execvp(argv[0], argv)
    shown = ""

    def read_until(done):
        nonlocal shown
        while not done():
            if not select.select([fd], [], [], 15)[0]:
                raise AssertionError(f"nothing more is shown after {shown!r}")
            shown += os.read(fd, 65536).decode(errors="replace")

    try:
        os.write(fd, setup.encode())
        read_until(lambda: "ready\r\n" in shown)
        read_until(lambda: shown.rsplit("ready\r\n", 1)[1].strip())
        shown = ""
        for part in re.split(r"(?<=\t)", keys):
            before = len(shown)
            os.write(fd, part.encode())
            read_until(lambda: len(shown) > before)
            # A program that completes takes its time: the line shows when it has.
            word = {"sidelight exp\t": "export ", "--form\t": "--format"}.get(part)
            if word:
                read_until(lambda: word in shown)
        read_until(lambda: "sidelight: " in shown and shown.endswith("\n") or "> " in shown[-4:])
        return shown
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


class Zsh(harness.Case):
    def test_in_a_shell(self):
        harness.need("zsh")
        setup = (
            "PS1='> '; unsetopt zle_bracketed_paste; "
            f"PATH={harness.BINARY.parent}:$PATH; "
            "autoload -Uz compinit; compinit -u -D; "
            'eval "$(sidelight completion zsh)"; echo rea""dy\n'
        )
        typed = interact(["zsh", "-f", "-i"], setup, "sidelight exp\t--form\txl\t\n")
        self.assertIn("sidelight: --format xlsx is not for terminals", typed)

    def test_syntax(self):
        harness.need("zsh")
        for name, program in PROGRAMS.items():
            script = self.scratch(f"_{name}")
            script.write_text(harness.run([program, "completion", "zsh"]).stdout)
            harness.run(["zsh", "-f", "-n", script])
            for command in commands_of(program):
                self.assertIn(f"\t{command})\n", script.read_text())


class Fish(harness.Case):
    def complete(self, line, program="sidelight"):
        script = f"{PROGRAMS[program]} completion fish | source; complete -C {line!r}"
        done = harness.run(
            ["fish", "--no-config", "-c", script],
            env={**os.environ, "HOME": str(self.dir)},
            cwd=self.dir,
        )
        self.assertEqual(done.stderr, "")
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    def test_completions(self):
        harness.need("fish")
        (self.dir / "a.pcap").touch()
        for name, program in PROGRAMS.items():
            self.assertEqual(sorted(self.complete(f"{name} ", name)), sorted(commands_of(program)))
            for command in pages_of(program):
                flags = set(self.complete(f"{name} {command} --", name))
                self.assertEqual(flags, flags_of(program, command), command)
        self.assertEqual(self.complete("sidelight export --format x"), ["xlsx"])
        self.assertIn("a.pcap", self.complete("sidelight replay a"))
        self.assertEqual(self.complete("sidelight trace --last "), [])


class Generated(unittest.TestCase):
    def test_the_program_for_kubectl(self):
        """kustomize/kubectl_complete-sidelight is what the program prints: make completion."""
        made = harness.run([harness.BINARY, "completion", "kubectl"]).stdout
        path = harness.ROOT / "kustomize" / "kubectl_complete-sidelight"
        self.assertEqual(made, path.read_text())
        self.assertTrue(os.access(path, os.X_OK))

    def test_bad_use(self):
        for program in PROGRAMS.values():
            for args, words in (
                (("completion",), "for which shell?"),
                (("completion", "tcsh"), 'unexpected argument "tcsh"'),
                (("man", "x"), 'unexpected argument "x"'),
            ):
                done = harness.run([program, *args], check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    harness.main()
