// @ts-check
// The numbers below densities: percentiles in three modes, and differences with intervals.
import { h, number, table } from "./dom.js";
import { percentile, mean, difference } from "./stats.js";

/** @typedef {import("./stats.js").Density} Density */

export const allPercentiles = ["0.1", "1", "5", "25", "50", "75", "95", "99", "99.9"];

/** @param {HTMLElement} place @param {Density[]} list of one bucketing @param {boolean} byClient @param {string} unit */
export function drawNumbers(place, list, byClient, unit) {
  if (!list[0].bounds) return;
  const modes = ["lower", "linear", "geometric"];
  const clients = (/** @type {Density} */ d) => d.clients ? `, ${number(Math.round(d.clients))} clients` : "";
  place.append(h("div", { class: "card" }, h("h2", null, "Percentiles"), list.map((d) => table(`${list.length > 1 ? d.name + ": " : ""}${number(d.pings)} pings, ${number(d.samples)} samples${clients(d)}, mean ${number(mean(d, byClient))}${unit ? " " + unit : ""}`,
    ["Percentile", "Lower bound", "Linear", "Geometric"], allPercentiles.map((p) => [p, ...modes.map((mode) => number(percentile(d, Number(p), mode)))]), ["Percentile", "Lower bound", "Linear", "Geometric"]))));
  if (list.length > 1) drawDifferences(place, list, byClient);
}

/** @param {HTMLElement} place @param {Density[]} list @param {boolean} byClient */
function drawDifferences(place, list, byClient) {
  const rows = [];
  for (const other of list.slice(1)) {
    for (const [label, of] of /** @type {[string, (d: Density) => number][]} */ ([["median", (d) => percentile(d, 50, "linear")], ["95th percentile", (d) => percentile(d, 95, "linear")], ["mean of buckets", (d) => mean(d, true)]])) {
      const found = difference(list[0], other, byClient, of);
      const clear = found.low > 0 || found.high < 0;
      rows.push([`${other.name} − ${list[0].name}`, label, number(found.value), `${number(found.low)} to ${number(found.high)}`, h("span", { class: `badge ${clear ? "bad" : ""}` }, clear ? "differs" : "may be chance")]);
    }
  }
  place.append(h("div", { class: "card" }, h("h2", null, "Differences"), table(`95 % bootstrap intervals, as if each ${byClient ? "client" : "ping"} had one sample`, ["Difference", "Of", "Value", "Interval", ""], rows, ["Value", "Interval"])));
}
