#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What a test inherits from whoever starts it is always the same: signals that are
not ignored and not blocked (nohup, cron and `trap` change that), umask 022, no
terminal, the locale C.UTF-8, and no variable that sidelight reads.

    tests/neutral.py COMMAND ARGUMENT...
"""
import os
import re
import signal
import sys

# It names a program for the tests, and is not read by sidelight.
OURS = {"SIDELIGHT_WEBHOOK"}
FOREIGN = re.compile(r"SIDELIGHT_|OTEL_|LC_|LANG$|LANGUAGE$|TERM$|COLUMNS$|LINES$|POSIXLY_CORRECT$")


def reset():
    """For this process, and for all that it starts from now on."""
    for number in signal.valid_signals():
        # Python ignores SIGPIPE and SIGXFSZ for itself, and gives its children the default.
        if signal.getsignal(number) == signal.SIG_IGN and number not in (
                signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    for name in list(os.environ):
        if FOREIGN.match(name) and name not in OURS:
            del os.environ[name]
    os.environ.update(LC_ALL="C.UTF-8", TERM="dumb")


if __name__ == "__main__":
    reset()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
