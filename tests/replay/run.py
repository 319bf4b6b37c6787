#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Replays the crafted captures and compares what comes out.

    run.py [--sidelight build/sidelight] [--update] [--keep DIR] [NAME ...]

Each case is checked four times: against its hand-written `want`, against its
golden file (whole output: times, routes, summary), against what --metrics counts
(the engine as `run` has it: targets are not kept, heads are remembered), and, with all
segments cut into single bytes, against itself: only times may differ. --update writes the
golden files of the cases whose `want` holds.
"""
import argparse
import collections
import http
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import cases_capture  # noqa: E402,F401  (fills the table)
import cases_file  # noqa: E402,F401
import cases_garbage  # noqa: E402,F401
import cases_headers  # noqa: E402,F401
import cases_http  # noqa: E402,F401
import cases_http2  # noqa: E402,F401
import cases_mptcp  # noqa: E402,F401
import cases_proxy  # noqa: E402,F401
import cases_tcp  # noqa: E402,F401
import cases_tls  # noqa: E402,F401
from cases import CASES  # noqa: E402
from craft import Capture  # noqa: E402

DEADLINE_S = 20
COUNT = re.compile(r"(http|rpc)_(server|client)_\w+_duration_seconds_count\{(.*)\} (\d+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
# IANA reserves 306, which Python does not list. All others that have a label have it first come.
REGISTERED = {*map(int, http.HTTPStatus), 306}
OTHER_STATUSES = 16
OVERFLOWED = re.compile(r"^sidelight_statuses_overflowed_total (\d+)$", re.M)
TIMES = ("time", "duration_ns", "first_byte_ns")


class Failure(Exception):
    pass


def replay(options, case, path, *more):
    args = [options.sidelight, "replay", "--format", "ndjson", *more, *case.args, path]
    try:
        done = subprocess.run(args, capture_output=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise Failure("no end within %d s" % DEADLINE_S) from None
    errors = done.stderr.decode()
    status = lost_status(errors) if case.status is None else case.status
    if done.returncode != status:
        raise Failure("exit status %d instead of %d: %s" % (done.returncode, status, errors))
    return done.stdout.decode(), errors.replace(path, "FILE")


def lost_status(errors):
    """1 if something is lost: but bytes alone may be inside of bodies."""
    lost = re.search("; lost: (.*)", errors)
    return int(bool(lost and re.search(r"(^|, )\d+ (?!bytes )", lost[1])))


def short(t):
    messages = "%s:%s" % (t["request_messages"], t["response_messages"])
    words = [t["method"], t["target"] or "-", t["status"] or "-", t["rpc_status"],
             t["rpc_status"] and messages, t["error"],
             "%d/%d" % (t["request_bytes"], t["response_bytes"]), "probe" if t["probe"] else ""]
    return " ".join(str(word) for word in words if word)


def differ(what, got, want):
    raise Failure("%s\n      got:  %s\n      want: %s" %
                  (what, "\n            ".join(got), "\n            ".join(want)))


def check_times(transactions, within_ms=None):
    for t in transactions:
        if within_ms and not within_ms[0] <= t["duration_ns"] / 1e6 <= within_ms[1]:
            raise Failure("a duration out of bounds: %s" % t)
        first = t["first_byte_ns"]
        if t["duration_ns"] < 0 or (first is not None and not 0 <= first <= t["duration_ns"]):
            raise Failure("times contradict each other: %s" % t)


def check_counts(wants, transactions):
    found = collections.Counter(t["rpc_status"] if t["rpc_status"] else short(t)
                                for t in transactions)
    if found != wants:
        differ("counts", map(str, sorted(found.items())), map(str, sorted(wants.items())))


def status_labels(transactions):
    """What the label for the status of each transaction is."""
    others = collections.defaultdict(list)
    for t in transactions:
        status = t["rpc_status"] or str(t["status"] or "")
        seen = others[t["role"], bool(t["rpc_status"])]
        is_registered = not status.isdigit() or not t["rpc_status"] and int(status) in REGISTERED
        if not is_registered and status not in seen:
            if len(seen) == OTHER_STATUSES:
                yield "_OTHER"
                continue
            seen.append(status)
        yield status


def check_metrics(case, options, path, transactions):
    """The same requests are counted when no sink needs their targets."""
    labels = list(status_labels(transactions))
    listed = collections.Counter((t["role"], t["route"], label)
                                 for t, label in zip(transactions, labels) if not t["probe"])
    counted = collections.Counter()
    output = replay(options, case, path, "--metrics")[0]
    for kind, role, labels_text, count in map(
            re.Match.groups, filter(None, map(COUNT.match, output.splitlines()))):
        have = dict(LABEL.findall(labels_text))
        route, result = (("rpc_method", "rpc_status_code") if kind == "rpc"
                         else ("http_route", "http_response_status_code"))
        counted[role, have.get(route), have.get(result, "")] += int(count)
        if "error_type" in have and have["error_type"].isdigit() and \
                have["error_type"] != have.get(result):
            raise Failure("error_type is another status: " + labels_text)
    if counted != listed:
        differ("--metrics", map(str, sorted(counted.items())), map(str, sorted(listed.items())))
    overflowed = OVERFLOWED.findall(output)
    want = [str(labels.count("_OTHER"))] if output else []  # none: it is no capture
    if overflowed != want:
        differ("statuses that are _OTHER", overflowed, want)


def build(case, path, recut=0):
    capture = Capture(recut=recut)
    case.build(capture)
    capture.write(path)


def run(case, options, folder):
    path = os.path.join(folder, case.name + ".pcap")
    build(case, path)
    output, errors = replay(options, case, path)
    for text in case.says:
        if text not in errors:
            differ("standard error", [errors], [text])
    if case.stdout:
        if not case.stdout.fullmatch(output):
            differ("standard output", [output], [case.stdout.pattern])
        return
    transactions = [json.loads(line) for line in output.splitlines()]
    if case.wants:
        check_counts(case.wants, transactions)
    elif [short(t) for t in transactions] != case.want:
        differ("transactions (%s)" % errors.strip(), map(short, transactions), case.want)
    check_times(transactions, case.within_ms)
    check_metrics(case, options, path, transactions)
    golden(case, options, output + json.dumps({"stderr": errors.splitlines()}) + "\n")
    if case.recut:
        path = os.path.join(folder, case.name + ".cut.pcap")
        build(case, path, case.recut)
        again = [json.loads(line) for line in replay(options, case, path)[0].splitlines()]
        check_times(again)
        timeless = [[dict(t, **dict.fromkeys(TIMES)) for t in ts] for ts in (transactions, again)]
        if timeless[0] != timeless[1]:
            differ("cut into single bytes", map(short, again), map(short, transactions))


def golden(case, options, text):
    path = os.path.join(HERE, "golden", case.name + ".ndjson")
    if options.update:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    if not os.path.exists(path):
        raise Failure("no golden file: check the case, then run with --update")
    with open(path, encoding="utf-8") as file:
        want = file.read()
    if text != want:
        differ("golden file", text.splitlines(), want.splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sidelight", default="build/sidelight")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--keep", metavar="DIR", help="write the capture files there")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    failed = 0
    chosen = [case for case in CASES if not options.names or case.name in options.names]
    unknown = set(options.names) - {case.name for case in CASES}
    if unknown:
        parser.error("no such case: " + " ".join(sorted(unknown)))
    with tempfile.TemporaryDirectory() as folder:
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
        for case in chosen:
            try:
                run(case, options, options.keep or folder)
                print("ok   replay %s" % case.name)
            except Failure as failure:
                failed += 1
                print("FAIL replay %s: %s\n     %s" % (case.name, case.why, failure))
    if not options.names:
        stale = set(os.listdir(os.path.join(HERE, "golden"))) - {c.name + ".ndjson" for c in CASES}
        for name in sorted(stale):
            failed += 1
            print("FAIL replay golden/%s belongs to no case" % name)
    print("replay: %d passed, %d failed" % (len(chosen) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
