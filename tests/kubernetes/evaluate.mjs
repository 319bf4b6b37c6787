// SPDX-License-Identifier: Apache-2.0
//
// Evaluates admission policies as the API server does, as far as these need
// it, with an implementation of CEL that is not ours (npm package
// @marcbachmann/cel-js).
//
//     node evaluate.mjs < LINES      one question in JSON per line:
//
//	{"policy": a MutatingAdmissionPolicy, ValidatingAdmissionPolicy or
//	           MutatingWebhookConfiguration (asked: which webhooks are called), or null,
//	 "operation": "CREATE", "object": ..., "oldObject": ..., "namespace": ..., "params": ...}
//
// Prints one line of JSON per question:
//
//	{"matches": bool, "patch": [...], "denied": [messages], "called": [names], "error": "..."}
//
// evaluate.go answers the same with Kubernetes' own code; what
// this CEL lacks of Kubernetes': JSONPatch{} (read as a map here), quantity(),
// jsonpatch.escapeKey(), and RE2's reading of "[]...]".
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { Environment } = await import(pathToFileURL(require.resolve("@marcbachmann/cel-js")));

class Quantity {
  constructor(text) {
    const [, number, unit] = /^([0-9.]+(?:e[0-9]+)?)(m|k|[MGT]|[KMGT]i)?$/.exec(text);
    const powers = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12,
      Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
    this.value = Number(number) * (unit ? powers[unit] : 1);
  }

  static of(value) {
    const made = new Quantity("0");
    made.value = value;
    return made;
  }
}

const environmentOf = (homogeneousAggregateLiterals) =>
  new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals })
    .registerType("Quantity", Quantity)
    .registerFunction("quantity(string): Quantity", (text) => new Quantity(text))
    .registerFunction("Quantity.isLessThan(Quantity): bool", (a, b) => a.value < b.value)
    .registerFunction("Quantity.add(Quantity): Quantity", (a, b) => Quantity.of(a.value + b.value))
    .registerFunction("Quantity.asApproximateFloat(): double", (a) => a.value);

// The API server refuses lists whose elements differ in type. What was JSONPatch{} is such a list
// here.
const strict = environmentOf(true);
const lenient = environmentOf(false);

// Outside of strings only.
function translate(expression) {
  return expression.replace(/"(?:[^"\\]|\\.)*"|JSONPatch\{op: |,\s+path: |,\s+value: |jsonpatch\.escapeKey\(("[^"]*")\)/g,
    (found, key) => {
      if (found[0] === '"') return found.replaceAll("[][", "[\\\\][");
      if (key) return JSON.stringify(JSON.parse(key).replaceAll("~", "~0").replaceAll("/", "~1"));
      return found.startsWith("JSON") ? '{"op": ' : found.replace(/\w+/, '"$&"');
    });
}

const parsed = new Map();

function parse(expression) {
  const translated = translate(expression);
  if (!expression.includes("JSONPatch{")) {
    const { valid, error } = strict.check(translated);
    if (!valid) throw error;
  }
  return lenient.parse(translated);
}

function evaluate(expression, context) {
  if (!parsed.has(expression)) parsed.set(expression, parse(expression));
  return parsed.get(expression)(context);
}

// BigInt, which CEL's integers are.
const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v)));

// Variables are evaluated when they are asked for, and once.
function contextOf({ policy, operation, object, oldObject, namespace, params }) {
  const context = {
    object: object ?? null, oldObject: oldObject ?? null, params: params ?? null,
    request: { operation }, namespaceObject: namespace ?? null, variables: {},
  };
  for (const { name, expression } of policy.spec?.variables ?? []) {
    context.variables[name] = evaluate(expression, context);
  }
  return context;
}

const holds = (conditions, context) => (conditions ?? []).every(({ expression }) => evaluate(expression, context) === true);

function answer(question) {
  const { policy } = question;
  if (!policy) return { matches: false };
  if (policy.kind === "MutatingWebhookConfiguration") {
    const context = contextOf({ ...question, policy: {} });
    const called = policy.webhooks.filter((w) => holds(w.matchConditions, context)).map((w) => w.name);
    return { matches: called.length > 0, called };
  }
  if (!holds(policy.spec.matchConditions, contextOf({ ...question, policy: {} }))) return { matches: false };
  const context = contextOf(question);
  if (policy.kind === "MutatingAdmissionPolicy")
    return { matches: true, patch: policy.spec.mutations.flatMap((m) => plain(evaluate(m.jsonPatch.expression, context))) };
  const denied = policy.spec.validations
    .filter((v) => evaluate(v.expression, context) !== true)
    .map((v) => (v.messageExpression ? evaluate(v.messageExpression, context) : v.message));
  return { matches: true, denied };
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = answer(JSON.parse(line));
  } catch (error) {
    said = { error: error.message };
  }
  console.log(JSON.stringify(said));
}
