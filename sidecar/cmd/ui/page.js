// SPDX-License-Identifier: Apache-2.0
// The page: tiles, charts and tables of data.js, what is chosen, and keys. All that strangers have
// sent becomes text, never markup.
"use strict";

const REQUESTS_SHOWN = 100;
const ASK_MS = 1000;
const ASK_HIDDEN_MS = 60000; // browsers slow the timers of hidden pages down to this
const RETRY_MS = 2000;

const $ = (selector) => document.querySelector(selector);
const state = {
  side: "server", sideIsChosen: false, route: null, isPaused: false, sort: "requests", isAscending: false,
  openRequest: null, requests: [], settings: null, hasHeaders: true, capture: null,
};
const history_ = new WindowHistory();
let drawn = [];
let wake = null;

// --- tables ------------------------------------------------------------------------------------

// Columns: [name, title, of a row, class]. A column with a name can be sorted by.
function drawHead(table, columns, sorted, sort) {
  const line = element(null, "tr");
  for (const [name, title, , className] of columns) {
    const cell = element(line, "th", "", className);
    cell.scope = "col";
    if (!sort) {
      cell.textContent = title;
      continue;
    }
    const button = element(cell, "button", title);
    button.type = "button";
    button.dataset.sort = name;
    button.addEventListener("click", () => sort(name));
    if (name === sorted) {
      cell.setAttribute("aria-sort", state.isAscending ? "ascending" : "descending");
      button.append(state.isAscending ? " ▲" : " ▼");
    }
  }
  table.tHead.replaceChildren(line);
}

// Nothing is drawn again that is the same: what is selected or pressed stays. The focus stays by key.
function drawRows(table, columns, rows, { keyOf: key, isOpen, onRow, details }) {
  const body = table.tBodies[0];
  const shown = JSON.stringify(rows.map((row) => [key(row), isOpen(row), columns.map(([, , of]) => of(row))]));
  if (shown === table.shown) return;
  table.shown = shown;
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const lines = [];
  for (const row of rows) {
    const line = element(null, "tr");
    line.dataset.key = key(row);
    line.tabIndex = -1;
    line.addEventListener("click", () => onRow(row));
    for (const [, , of, className] of columns) {
      const value = of(row);
      const cell = element(line, "td", value, className);
      if (className?.includes("text")) cell.title = value;
    }
    details(line, row);
    lines.push(line, ...(line.extra ? [line.extra] : []));
  }
  body.replaceChildren(...lines);
  const rowsShown = [...body.querySelectorAll("tr[tabindex]")];
  const again = rowsShown.find((line) => focused !== null && line.dataset.key === focused);
  if (again ?? rowsShown[0]) (again ?? rowsShown[0]).tabIndex = 0;
  again?.focus({ preventScroll: true });
  table.closest("section").querySelector(".none").hidden = rows.length > 0;
}

// --- routes ------------------------------------------------------------------------------------

const quantiles = { p50: 0.5, p90: 0.9, p99: 0.99 };
const ROUTES = [
  ["method", "Method", (r) => r.method],
  ["route", "Route", (r) => r.route, "text"],
  ["requests", "Requests", (r) => String(r.requests), "number"],
  ["rate", "Rate", (r) => `${number(r.requests / r.seconds)}/s`, "number wide"],
  ["errors", "Errors", (r) => (r.errors ? String(r.errors) : ""), "number bad"],
  ["open", "Open", (r) => (r.open ? String(r.open) : ""), "number wide"],
  ["p50", "P50", (r) => duration(r.quantile(0.5)), "number wide"],
  ["p90", "P90", (r) => duration(r.quantile(0.9)), "number wide rare"],
  ["p99", "P99", (r) => duration(r.quantile(0.99)), "number"],
  ["max", "Max", (r) => duration(r.max || null), "number wide"],
  ["statuses", "Statuses", (r) => [...r.results].map(([name, n]) => `${name}:${n}`).join(" "), "wide rare"],
];

function valueOf(row, name) {
  if (name in quantiles) return row.quantile(quantiles[name]) ?? -1;
  if (name === "rate") return row.requests;
  if (name === "statuses") return row.results.size;
  return row[name];
}

function sortRoutes(name) {
  state.isAscending = state.sort === name ? !state.isAscending : name === "route" || name === "method";
  state.sort = name;
  drawRoutes();
  $(`#routes [data-sort="${name}"]`).focus();
}

function drawRoutes() {
  const seconds = history_.seconds || 1;
  const rows = [...history_.routes(state.side)].map(([key, sum]) => Object.assign(sum, { key, seconds }));
  rows.sort((a, b) => {
    const [x, y] = [valueOf(a, state.sort), valueOf(b, state.sort)];
    return (x < y ? -1 : x > y ? 1 : 0) * (state.isAscending ? 1 : -1);
  });
  const focused = document.activeElement?.dataset?.sort;
  drawHead($("#routes"), ROUTES, state.sort, sortRoutes);
  if (focused) $(`#routes [data-sort="${focused}"]`)?.focus();
  drawRows($("#routes"), ROUTES, rows, {
    keyOf: (row) => row.key,
    isOpen: (row) => state.route?.key === row.key,
    onRow: (row) => chooseRoute(state.route?.key === row.key ? null : row),
    details: (line, row) => line.setAttribute("aria-selected", String(state.route?.key === row.key)),
  });
  $("#span").textContent = history_.windows.length ? `of ${spanText(seconds)}` : "";
}

function spanText(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function chooseRoute(row) {
  state.route = row && { key: row.key, role: row.role, method: row.method, route: row.route };
  state.openRequest = null;
  $("#chosen").hidden = !row;
  $("#chosen span").textContent = row ? `${row.method} ${row.route}` : "";
  draw();
  askSoon();
}

// --- tiles and charts --------------------------------------------------------------------------

function drawTiles(series) {
  const all = new Sum({ role: state.side });
  for (const window of series) all.add(window.sum);
  const last = series.at(-1);
  const tiles = [
    ["Rate now", last ? `${number(last.sum.requests / last.seconds)}/s` : "–", "rate"],
    ["Requests", String(all.requests), "requests"],
    ["Errors", `${all.errors}${all.errors ? ` (${share(all.errors, all.requests)})` : ""}`, "errors"],
    ["P50", duration(all.quantile(0.5)) || "–", "p50"],
    ["P90", duration(all.quantile(0.9)) || "–", "p90"],
    ["P99", duration(all.quantile(0.99)) || "–", "p99"],
    ["In flight", last ? String(last.sum.open) : "–", "open"],
    ["Received", bytes(all.requestBytes), "received"],
    ["Sent", bytes(all.responseBytes), "sent"],
  ];
  const list = element(null, "dl");
  for (const [title, value, name] of tiles) {
    const tile = element(list, "div");
    tile.dataset.tile = name;
    element(tile, "dt", title);
    element(tile, "dd", value, name === "errors" && all.errors ? "bad" : "");
  }
  $("#tiles").replaceChildren(...list.children);
}

function drawSides() {
  if (!state.sideIsChosen) {
    const hasServed = history_.windows.some((w) => [...w.rows.values()].some((row) => row.role === "server"));
    const hasAsked = history_.windows.some((w) => [...w.rows.values()].some((row) => row.role === "client"));
    state.side = hasServed || !hasAsked ? "server" : "client";
  }
  for (const button of document.querySelectorAll("#sides button")) {
    button.setAttribute("aria-pressed", String(button.dataset.side === state.side));
  }
}

function chooseSide(side) {
  state.side = side;
  state.sideIsChosen = true;
  chooseRoute(null);
}

function draw() {
  drawSides();
  const series = history_.series(state.side, state.route?.key);
  drawTiles(series);
  for (const chart of drawn) chart.update(series);
  drawRoutes();
  drawRequests();
}

// --- requests ----------------------------------------------------------------------------------

const clock = (request) => new Date(timeOf(request.time)).toLocaleTimeString([], { hour12: false });
const peerOf = (request) => (request.role === "server" ? request.client : request.server);
const threadOf = (r) => (r.process ? `${r.process}${r.thread && r.thread !== r.process ? `/${r.thread}` : ""}` : "");
const idOf = (request) => `${request.conn} ${request.stream} ${request.time}`;
const REQUESTS = [
  ["", "Time", clock],
  ["", "Status", resultOf, "status"],
  ["", "Method", (r) => r.method],
  ["", "Target", (r) => r.target ?? r.route, "text"],
  ["", "Duration", (r) => duration(r.duration_ns), "number"],
  ["", "Response", (r) => bytes(r.response_bytes), "number wide"],
  ["", "Peer", peerOf, "wide"],
  ["", "Process", threadOf, "wide rare"],
];
const STAGES = [["receive", "receiving the request"], ["wait", "waiting in the socket"], ["program", "program"], ["send", "sending the response"]];
const DURATIONS = /_ns$/;

function addStages(parent, request) {
  const known = STAGES.filter(([name]) => typeof request[`${name}_ns`] === "number");
  if (!known.length || !request.duration_ns) return;
  const bar = element(parent, "div", "", "stages");
  const words = known.map(([name, title]) => `${title} ${duration(request[`${name}_ns`])}`);
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", words.join(", "));
  for (const [name, title] of known) {
    const part = element(bar, "i", "", `stage-${name}`);
    part.style.flexGrow = request[`${name}_ns`] / request.duration_ns;
    part.title = `${title} ${duration(request[`${name}_ns`])}`;
  }
  element(parent, "p", words.join(" · "), "weak");
}


function addPairs(parent, pairs) {
  const list = element(parent, "dl");
  for (const [name, value] of pairs) {
    element(list, "dt", name);
    element(list, "dd", String(value));
  }
}

// request_headers and the like: [{ name, value }], where they were captured.
function addHeaders(parent, request) {
  for (const [section, fields] of Object.entries(request)) {
    if (!Array.isArray(fields) || !fields.length) continue;
    element(parent, "h3", section.replaceAll("_", " "));
    addPairs(parent, fields.map((field) => [field.name, field.value]));
  }
}

function detailsOf(request) {
  const line = element(null, "tr", "", "details");
  const cell = element(line, "td");
  cell.colSpan = REQUESTS.length;
  addStages(cell, request);
  const isShown = ([, value]) => value !== null && value !== "" && value !== false && !Array.isArray(value);
  addPairs(cell, Object.entries(request).filter(isShown).map(([name, value]) =>
    DURATIONS.test(name) ? [name.replace(DURATIONS, ""), duration(value)] : [name, value]));
  addHeaders(cell, request);
  return line;
}

const isOpenRequest = (request) => Boolean(state.openRequest) && idOf(state.openRequest) === idOf(request);

function openRequest(request) {
  state.openRequest = isOpenRequest(request) ? null : request;
  drawRequests();
}

function drawRequests() {
  const isShown = (r) => r.role === state.side && (!state.route || keyOf(r) === state.route.key);
  const rows = state.requests.filter(isShown).slice(0, REQUESTS_SHOWN);
  // One that is being read stays when newer ones have taken its place.
  if (state.openRequest && !rows.some(isOpenRequest)) rows.unshift(state.openRequest);
  if (!$("#requests").tHead.rows.length) drawHead($("#requests"), REQUESTS);
  drawRows($("#requests"), REQUESTS, rows, {
    keyOf: idOf,
    isOpen: isOpenRequest,
    onRow: openRequest,
    details: (line, request) => {
      const isOpen = isOpenRequest(request);
      line.setAttribute("aria-expanded", String(isOpen));
      line.querySelector(".status").classList.toggle("bad", isError(request));
      line.extra = isOpen ? detailsOf(request) : null;
    },
  });
}

// --- threads and system calls ------------------------------------------------------------------

const THREADS = [
  ["", "Process/thread", (t) => t.name],
  ["", "Requests", (t) => String(t.requests), "number"],
  ["", "Errors", (t) => (t.errors ? String(t.errors) : ""), "number bad"],
  ["", "Mean", (t) => duration(t.ns / t.requests), "number"],
  ["", "Max", (t) => duration(t.max), "number"],
];
const SYSCALLS = [
  ["", "Container", (c) => c.container, "wide"],
  ["", "Call", (c) => c.call],
  ["", "Calls", (c) => String(c.calls), "number"],
  ["", "Errors", (c) => (c.errors ? String(c.errors) : ""), "number bad"],
  ["", "Bytes", (c) => (c.bytes === null ? "" : bytes(c.bytes)), "number wide"],
  ["", "Mean", (c) => duration(c.time_ns / c.calls), "number"],
  ["", "Blocked", (c) => duration(c.blocked_ns), "number wide"],
];

function drawPlain(selector, columns, rows, keyOf_) {
  if (!$(selector).tHead.rows.length) drawHead($(selector), columns);
  drawRows($(selector), columns, rows, { keyOf: keyOf_, isOpen: () => false, onRow: () => {}, details: () => {} });
}

function drawThreads() {
  const threads = new Map();
  for (const request of state.requests.filter((r) => r.role === state.side && r.process)) {
    const name = threadOf(request);
    const sum = threads.get(name) ?? { name, requests: 0, errors: 0, ns: 0, max: 0 };
    threads.set(name, sum);
    sum.requests += 1;
    sum.errors += isError(request) ? 1 : 0;
    sum.ns += request.duration_ns;
    sum.max = Math.max(sum.max, request.duration_ns);
  }
  drawPlain("#threads", THREADS, [...threads.values()].sort((a, b) => b.requests - a.requests), (t) => t.name);
}

async function askSyscalls() {
  let answer = { counted: false };
  try {
    [answer] = await ask("/api/syscalls");
  } catch (error) {
    if (error.status === 403 || error instanceof TypeError) throw error; // else an older sidecar
  }
  const { counted, calls } = answer;
  $("#syscalls-shown").hidden = !counted;
  if (!counted) return;
  drawPlain("#syscalls", SYSCALLS, calls.sort((a, b) => b.time_ns - a.time_ns), (c) => `${c.container} ${c.call}`);
}

function question() {
  const words = new URLSearchParams({ count: String(2 * REQUESTS_SHOWN) });
  if (state.hasHeaders) words.set("try-headers", "all");
  if (state.capture !== null) words.set("capture", state.capture ? "1" : "0");
  for (const [name, value] of new FormData($("#filter"))) if (value.trim()) words.set(name, value.trim());
  const { method, route } = state.route ?? {};
  // A comma separates routes, and a star stands for any characters: what is too much, is left out here.
  if (route && !/[,\\]/.test(route)) words.set("route", route);
  if (method && method !== "_OTHER" && !words.has("method") && /^[A-Z]+$/.test(method)) words.set("method", method);
  return `/api/requests?${words}`;
}

function showText(selector, text) {
  $(selector).textContent = text;
  $(selector).hidden = !text;
}

async function askRequests() {
  try {
    const lines = await ask(question());
    state.requests = lines.filter((line) => line.time).reverse();
    showText("#filter-trouble", "");
  } catch (error) {
    if (error.status === 403 || error instanceof TypeError) throw error;
    if (/no condition "try-headers"/.test(error.message)) {
      state.hasHeaders = false; // this sidecar captures none
      return askRequests();
    }
    state.requests = [];
    showText("#filter-trouble", error.message);
  }
}

// --- asking ------------------------------------------------------------------------------------

async function start() {
  const [settings] = await ask("/api/settings");
  state.settings = settings;
  $("#headers").hidden = settings.header_capture === "forbidden" || !settings.recorder;
  $("#what").textContent = `version ${settings.version}, watching for ${spanText(settings.uptime_seconds)}`;
  if (settings.recorder) $("#requests-note").textContent = `the last ${settings.recorder.recent} are recorded`;
  await history_.load(settings.recorder);
}

async function askAgain() {
  if (!state.settings) await start();
  const [isNew] = await Promise.all([history_.update(), askRequests(), askSyscalls()]);
  drawThreads();
  if (isNew || !drawn.length) {
    if (!drawn.length) drawn = charts();
    draw();
  } else {
    drawRequests();
  }
}

function trouble(error) {
  if (error.status === 403) return "This page was opened by a sidelight that has ended, or by another one: open the link that it prints.";
  if (error instanceof TypeError) return "No answer: sidelight ui has ended, or what forwards its port. Asking again.";
  return error.message;
}

let isAsking = false;
async function tick() {
  let pause = document.hidden ? ASK_HIDDEN_MS : ASK_MS;
  if (isAsking) return;
  isAsking = true;
  try {
    if (!state.isPaused) await askAgain();
    showText("#trouble", "");
  } catch (error) {
    showText("#trouble", trouble(error));
    pause = RETRY_MS;
  }
  isAsking = false;
  clearTimeout(wake);
  wake = setTimeout(tick, pause);
}

function askSoon() {
  if (isAsking) return;
  clearTimeout(wake);
  wake = setTimeout(tick, 0);
}

// --- keys --------------------------------------------------------------------------------------

function pause() {
  state.isPaused = !state.isPaused;
  $("#pause").setAttribute("aria-pressed", String(state.isPaused));
  $("#pause").textContent = state.isPaused ? "Go on" : "Pause";
  askSoon();
}

// For as long as a page that says so is open.
function captureHeaders() {
  state.capture = !state.capture;
  $("#headers").setAttribute("aria-pressed", String(state.capture));
  $("#headers").textContent = state.capture ? "Capturing headers" : "Capture headers";
  askSoon();
}

// The rows of both tables, one after the other.
function step(by) {
  const rows = [...document.querySelectorAll("tbody tr[tabindex]")];
  const at = rows.indexOf(document.activeElement);
  const to = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  if (!to) return;
  for (const row of to.parentElement.querySelectorAll('tr[tabindex="0"]')) row.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

const KEYS = {
  p: pause,
  h: captureHeaders,
  s: () => chooseSide(state.side === "server" ? "client" : "server"),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => document.activeElement.closest("tbody tr") && step(1),
  ArrowUp: () => document.activeElement.closest("tbody tr") && step(-1),
  Enter: () => document.activeElement.matches("tbody tr") && document.activeElement.click(),
  Escape: () => chooseRoute(null),
  "/": () => $("#filter input").focus(),
  "?": () => $("#help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || $("#help").open) return;
  const isTyping = event.target.matches("input");
  if (isTyping && event.key === "Escape") event.target.blur();
  if (isTyping || !KEYS[event.key]) return;
  if (event.key === "Enter" && event.target.matches("button")) return;
  if (KEYS[event.key]() !== null && event.key !== "Enter") event.preventDefault();
}

// The link is worth nothing any more, and is in nobody's way.
if (location.search) history.replaceState(null, "", location.pathname);
for (const button of document.querySelectorAll("#sides button")) {
  button.addEventListener("click", () => chooseSide(button.dataset.side));
}
$("#pause").addEventListener("click", pause);
$("#headers").addEventListener("click", captureHeaders);
$("#keys").addEventListener("click", () => $("#help").showModal());
$("#chosen button").addEventListener("click", () => chooseRoute(null));
$("#filter").addEventListener("submit", (event) => event.preventDefault());
$("#filter").addEventListener("input", askSoon);
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", askSoon);
tick();
