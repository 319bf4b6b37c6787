// SPDX-License-Identifier: Apache-2.0
// Draws DATA (see draw.py): the panels of a dashboard in Grafana's grid, or a text as in a terminal.
const CELL = { width: (innerWidth - 16) / 24, height: 30 };
const COLOURS = ["#3274d9", "#e0752d", "#299c46", "#a352cc", "#d44a3a", "#c9a202", "#0f8f8f",
  "#8a6d3b", "#e36bae", "#5b6f82"];
const LEGEND_MOST = 8;

function scaled(value, base, units) {
  let i = 0;
  while (Math.abs(value) >= base && i < units.length - 1) {
    value /= base;
    i++;
  }
  return `${Number(value.toPrecision(3))}${units[i]}`;
}

function seconds(value) {
  if (value >= 60) return `${Number((value / 60).toPrecision(3))} min`;
  return value >= 1 || value === 0 ? `${Number(value.toPrecision(3))} s` : scaled(value * 1e9, 1000, [" ns", " us", " ms"]);
}

// A value in one of Grafana's units.
function formatted(value, unit) {
  if (value === null || value === undefined) return "";
  switch (unit) {
    case "percentunit": return `${Number((value * 100).toPrecision(3))} %`;
    case "s": return seconds(value);
    case "bytes": return scaled(value, 1024, [" B", " KiB", " MiB", " GiB"]);
    case "Bps": return scaled(value, 1000, [" B/s", " kB/s", " MB/s", " GB/s"]);
    case "reqps": return `${scaled(value, 1000, ["", "k", "M"])} req/s`;
    case "cps": return `${scaled(value, 1000, ["", "k", "M"])}/s`;
    case "pps": return `${scaled(value, 1000, ["", "k", "M"])} p/s`;
    default: return scaled(value, 1000, ["", "k", "M"]);
  }
}

function element(parent, tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  parent.append(node);
  return node;
}

const last = (values) => values.findLast((v) => v !== null);

function colourOf(value, steps) {
  const name = steps.findLast((s) => s.value === null || value >= s.value)?.color ?? "green";
  return { green: "#299c46", orange: "#e0752d", red: "#d44a3a" }[name];
}

function plot(node, panel, size, series, more = {}) {
  const axis = { stroke: "#777", grid: { stroke: "#eee", width: 1 }, ticks: { show: false }, font: "10px DejaVu Sans" };
  new uPlot({
    ...size, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
    axes: [axis, { ...axis, size: 62, values: (_, ticks) => ticks.map((t) => formatted(t, panel.unit)) }],
    series: [{}, ...series.map((s, i) => ({
      label: s.legend, stroke: COLOURS[i % COLOURS.length], width: 1.5, points: { show: false },
      fill: COLOURS[i % COLOURS.length] + (panel.stacked ? "99" : "14"),
    }))],
    ...more,
  }, [DATA.times, ...series.map((s) => s.values)], node);
}

// Each line on top of those before it; the topmost is drawn first.
function stacked(series) {
  const sums = DATA.times.map(() => 0);
  return series.map((s) => ({ ...s, values: s.values.map((v, i) => (sums[i] += v ?? 0)) }));
}

function graph(node, panel, width, height) {
  const shown = panel.series.slice(0, LEGEND_MOST);
  const lines = Math.ceil(shown.length / 2);
  const series = panel.stacked ? stacked(shown) : shown;
  plot(node, panel, { width: width - 18, height: height - 34 - 14 * lines }, series,
    panel.stacked ? { bands: series.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })) } : {});
  const legend = element(node, "div", "", "legend");
  shown.forEach((s, i) => {
    const entry = element(legend, "div");
    element(entry, "i").style.background = COLOURS[i % COLOURS.length];
    entry.append(`${s.legend}  ${formatted(last(s.values), panel.unit)}`);
  });
}

function stat(node, panel, width, height) {
  const value = last(panel.series[0].values);
  element(node, "div", formatted(value, panel.unit), "stat").style.color = colourOf(value, panel.steps);
  const hidden = { show: false };
  plot(node, panel, { width: width - 18, height: height - 68 }, [panel.series[0]], { axes: [hidden, hidden] });
}

// Buckets from below; what is below another bound too is in that bucket alone.
function heatmap(node, panel, width, height) {
  const bound = (s) => (s.legend === "+Inf" ? Infinity : Number(s.legend));
  const rows = [...panel.series].sort((a, b) => bound(a) - bound(b));
  const counts = rows.map((row, y) => row.values.map((v, x) => Math.max(0, (v ?? 0) - (y ? rows[y - 1].values[x] ?? 0 : 0))));
  const most = Math.max(...counts.flat());
  const canvas = element(node, "canvas");
  [canvas.width, canvas.height] = [width - 18, height - 34];
  const context = canvas.getContext("2d");
  const [left, low] = [62, canvas.height - 16];
  const [w, h] = [(canvas.width - left) / DATA.times.length, low / rows.length];
  counts.forEach((row, y) => row.forEach((count, x) => {
    if (count < 1e-6) return; // a difference of two sums of rates that are equal
    const light = 92 - 52 * Math.sqrt(count / most);
    context.fillStyle = `hsl(28 90% ${light}%)`;
    context.fillRect(left + x * w, low - (y + 1) * h, w + 0.5, h - 1);
  }));
  context.fillStyle = "#777";
  context.font = "10px DejaVu Sans";
  rows.forEach((row, y) => {
    if (y % 3 === 0) context.fillText(row.legend === "+Inf" ? "+Inf" : seconds(bound(row)), 4, low - y * h - 2);
  });
}

function table(node, panel) {
  const body = element(node, "table");
  const head = element(body, "tr");
  panel.columns.forEach((c) => element(head, "th", c.name));
  for (const row of panel.rows) {
    const line = element(body, "tr");
    row.forEach((cell, i) => {
      const { unit, steps } = panel.columns[i];
      const td = element(line, "td", unit ? formatted(cell, unit) : cell);
      if (unit && steps) td.style.color = colourOf(cell, steps);
    });
  }
}

function empty(node) {
  element(node, "div", "No data");
}

const KINDS = { timeseries: graph, stat, heatmap, table, empty };

function board() {
  const field = document.getElementById("board");
  document.querySelector("h1").textContent = DATA.title;
  document.getElementById("where").textContent = DATA.where;
  for (const panel of DATA.panels) {
    const node = element(field, "div", "", panel.kind === "row" ? "row" : "panel");
    const [width, height] = [panel.at.w * CELL.width - 6, panel.at.h * CELL.height - 6];
    Object.assign(node.style, {
      left: `${panel.at.x * CELL.width}px`, top: `${panel.at.y * CELL.height}px`,
      width: `${width}px`, height: `${height}px`,
    });
    element(node, "div", panel.title, "title");
    KINDS[panel.kind]?.(node, panel, width, height);
  }
}

if (DATA.text) {
  document.body.replaceChildren();
  document.body.style.background = "#1e1e1e";
  element(document.body, "pre", DATA.text);
} else {
  board();
}
