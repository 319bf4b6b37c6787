#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
test_threads.py in a PID namespace below the machine's own, as that of a Pod: numbers are those that
the Pod has.
"""
# tests/run: shares the machine
import harness
import world

if __name__ == "__main__":
    world.enter()
    from test_threads import Cases

    harness.main()
