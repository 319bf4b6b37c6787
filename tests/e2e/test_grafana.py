#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: shares the machine
"""
The dashboards by Grafana's own types (npm package @grafana/schema) and TypeScript's compiler: each
member exists, and each value is one that it may have.
"""
import copy
import json

import harness
import npm
from boards import NAMES, load, panels_of

INSTALLED = harness.ROOT / "build" / "grafana"
# Names of the panels' types, by Grafana's names of the panels.
KINDS = {"timeseries": "TimeSeries", "stat": "Stat", "heatmap": "Heatmap", "table": "Table"}
# Values that are left out have defaults; a member of an enumeration is a string in JSON.
HEAD = """\
import type { Dashboard } from "@grafana/schema";
type Loose<T> = T extends string ? `${T}` : T extends number | boolean ? T
  : T extends (infer U)[] ? Loose<U>[] : T extends object ? { [K in keyof T]?: Loose<T[K]> } : T;
""" + "".join(
    f'import type * as {name} from "./node_modules/@grafana/schema/dist/types/raw/composable/'
    f'{kind}/panelcfg/x/{name}PanelCfg_types.gen";\n' for kind, name in KINDS.items())


def setUpModule():
    npm.install("grafana")


def program(board):
    """TypeScript that is correct if the dashboard is."""
    lines = [HEAD, f"export const board: Loose<Dashboard> = {json.dumps(board, indent=1)};"]
    for panel in panels_of(board):
        kind, number = KINDS[panel["type"]], panel["id"]
        custom = panel["fieldConfig"]["defaults"].get("custom")
        lines.append(f"export const options{number}: Loose<{kind}.Options> = "
                     f"{json.dumps(panel['options'])};")
        if custom:
            lines.append(f"export const custom{number}: Loose<{kind}.FieldConfig> = "
                         f"{json.dumps(custom)};")
    return "\n".join(lines) + "\n"


class Types(harness.Case):
    def compiled(self, boards):
        """What the compiler says of {name: dashboard}; nothing if all is well."""
        paths = [INSTALLED / f"{name}.ts" for name in boards]
        for path, board in zip(paths, boards.values()):
            path.write_text(program(board))
        done = harness.run(
            ["node", INSTALLED / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit",
             "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler",
             *paths], cwd=INSTALLED, check=False, seconds=200)
        self.assertEqual(bool(done.stdout), done.returncode != 0, done.stderr)
        return done.stdout

    def test_each_member_is_known(self):
        self.assertEqual(self.compiled({name: load(name) for name in NAMES}), "")

    def test_the_compiler_would_find_something(self):
        wrong = {f"wrong-{i}": copy.deepcopy(load("tcp")) for i in range(4)}
        first, second, third, fourth = wrong.values()
        first["schemaVersions"] = 39
        panels_of(second)[0]["options"]["tooltip"]["mode"] = "many"
        panels_of(third)[0]["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thin"
        panels_of(fourth)[0]["gridPosition"] = {}
        said = self.compiled(wrong)
        for name in wrong:
            self.assertIn(f"{name}.ts", said)


if __name__ == "__main__":
    harness.main()
