// SPDX-License-Identifier: Apache-2.0
//
// Applies JSON patches (RFC 6902) with an implementation that is not ours, and
// checks every operation strictly (npm package fast-json-patch).
//
//     node apply.mjs < LINES      {"document": ..., "patch": [...]} per line
//
// Prints one line of JSON per document: {"document": ...} or {"error": "..."}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { applyPatch } = require("fast-json-patch");

for await (const line of createInterface({ input: process.stdin })) {
  const { document, patch } = JSON.parse(line);
  try {
    const { newDocument } = applyPatch(document, patch, true);
    console.log(JSON.stringify({ document: newDocument }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
