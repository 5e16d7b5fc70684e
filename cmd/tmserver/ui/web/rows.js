// @ts-check
// Rows of a script's result: as a table, and as the chart that suits their shape.
import { h, s, number, short, table } from "./dom.js";
import { colour, lineChart } from "./bars.js";
import { histogramsOf, histogramChart } from "./histograms.js";

/** @typedef {string | number | null} Cell */
/** @typedef {{columns: string[], rows: Cell[][], keys: number}} Rows the first columns are keys */
/** @typedef {{kind: "bars" | "lines" | "heatmap" | "histogram" | "none", value: number, histograms?: import("./stats.js").Density[]}} Shape value is the column that is drawn */

// What a chart can show and a person can read.
const maxBars = 40, maxLines = 8, maxSide = 40;

/** @param {any} value @returns {Cell} */
const cell = (value) => value === null || value === undefined ? null : typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);

/** Reads JSON lines; what comes behind the last newline was cut off. @param {string} text @returns {Rows} */
export function parse(text) {
  const objects = text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter(Boolean).map((line) => {
    const row = JSON.parse(line);
    return row !== null && typeof row === "object" && !Array.isArray(row) ? row : { line: row };
  });
  const columns = [...new Set(objects.flatMap(Object.keys))];
  const rows = objects.map((object) => columns.map((name) => cell(Object.hasOwn(object, name) ? object[name] : null)));

  // Keys are those that are called so; else what comes before the first number, but at least one column.
  const isNumber = columns.map((_, i) => rows.every((row) => row[i] === null || typeof row[i] === "number"));
  let keys = columns.findIndex((name) => !/^key\d*$/.test(name));
  if (keys < 1) keys = Math.max(1, isNumber.indexOf(true));
  return { columns, rows, keys };
}

const isDate = (/** @type {Cell} */ value) => /^\d{8}$|^\d{4}-\d{2}-\d{2}/.test(String(value));

/** The chart that the script names, else the one that the shape of the rows suggests. @param {Rows} of @param {any} wanted */
export function shape(of, wanted) {
  const value = of.columns.findIndex((name, i) => i >= of.keys && (wanted?.value ? name === wanted.value : of.rows.some((row) => typeof row[i] === "number")));
  /** @type {Shape} */
  const found = { kind: "none", value };
  if (value < 0 || of.rows.length === 0) return found;
  if (!wanted?.type || wanted.type === "histogram") {
    found.histograms = histogramsOf(of, wanted);
    if (found.histograms.length) {
      found.kind = "histogram";
      return found;
    }
  }
  if (["bars", "lines", "heatmap", "none"].includes(wanted?.type)) found.kind = wanted.type;
  else if (of.keys <= 2 && of.rows.every((row) => isDate(row[0]))) found.kind = "lines";
  else if (of.keys === 2) found.kind = "heatmap";
  else if (of.keys === 1) found.kind = "bars";
  if (found.kind === "heatmap" && of.keys < 2) found.kind = "bars";
  return found;
}

/** @param {Cell} value @returns {string} */
const name = (value) => value === null ? "(none)" : String(value);
const clip = (/** @type {string} */ text, /** @type {number} */ length) => text.length > length ? text.slice(0, length - 1) + "…" : text;

/** The key of a row as one text. @param {Rows} of @param {Cell[]} row @param {number} [from] */
const keyOf = (of, row, from = 0) => row.slice(from, of.keys).map(name).join(" · ");

/** @param {Rows} of @param {Shape} shape @param {string} label @returns {{picture: SVGElement | null, note: string, place?: Node, names?: string[]} | null} */
export function chart(of, shape, label) {
  const numeric = (/** @type {Cell[]} */ row) => typeof row[shape.value] === "number" ? Number(row[shape.value]) : 0;
  if (shape.kind === "histogram") return histogramChart(shape.histograms ?? [], label);
  if (shape.kind === "bars") return barsOf(of, numeric, label);
  if (shape.kind === "lines") return linesOf(of, shape, label);
  if (shape.kind === "heatmap") return heatMap(of, numeric, label, of.columns[shape.value]);
  return null;
}

/** @param {Rows} of @param {(row: Cell[]) => number} value @param {string} label */
function barsOf(of, value, label) {
  const largest = of.rows.length > maxBars ? [...of.rows].sort((a, b) => Math.abs(value(b)) - Math.abs(value(a))).slice(0, maxBars) : of.rows;
  const narrow = innerWidth < 700, width = narrow ? 400 : 900, left = narrow ? 120 : 220, right = 70, line = 22;
  const height = 8 + largest.length * line;

  // Bars of values below zero lead to the left of it.
  const low = Math.min(0, ...largest.map(value)), high = Math.max(0, ...largest.map(value)), span = high - low || 1;
  const x = (/** @type {number} */ at) => left + (at - low) / span * (width - left - right);
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, "font-family": "system-ui, sans-serif" });
  largest.forEach((row, i) => {
    const at = value(row), y = 4 + i * line;
    svg.append(
      s("text", { fill: "var(--text)", "font-size": 12, x: left - 8, y: y + 15, "text-anchor": "end" }, clip(keyOf(of, row), narrow ? 17 : 32)),
      s("rect", { fill: colour(0), x: Math.min(x(0), x(at)), width: Math.max(0.6, Math.abs(x(at) - x(0))), y: y + 3, height: line - 6, rx: 2 }, s("title", null, `${keyOf(of, row)}: ${at}`)),
      s("text", { fill: "var(--soft)", "font-size": 11, x: Math.max(x(0), x(at)) + 5, y: y + 15 }, short(at)));
  });
  return { picture: svg, note: largest.length < of.rows.length ? `the ${maxBars} largest of ${number(of.rows.length)} rows` : "" };
}

/** @param {Rows} of @param {Shape} shape @param {string} label */
function linesOf(of, shape, label) {
  const points = [...new Set(of.rows.map((row) => name(row[0])))].sort();
  // A second key makes a line each; without one, each column of numbers does.
  /** @type {Map<string, (number | null)[]>} */
  const series = new Map();
  const add = (/** @type {string} */ line, /** @type {Cell} */ point, /** @type {Cell} */ value) => {
    if (!series.has(line)) series.set(line, points.map(() => null));
    if (typeof value === "number") /** @type {any} */ (series.get(line))[points.indexOf(name(point))] = value;
  };
  for (const row of of.rows) {
    if (of.keys > 1) add(keyOf(of, row, 1), row[0], row[shape.value]);
    else row.forEach((value, i) => { if (i >= of.keys && typeof value === "number") add(of.columns[i], row[0], value); });
  }
  const shown = [...series].slice(0, maxLines).map(([name, values]) => ({ name, values }));
  return { picture: lineChart(label, points, shown), names: shown.map((line) => line.name), note: series.size > maxLines ? `the first ${maxLines} of ${series.size} lines` : "" };
}

/** @param {Rows} of @param {(row: Cell[]) => number} value @param {string} label @param {string} unit */
function heatMap(of, value, label, unit) {
  const allRows = [...new Set(of.rows.map((row) => name(row[0])))], allColumns = [...new Set(of.rows.map((row) => keyOf(of, row, 1)))];
  const down = allRows.slice(0, maxSide), across = allColumns.slice(0, maxSide);
  const narrow = innerWidth < 700, width = narrow ? 400 : 900, left = narrow ? 100 : 200, line = 24, bottom = 24;
  const height = 8 + down.length * line + bottom, step = (width - left - 10) / across.length;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, "font-family": "system-ui, sans-serif" });

  const highest = of.rows.reduce((most, row) => Math.max(most, Math.abs(value(row))), 0) || 1;
  for (const row of of.rows) {
    const y = down.indexOf(name(row[0])), x = across.indexOf(keyOf(of, row, 1));
    if (x < 0 || y < 0) continue;
    svg.append(s("rect", { x: left + x * step, y: 4 + y * line, width: Math.max(1, step - 1), height: line - 1, fill: colour(value(row) < 0 ? 1 : 0), "fill-opacity": 0.06 + 0.94 * Math.abs(value(row)) / highest },
      s("title", null, `${keyOf(of, row)}: ${value(row)}`)));
  }
  down.forEach((text, i) => svg.append(s("text", { fill: "var(--text)", "font-size": 12, x: left - 8, y: 4 + i * line + 16, "text-anchor": "end" }, clip(text, narrow ? 14 : 30))));
  const room = Math.max(1, Math.floor(step / 6.5)), every = Math.max(1, Math.ceil(40 / step));
  across.forEach((text, i) => {
    if (i % every === 0) svg.append(s("text", { fill: "var(--soft)", "font-size": 11, x: left + (i + 0.5) * step, y: height - 8, "text-anchor": "middle" }, clip(text, Math.max(4, room * every))));
  });
  const cut = down.length < allRows.length || across.length < allColumns.length;
  return { picture: svg, note: `the darker, the greater ${unit}; the greatest is ${short(highest)}${cut ? `; the first ${maxSide} of ${Math.max(allRows.length, allColumns.length)} keys` : ""}` };
}

const maxRows = 500;

/** @param {Rows} of @param {string} caption */
export function rowsTable(of, caption) {
  const numeric = of.columns.filter((_, i) => i >= of.keys && of.rows.every((row) => row[i] === null || typeof row[i] === "number"));
  const shown = of.rows.slice(0, maxRows);
  const label = shown.length < of.rows.length ? `${caption}: the first ${maxRows} of ${number(of.rows.length)} rows` : caption;
  return table(label, of.columns, shown.map((row) => row.map((value) => typeof value === "number" ? String(value) : h("bdi", null, name(value)))), numeric);
}
