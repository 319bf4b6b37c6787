# SPDX-License-Identifier: Apache-2.0
"""
The figures of a benchmark, each held against its budget, as a table.
"""
import math
import os
import platform
import statistics


class Row:
    """One figure: its samples, and the budget they are held against."""

    def __init__(self, name, unit, samples, budget=None, at_least=False, is_exact=False):
        self.name, self.unit, self.samples = name, unit, samples
        self.budget, self.at_least, self.is_exact = budget, at_least, is_exact

    def keeps(self, value):
        return value >= self.budget if self.at_least else value <= self.budget

    def interval(self):
        """
        Where the true median is, with 95 % certainty, by the order of the samples alone; of up to
        five samples their least and their most. Of exact figures always these.
        """
        ordered, count = sorted(self.samples), len(self.samples)
        cut = 0 if self.is_exact else max(0, math.floor(count / 2 - 0.98 * math.sqrt(count)))
        return ordered[cut], ordered[count - 1 - cut]

    def verdict(self):
        if self.budget is None:
            return ""
        if self.is_exact:
            return "ok" if all(map(self.keeps, self.samples)) else "BROKEN"
        if self.keeps(statistics.median(self.samples)):
            return "ok"
        return "noisy" if any(map(self.keeps, self.interval())) else "MISS"

    def cells(self):
        digits = {"ratio": 3, "us": 2, "MB": 2, "share": 5}.get(self.unit, 0)
        numbers = [f"{value:.{digits}f}"
                   for value in (statistics.median(self.samples), *self.interval())]
        sign = ">=" if self.at_least else "<="
        budget = "" if self.budget is None else f"{sign} {self.budget:g}"
        return [f"{self.name}, {self.unit}" if self.unit else self.name] + numbers + \
            [budget, self.verdict()]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    name = models[0] if models else platform.machine()
    return f"{len(models) or os.cpu_count()} CPUs ({name}), Linux {platform.release()}"


def is_broken(rows):
    return any(row.verdict() == "BROKEN" for row in rows)


def write(rows, pairs, markdown=None, what=None):
    """Prints the table. Appends it to the file `markdown` if it says what it is of, else begins it."""
    title = f"{what or machine()}; {pairs} pairs of runs"
    cells = [row.cells() for row in rows]
    print(f"{title}\n")
    for line in [["figure", "median", "from", "to", "budget", ""]] + cells:
        print(f"{line[0]:70}" + "".join(f"{c:>11}" for c in line[1:4]) +
              f"  {line[4]:9} {line[5]}".rstrip())
    if markdown:
        with open(markdown, "a" if what else "w", encoding="utf-8") as out:
            out.write(f"\n{title}.\n\n" if what else f"{title}.\n\n")
            out.write("| figure | median | from | to | budget | |\n")
            out.write("|---|--:|--:|--:|---|---|\n")
            out.writelines("| " + " | ".join(line) + " |\n" for line in cells)
