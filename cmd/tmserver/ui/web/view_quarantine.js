// @ts-check
// What was rejected, by class, with examples.
import { h, number, bytes, date, table } from "./dom.js";
import { get } from "./api.js";
import { pretty } from "./view_store.js";

export const title = "Quarantine";

/** @param {HTMLElement} place @param {import("./state.js").State} state */
export async function show(place, state) {
  const { classes } = await get("quarantine");
  const chosen = state.get("class");
  place.append(h("div", { class: "head" }, h("h1", null, "Quarantine"), h("span", { class: "soft small" }, "submissions that could not become records; they are kept, and can be replayed")));
  if (classes.length === 0) {
    place.append(h("div", { class: "card" }, h("p", { class: "empty" }, "Nothing was rejected. Here would stand the classes of what was, with the latest examples.")));
    return;
  }

  /** @type {Map<string, {records: number, bytes: number, last: string}>} */
  const sums = new Map();
  for (const one of classes) {
    const sum = sums.get(one.class) ?? { records: 0, bytes: 0, last: "" };
    sum.records += one.records;
    sum.bytes += one.bytes;
    if (one.date > sum.last) sum.last = one.date;
    sums.set(one.class, sum);
  }
  place.append(h("div", { class: "card" }, table("By class", ["Class", "Submissions", "Size", "Latest"],
    [...sums].sort((a, b) => b[1].records - a[1].records).map(([name, sum]) => [h("a", { href: state.link({ class: name }), "aria-current": name === chosen ? "true" : null }, name), number(sum.records), bytes(sum.bytes), date(sum.last)]), ["Submissions", "Size"])));
  if (!chosen) return;

  const { examples } = await get("quarantine/examples", { class: chosen });
  place.append(h("div", { class: "card" }, h("h2", null, `The latest of ${chosen}`),
    examples.map((/** @type {any} */ one) => h("details", null,
      h("summary", null, h("span", { class: "break" }, h("bdi", null, one.message)), h("span", { class: "soft small" }, ` ${one.time.replace("T", " ").replace("Z", " UTC")}, ${bytes(one.bytes)}`)),
      h("p", { class: "small break mono" }, h("bdi", null, one.path)), h("pre", { tabindex: 0 }, pretty(one.body, one.body.length)))),
    h("h3", null, "Try them again"),
    h("p", { class: "small" }, "When the cause is repaired, this command says what would become of them, and without --dry-run does it:"),
    h("pre", { tabindex: 0 }, `tmserver invalid replay --data-dir DATA --class ${chosen} --dry-run`)));
}
