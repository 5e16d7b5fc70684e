// @ts-check
// A script's rows that are histograms: drawn with the bounds of their buckets.
import { h, replace, select } from "./dom.js";
import { bars } from "./bars.js";
import { boundsOf } from "./stats.js";

/** @typedef {import("./stats.js").Density} Density @typedef {import("./rows.js").Rows} Rows */

const maxOverlaid = 8, maxChoices = 200;

/** @param {string} name @param {string} bucketing @param {number[]} bounds @param {number[]} weights @param {number} [pings] @param {number} [mean] @returns {Density} */
const density = (name, bucketing, bounds, weights, pings = 0, mean = NaN) => {
  const total = weights.reduce((a, b) => a + b, 0);
  return { name, bucketing, bounds, labels: [], weights, total, pings, clients: 0, samples: total, sum: mean * total || 0, summed: mean * total ? total : 0 };
};

/**
 * The histograms of rows. Those of a table of histograms have each a row, with their bucketing and its counts; else one of
 * all rows, whose key is the lower bound of a bucket, if its name says so or the script does.
 * @param {Rows} of @param {any} wanted the script's chart @returns {Density[]}
 */
export function histogramsOf(of, wanted) {
  const at = of.columns.indexOf("bucketing"), length = of.columns.indexOf("length");
  const counts = of.columns.indexOf(length < 0 ? "buckets" : "numbers");
  if (at >= 0 && counts >= 0) {
    return of.rows.flatMap((row) => {
      const bucketing = String(row[at]);
      let weights = JSON.parse(String(row[counts]));
      if (!Array.isArray(weights)) return [];
      // What is stored has five sums behind its counts.
      if (length >= 0) weights = weights.slice(0, Number(row[length]) - 5);
      const bounds = boundsOf(bucketing, weights.length);
      return bounds && weights.some(Boolean) ? [density(row.slice(0, at).map((cell) => cell ?? "(none)").join(" · "), bucketing, bounds, weights, Number(row[of.columns.indexOf("pings")] ?? 0), Number(row[of.columns.indexOf("mean")] ?? NaN))] : [];
    });
  }

  const value = of.columns.findIndex((name, i) => i > 0 && (wanted?.value ? name === wanted.value : of.rows.every((row) => typeof row[i] === "number")));
  const named = wanted?.type === "histogram" || /^(bound|bucket|lower_?bound|low)$/i.test(of.columns[0] ?? "");
  if (!named || value < 0 || !of.rows.every((row) => typeof row[0] === "number" && Number(row[value]) >= 0)) return [];
  const rows = [...of.rows].sort((a, b) => Number(a[0]) - Number(b[0]));
  const made = density("", of.columns[0], rows.map((row) => Number(row[0])), rows.map((row) => Number(row[value])));
  return made.total > 0 ? [made] : [];
}

/** Histograms over each other if they are few of one bucketing, else one that is chosen. @param {Density[]} list @param {string} label */
export function histogramChart(list, label) {
  const draw = (/** @type {Density[]} */ shown) => bars(shown, { cumulative: false, log: false, trim: true, overflow: true, unit: "", weight: "share of samples", label });
  const together = list.length <= maxOverlaid && list.every((d) => d.bucketing === list[0].bucketing && d.weights.length === list[0].weights.length);
  const place = h("div", null, draw(together ? list : list.slice(0, 1)));
  const choices = list.slice(0, maxChoices).map((d, i) => /** @type {[string, string]} */ ([String(i), d.name]));
  return {
    get picture() { return place.querySelector("svg"); },
    place: h("div", null, together ? null : h("div", { class: "controls" }, select("Histogram", choices, "0", (i) => replace(place, draw([list[Number(i)]])))), place),
    names: together && list.length > 1 ? list.map((d) => d.name) : [],
    note: !together && list.length > maxChoices ? `one of the first ${maxChoices} of ${list.length} histograms` : "",
  };
}
