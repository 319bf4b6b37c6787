// SPDX-License-Identifier: Apache-2.0
//
// Checks an HTTP Archive against the schema of HAR 1.2 that npm publishes as har-schema.
//
//     NODE_MODULES=DIR node validate.mjs FILE.har
//
// Prints one line for each thing that is wrong. NODE_MODULES: where the packages were installed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_MODULES, "here.js"));
const Ajv = require("ajv").default;
const ajv = new Ajv({ allErrors: true, strict: false });
require("ajv-formats").default(ajv);
ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json"));
for (const schema of Object.values(require("har-schema"))) ajv.addSchema(schema);

const validate = ajv.getSchema("har.json#") ?? ajv.getSchema("har.json");
if (!validate(JSON.parse(readFileSync(process.argv[2], "utf8")))) {
  for (const error of validate.errors) console.log(`${error.instancePath}: ${error.message}`);
}
