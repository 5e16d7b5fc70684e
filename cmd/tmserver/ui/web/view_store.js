// @ts-check
// The partitions as a tree with sizes, and the records of a segment one by one.
import { h, replace, number, bytes, date, table, bar } from "./dom.js";
import { get } from "./api.js";

export const title = "Store";

const names = ["Reason", "Application", "Channel", "Version", "Build", "Date"];

/** @param {HTMLElement} place @param {import("./state.js").State} state @param {AbortSignal} signal */
export async function show(place, state, signal) {
  const path = state.all("in");
  const segment = state.get("segment");
  place.append(h("div", { class: "head" }, h("h1", null, "Store"), crumbs(state, path)));
  if (segment) {
    await records(place, state, segment);
    return;
  }

  const { segments } = await get("store");
  const below = segments.filter((/** @type {any} */ s) => !s.quarantined && path.every((value, i) => s.dims[i] === value));
  if (below.length === 0) {
    place.append(h("div", { class: "card" }, h("p", { class: "empty" }, segments.length ? "There are no records of these values any more." : "The store is empty: nothing has been converted yet.")));
    return;
  }
  const all = below.reduce((/** @type {number} */ n, /** @type {any} */ s) => n + s.bytes, 0);
  if (path.length < names.length) {
    const level = path.length;
    /** @type {Map<string, {records: number, bytes: number, files: Set<string>}>} */
    const sums = new Map();
    for (const s of below) {
      const sum = sums.get(s.dims[level]) ?? { records: 0, bytes: 0, files: new Set() };
      sum.records += Math.max(0, s.records);
      sum.bytes += s.bytes;
      sum.files.add(s.path);
      sums.set(s.dims[level], sum);
    }
    const rows = [...sums].sort((a, b) => b[1].bytes - a[1].bytes).map(([value, sum]) => [
      h("a", { href: state.link({ in: [...path, value] }) }, h("bdi", null, level === 5 ? date(value) : value)), number(sum.records), number(sum.files.size), bytes(sum.bytes), bar(sum.bytes / all)]);
    place.append(h("div", { class: "card" }, table(`${number(sums.size)} values of ${names[level].toLowerCase()}, ${bytes(all)} together`, [names[level], "Records", "Segments", "Size", "Share"], rows, ["Records", "Segments", "Size"])));
    return;
  }
  place.append(h("div", { class: "card" }, table("Segments of this partition", ["Segment", "Form", "Records", "Size"],
    below.map((/** @type {any} */ s) => [h("a", { href: state.link({ segment: s.path }) }, s.path), s.columns ? "columns, shared" : "rows", number(s.records), bytes(s.bytes)]), ["Records", "Size"])));
}

/** @param {import("./state.js").State} state @param {string[]} path */
function crumbs(state, path) {
  const parts = [h("a", { href: state.link({ in: null, segment: null, from: null }) }, "all")];
  path.forEach((value, i) => parts.push(" / ", h("a", { href: state.link({ in: path.slice(0, i + 1), segment: null, from: null }) }, h("bdi", null, value))));
  return h("nav", { "aria-label": "Place in the store", class: "small" }, h("span", null, parts));
}

/** @param {HTMLElement} place @param {import("./state.js").State} state @param {string} segment */
async function records(place, state, segment) {
  const from = Number(state.get("from", "0")) || 0, count = 10;
  const answer = await get("store/records", { path: segment, from: String(from), count: String(count) });
  const list = answer.records.map((/** @type {any} */ record, /** @type {number} */ i) => h("details", { open: i === 0 && answer.records.length === 1 ? true : null },
    h("summary", null, h("bdi", { class: "mono break" }, record.id), h("span", { class: "soft small" }, ` ${bytes(record.bytes)}`)),
    h("pre", { tabindex: 0 }, pretty(record.text, record.bytes))));
  place.append(h("div", { class: "card" }, h("h2", { class: "mono break" }, segment),
    h("p", { class: "controls" },
      h("button", { type: "button", disabled: from === 0, onclick: () => state.change({ from: String(Math.max(0, from - count)) }) }, "Earlier"),
      h("span", { class: "soft" }, answer.records.length ? `records ${from + 1} to ${from + answer.records.length}` : "no more records"),
      h("button", { type: "button", disabled: answer.records.length < count, onclick: () => state.change({ from: String(from + count) }) }, "Later")),
    list.length ? list : h("p", { class: "empty" }, "The segment has no record here.")));
}

/** JSON with line breaks; what was cut is shown as it is. @param {string} text @param {number} size */
export function pretty(text, size) {
  try {
    return JSON.stringify(JSON.parse(text), (_, value) => Array.isArray(value) && value.every((one) => typeof one === "number") ? JSON.stringify(value) : value, 2);
  } catch {
    return text + (size > text.length ? `\n… ${bytes(size - text.length)} more; tmserver cat prints all` : "");
  }
}
