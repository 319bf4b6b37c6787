// SPDX-License-Identifier: Apache-2.0
//
// Checks Kubernetes objects against the schemas of Kubernetes' own API
// description (npm package kubernetes-models), and refuses members that the
// schema does not have, as `kubectl apply --validate=strict` does.
//
//     node validate.mjs < LINES      one object in JSON per line
//
// Prints one line of JSON per object: a list of what is wrong, empty if nothing
// is. Of custom resources those of cert-manager and the Prometheus operator are
// known; other kinds are wrong.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// NODE_MODULES: the directory that the package was installed to.
const CUSTOM = {
  "cert-manager.io": "cert-manager/_schemas/ComGithubCertManagerCertManagerPkgApisCertmanager",
  "monitoring.coreos.com":
    "prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoring",
};

function schemaPath(apiVersion, kind) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
  const upper = (word) => word[0].toUpperCase() + word.slice(1);
  const path = CUSTOM[group]
    ? `@kubernetes-models/${CUSTOM[group]}`
    : `kubernetes-models/_schemas/IoK8sApi${upper(group.split(".")[0])}`;
  return join(process.env.NODE_MODULES, `${path}${upper(version)}${kind}.js`);
}

// A validator looks at every member that its schema has: what it never looked
// at is unknown. seen: path -> object with the names looked at.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  const names = new Set();
  const children = new Map();
  seen.set(path, { value, names });
  return new Proxy(value, {
    get(target, name) {
      const child = target[name];
      if (typeof name !== "string" || !Object.hasOwn(target, name)) return child;
      names.add(name);
      if (!children.has(name)) children.set(name, watched(child, `${path}/${name}`, seen));
      return children.get(name);
    },
    ownKeys(target) {
      // Who asks for all names has a map, of labels for instance.
      const all = Reflect.ownKeys(target);
      all.forEach((name) => names.add(name));
      return all;
    },
  });
}

// Members without structure of their own in the schema: any value is right below them.
const FREE = [/\/fieldsV1(\/|$)/];

async function validate(object) {
  if (!object?.apiVersion || !object?.kind) return ["no apiVersion or no kind"];
  let schema;
  try {
    schema = await import(pathToFileURL(schemaPath(object.apiVersion, object.kind)));
  } catch {
    return [`no schema for ${object.apiVersion} ${object.kind}`];
  }
  const seen = new Map();
  const errors = [];
  if (!schema.validate(watched(object, "", seen)))
    for (const e of schema.validate.errors) errors.push(`${e.instancePath}: ${e.keyword} ${JSON.stringify(e.params)}`);
  for (const [path, { value, names }] of seen) {
    if (Array.isArray(value) || FREE.some((free) => free.test(path))) continue;
    for (const member of Object.keys(value))
      if (!names.has(member)) errors.push(`${path}/${member}: unknown`);
  }
  return errors;
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await validate(JSON.parse(line))));
