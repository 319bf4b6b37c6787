#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second BPF object, loaded while the first one works, uses maps of the first one."""
import os
import pathlib

import harness
from rings import Ring


class SharedMaps(harness.Case):
    def test_second_object(self):
        harness.need("clang")
        program = self.scratch("shared.o")
        harness.run(["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3",
                     f"-I{harness.ROOT / 'bpf'}", f"-I/usr/include/{os.uname().machine}-linux-gnu",
                     "-c", pathlib.Path(__file__).with_name("shared.bpf.c"), "-o", program])
        ring = Ring(self, self.cgroup().path)
        ring.tell(f"share {program}")
        ring.read_until("the second object's records", lambda: len(ring.taken) == 2)
        # The queue is that of the first object; the array, and with it the count, its own.
        self.assertEqual(ring.shared, 1)
        self.assertEqual(ring.taken, [0x5EC0D, 0x5EC0E])
        # It is an object of its own that is gone now; the first one works on.
        ring.tell(f"share {program}")
        ring.read_until("records of a third object", lambda: len(ring.taken) == 4)
        self.assertEqual(ring.taken[2:], [0x5EC0D, 0x5EC0E])


if __name__ == "__main__":
    harness.main()
