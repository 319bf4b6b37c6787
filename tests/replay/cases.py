# SPDX-License-Identifier: Apache-2.0
"""
The table of cases: a function that fills a capture, why it exists, and what
must come out, written by hand: one text per transaction,

    METHOD TARGET STATUS [RPC_STATUS REQUESTS:RESPONSES] [ERROR] REQUEST_BYTES/RESPONSE_BYTES [probe]

Golden files hold the whole output beside that (times, addresses, routes), so
that nothing changes unseen; but `want` decides what is right.
"""

CASES = []


class Case:
    def __init__(self, build, why, want, args, says, status, recut, stdout, wants, within_ms):
        self.name, self.build, self.why, self.want = build.__name__, build, why, want
        self.args, self.says, self.status = args, says, status
        self.recut, self.stdout, self.wants = recut, stdout, wants
        self.within_ms = within_ms


def case(why, *want, args=(), says=(), status=None, recut=1, stdout=None, wants=None,
         within_ms=None):
    """
    says: texts that standard error must hold. status: of the exit; None: 1 if standard error
    says that something else than bytes is lost, else 0. within_ms: the bounds of each duration. recut=0: other segments would be
    another case. stdout: the exact output, where it is not NDJSON. wants: how
    many of which text, or of which RPC_STATUS, where there are many.
    """
    says = (says,) if isinstance(says, str) else says

    def add(build):
        assert all(other.name != build.__name__ for other in CASES)
        CASES.append(Case(build, why, list(want), list(args), says, status, recut, stdout,
                          wants, within_ms))
        return build
    return add
