// SPDX-License-Identifier: Apache-2.0
// What the page knows of the sidecar: windows of the last 15 minutes, and what they add up to.
"use strict";

const HISTORY_MS = 15 * 60 * 1000;
const WINDOW_MS = 5000;

// Lines of NDJSON as objects. Throws what the answer says in place of them.
async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  const text = await answer.text();
  if (!answer.ok) throw Object.assign(new Error(text.trim()), { status: answer.status });
  const lines = text.split("\n").filter((line) => line).map((line) => JSON.parse(line));
  const refusal = lines.find((line) => line.ok === false);
  if (refusal) throw new Error(refusal.error);
  return lines;
}

// All lines of /api/windows or /api/past from a number on, and the number after the last one.
async function askAll(path, from) {
  const all = [];
  for (;;) {
    const [head, ...lines] = await ask(`${path}?from=${from}`);
    all.push(...lines);
    from = head.next;
    if (from >= head.end) return { lines: all, next: from };
  }
}

// Milliseconds since 1970, with the digits behind the third one, which Date drops.
function timeOf(text) {
  const [, seconds, fraction] = /^(.*:\d\d)\.(\d+)Z$/.exec(text) ?? [];
  return seconds ? Date.parse(`${seconds}Z`) + Number(`0.${fraction}`) * 1000 : NaN;
}

// Names of a request's result: its status, or what kept it from having one.
function resultOf(request) {
  return String(request.rpc_status ?? request.error ?? request.status ?? "unknown");
}

function isError(request) {
  if (request.rpc_status) return request.rpc_status !== "OK";
  return Boolean(request.error) || request.status >= (request.role === "client" ? 400 : 500);
}

function keyOf(row) {
  return JSON.stringify([row.role, row.method, row.route]);
}

// Requests added up: of a route in a window, of all routes, of many windows.
class Sum {
  constructor(row) {
    Object.assign(this, { role: row.role, method: row.method, route: row.route });
    Object.assign(this, { requests: 0, errors: 0, open: 0, max: 0, requestBytes: 0, responseBytes: 0 });
    this.durations = new Map(); // nanoseconds: count
    this.results = new Map(); // name: count
  }

  add(other) {
    for (const name of ["requests", "errors", "requestBytes", "responseBytes"]) this[name] += other[name];
    this.max = Math.max(this.max, other.max);
    for (const [ns, count] of other.durations) this.durations.set(ns, (this.durations.get(ns) ?? 0) + count);
    for (const [name, count] of other.results) this.results.set(name, (this.results.get(name) ?? 0) + count);
  }

  addRequest(request) {
    const ns = request.duration_ns;
    this.requests += 1;
    this.errors += isError(request);
    this.max = Math.max(this.max, ns);
    this.requestBytes += request.request_bytes;
    this.responseBytes += request.response_bytes;
    this.durations.set(ns, (this.durations.get(ns) ?? 0) + 1);
    this.results.set(resultOf(request), (this.results.get(resultOf(request)) ?? 0) + 1);
  }

  // Nanoseconds that this share (0 to 1) of the requests did not exceed; null: there are none.
  quantile(share) {
    const rank = Math.max(1, Math.ceil(share * this.requests));
    let below = 0;
    if (!this.requests) return null;
    for (const ns of [...this.durations.keys()].sort((a, b) => a - b)) {
      below += this.durations.get(ns);
      if (below >= rank) return Math.min(ns, this.max);
    }
    return this.max;
  }
}

// A window of the sidecar, as the page keeps it.
function windowOf(line) {
  const began = line.began_ns / 1e6;
  const rows = new Map();
  for (const row of line.routes) {
    const sum = new Sum(row);
    Object.assign(sum, { requests: row.requests, errors: row.errors, open: row.open, max: row.max_ns ?? 0,
      requestBytes: row.request_bytes, responseBytes: row.response_bytes });
    sum.durations = new Map(row.durations);
    sum.results = new Map(Object.entries(row.statuses));
    rows.set(keyOf(row), sum);
  }
  return { began, end: began + line.seconds * 1000, rows };
}

const endOf = (request) => timeOf(request.time) + request.duration_ns / 1e6;

// Windows of requests that were recorded before the first window of the sidecar began. Without all
// that ended since the oldest one began, the window in which that one ended is not whole.
function windowsOfPast(requests, end, isWhole) {
  const windows = [];
  const at = (time) => Math.floor((end - time) / WINDOW_MS);
  const oldest = at(endOf(requests[0])) - (isWhole ? 0 : 1);
  for (let i = Math.min(oldest, HISTORY_MS / WINDOW_MS); i >= 0; i--) {
    windows[i] = { began: end - (i + 1) * WINDOW_MS, end: end - i * WINDOW_MS, rows: new Map() };
  }
  for (const request of requests) {
    const window = windows[at(endOf(request))];
    if (!window || request.probe) continue;
    const key = keyOf(request);
    if (!window.rows.has(key)) window.rows.set(key, new Sum(request));
    window.rows.get(key).addRequest(request);
  }
  return windows.reverse();
}

class WindowHistory {
  constructor() {
    this.windows = [];
    this.next = 0; // number of the next window of the sidecar
    this.past = null; // requests until the first window has come
  }

  // Only the last `recent` requests are all that there were; what is older are errors and slow ones.
  async load(recorder) {
    const { lines } = await askAll("/api/past", 0);
    const recent = recorder ? lines.filter((line) => !line.lost).slice(-recorder.recent) : [];
    this.past = { recent, isWhole: recent.length < recorder?.recent };
  }

  // Returns whether there is anything new.
  async update() {
    const { lines, next } = await askAll("/api/windows", this.next);
    const fresh = lines.map(windowOf);
    this.next = next;
    if (!fresh.length) {
      const isNew = !this.windows.length && Boolean(this.past?.recent.length);
      // Until the first window says when it began.
      if (isNew) this.windows = windowsOfPast(this.past.recent, endOf(this.past.recent.at(-1)) + 1, this.past.isWhole);
      return isNew;
    }
    this.windows = this.past ? [] : this.windows;
    if (this.past?.recent.length) {
      this.windows = windowsOfPast(this.past.recent, fresh[0].began, this.past.isWhole);
    }
    this.past = null;
    this.windows.push(...fresh);
    const oldest = this.windows.at(-1).end - HISTORY_MS;
    this.windows = this.windows.filter((window) => window.end > oldest);
    return true;
  }

  // Whole or by route: windows with what they hold of a side, and of one route (its key) or all.
  series(side, key) {
    return this.windows.map((window) => {
      const sum = new Sum({ role: side });
      for (const [name, row] of window.rows) {
        if (row.role !== side || (key && name !== key)) continue;
        sum.add(row);
        sum.open += row.open;
      }
      return { began: window.began, end: window.end, seconds: (window.end - window.began) / 1000, sum };
    });
  }

  // Sums of a side by route, over all windows; open requests are those of the last one.
  routes(side) {
    const sums = new Map();
    for (const window of this.windows) {
      for (const [key, row] of window.rows) {
        if (row.role !== side) continue;
        if (!sums.has(key)) sums.set(key, new Sum(row));
        sums.get(key).add(row);
      }
    }
    for (const [key, row] of this.windows.at(-1)?.rows ?? []) if (sums.has(key)) sums.get(key).open = row.open;
    return sums;
  }

  get seconds() {
    return this.windows.reduce((sum, window) => sum + (window.end - window.began) / 1000, 0);
  }
}
