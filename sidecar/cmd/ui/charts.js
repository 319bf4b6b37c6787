// SPDX-License-Identifier: Apache-2.0
// Charts of windows (data.js), by uPlot: lines, and a heat map of durations.
"use strict";

const CHART_HEIGHT = 190;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function inUnits(value, units) {
  let i = 0;
  for (; Math.abs(value) >= 1000 && i < units.length - 1; i++) value /= 1000;
  return `${Number(value.toPrecision(3))}${units[i]}`;
}

function duration(ns) {
  if (ns === null || ns === undefined) return "";
  if (ns >= 60e9) return `${Number((ns / 60e9).toPrecision(3))} min`;
  return inUnits(ns, [" ns", " µs", " ms", " s"]);
}

// With seconds where ticks are closer than a minute.
function times(ticks) {
  const second = ticks.length > 1 && ticks[1] - ticks[0] < 60 ? "2-digit" : undefined;
  const form = { hour: "2-digit", minute: "2-digit", second, hour12: false };
  return ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString([], form));
}

const number = (value) => inUnits(value, ["", "k", "M", "G"]);
const bytes = (value) => inUnits(value, [" B", " kB", " MB", " GB"]);
const share = (part, whole) => (whole ? `${Number(((part / whole) * 100).toPrecision(3))} %` : "");

function element(parent, tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  parent?.append(node);
  return node;
}

// One chart, with a legend that shows the values at the cursor, or the last ones.
class Chart {
  // lines: [{ name, label, of: (window) => value }]; format: of values
  constructor(id, lines, format, options = {}) {
    this.node = document.getElementById(id);
    this.plot = null;
    this.legend = element(null, "div", "", "legend");
    this.node.after(this.legend);
    Object.assign(this, { lines, format, options, windows: [] });
    this.values = lines.map((line) => {
      const entry = element(this.legend, "span", "", `of-${line.name}`);
      element(entry, "i");
      entry.append(`${line.label} `);
      return element(entry, "b");
    });
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.node);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  size() {
    return { width: Math.max(200, this.node.clientWidth), height: CHART_HEIGHT };
  }

  data() {
    return [this.windows.map((w) => w.end / 1000),
      ...this.lines.map((line) => this.windows.map((w) => line.of(w)))];
  }

  // A minute at least, however little there is to show.
  span() {
    const end = this.windows.at(-1).end / 1000;
    return [Math.min(this.windows[0].began / 1000, end - 60), end];
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.windows.length) return;
    const axis = { stroke: colour("weak"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    this.plot = new uPlot({
      ...this.size(),
      legend: { show: false },
      cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { show: true } },
      scales: { x: { time: true, range: () => this.span() }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] }, ...this.options.scales },
      axes: [{ ...axis, space: 70, values: (_, ticks) => times(ticks) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((t) => (t === null ? "" : this.format(t))) }],
      series: [{}, ...this.lines.map((line) => ({
        label: line.label, stroke: colour(line.name), width: 1.5, points: { size: 4, fill: colour(line.name) },
        ...this.options.series,
      }))],
      hooks: { setCursor: [(u) => this.show(u.cursor.idx)], ...this.options.hooks?.(this) },
    }, this.data(), this.node);
  }

  show(index) {
    const at = index ?? this.windows.length - 1;
    this.values.forEach((node, i) => {
      const value = this.windows[at] && this.lines[i].of(this.windows[at]);
      node.textContent = value === null || value === undefined ? "–" : this.format(value);
    });
  }

  update(windows) {
    this.windows = windows;
    if (this.plot && windows.length) this.plot.setData(this.data());
    else this.build();
    this.show(null);
    this.node.setAttribute("aria-label", this.lines.map((line, i) => `${line.label} ${this.values[i].textContent}`).join(", "));
  }
}

// Durations in half octaves: row n is from 2^(n/2) to 2^((n+1)/2) nanoseconds.
const heatRow = (ns) => Math.floor(2 * Math.log2(Math.max(1, ns)));
const heatLow = (row) => 2 ** (row / 2);

function heatCells(windows) {
  const cells = [];
  for (const window of windows) {
    const rows = new Map();
    for (const [ns, count] of window.sum.durations) rows.set(heatRow(ns), (rows.get(heatRow(ns)) ?? 0) + count);
    for (const [row, count] of rows) cells.push({ window, row, density: count / window.seconds });
  }
  return cells;
}

function drawHeat(chart, u) {
  const cells = heatCells(chart.windows);
  const most = cells.reduce((max, cell) => Math.max(max, cell.density), 0);
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
  for (const { window, row, density } of cells) {
    const left = u.valToPos(window.began / 1000, "x", true);
    const right = u.valToPos(window.end / 1000, "x", true);
    const top = u.valToPos(heatLow(row + 1), "y", true);
    const bottom = u.valToPos(heatLow(row), "y", true);
    u.ctx.fillStyle = `rgb(${colour("heat")} / ${0.15 + 0.85 * Math.sqrt(density / most)})`;
    u.ctx.fillRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top));
  }
  u.ctx.restore();
}

function heatRange(chart) {
  const rows = heatCells(chart.windows).map((cell) => cell.row);
  if (!rows.length) return [1e5, 1e9];
  const low = Math.floor(Math.log10(heatLow(Math.min(...rows))));
  const high = Math.ceil(Math.log10(heatLow(Math.max(...rows) + 1)));
  return [10 ** low, 10 ** Math.max(high, low + 1)];
}

function charts() {
  const heat = new Chart("heat", [{ name: "rate", label: "slowest", of: (w) => w.sum.max || null }], duration, {
    scales: { y: { distr: 3, range: () => heatRange(heat) } },
    series: { paths: () => null, points: { show: false } },
    hooks: (chart) => ({ draw: [(u) => drawHeat(chart, u)] }),
  });
  return [
    new Chart("rate", [
      { name: "rate", label: "requests", of: (w) => w.sum.requests / w.seconds },
      { name: "error", label: "errors", of: (w) => w.sum.errors / w.seconds },
    ], (value) => `${number(value)}/s`),
    new Chart("duration", [
      { name: "p50", label: "P50", of: (w) => w.sum.quantile(0.5) },
      { name: "p90", label: "P90", of: (w) => w.sum.quantile(0.9) },
      { name: "p99", label: "P99", of: (w) => w.sum.quantile(0.99) },
    ], duration),
    heat,
  ];
}
