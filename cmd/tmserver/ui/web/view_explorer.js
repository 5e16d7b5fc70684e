// @ts-check
// The measure explorer: how a measure changes (evolution), and how its values lie (distribution).
import { h, replace, number, short, percent, date, time, table, choice, select, check } from "./dom.js";
import { get } from "./api.js";
import { density, percentile, mean, bucketName, unitOf, hasRanges } from "./stats.js";
import { bars, legend, colour, coloured, lineChart } from "./bars.js";
import { lines } from "./lines.js";
import { tools } from "./export.js";
import { distributions, recordsBehind } from "./behind.js";
import { allPercentiles, drawNumbers } from "./numbers.js";
import { drawCohort } from "./cohort.js";

export const title = "Explorer";

/** @typedef {import("./stats.js").Density} Density @typedef {import("./stats.js").Sum} Sum @typedef {import("./state.js").State} State */

const fields = /** @type {[string, string][]} */ ([["application", "Application"], ["channel", "Channel"], ["version", "Version"], ["build", "Build"], ["os", "System"], ["process", "Process"], ["key", "Key"], ["reason", "Reason"]]);
const maxSeries = 8;

/** @param {HTMLElement} place @param {State} state @param {AbortSignal} signal */
export async function show(place, state, signal) {
  const contents = await get("measures");
  const measure = state.get("measure");
  const main = h("div", null), finder = h("div", { class: "card finder" });
  place.append(h("div", { class: "explorer" }, finder, main));
  drawFinder(finder, state, contents.measures);

  if (contents.days.length === 0 || contents.measures.length === 0) {
    const making = contents.days.some((/** @type {any} */ day) => day.making || day.missing);
    main.append(h("div", { class: "card" }, h("p", { class: "empty" }, making ? "The sums of each day are being made; this page shows them when they are there."
      : "There is nothing to explore yet: measures appear when the first pings have been converted."), making ? null : h("p", { class: "empty" }, h("a", { href: "#/overview" }, "How to send the first ping"))));
    again(state, signal, 2000);
    return;
  }
  if (!measure) {
    drawWelcome(main, state, contents);
    return;
  }

  const where = Object.fromEntries([...fields.map(([name]) => name), "date"].map((name) => [name, state.all(name)]));
  const evolution = state.get("show", "evolution") === "evolution";
  const by = evolution ? state.get("by", "date") : "";
  const across = state.get("across");
  const range = { from: state.get("from"), to: state.get("to") };
  const [sums, definition, versions] = await Promise.all([
    get("measures/sums", { measure, ...where, ...range, by, across }),
    get("measures/definition", { measure }),
    by === "date" && across !== "version" ? get("measures/sums", { measure, ...where, ...range, by: "date", across: "version" }) : null,
  ]);
  if (signal.aborted) return;

  main.append(h("div", { class: "head" }, h("h1", null, h("bdi", null, measure)), h("span", { class: "badge" }, sums.kind || "no such measure")));
  if (definition.known) {
    main.append(h("p", { class: "soft small" }, definition.description, definition.kind ? ` · ${definition.kind}` : "", definition.expires ? ` · expires: ${definition.expires}` : "",
      (definition.bugs ?? []).length ? ` · bugs ${definition.bugs.join(", ")}` : ""));
  }
  const byClient = state.get("weigh") === "clients";
  drawControls(main, state, sums, evolution);
  drawFreshness(main, contents.days, state, signal);
  if (sums.groups.length === 0) {
    main.append(h("div", { class: "card" }, h("p", { class: "empty" }, "No ping has this measure with these choices."), h("p", { class: "empty" }, h("a", { href: state.link(Object.fromEntries([...fields.map(([name]) => [name, null]), ["from", null], ["to", null]])) }, "Choose everything"))));
    return;
  }
  const view = { state, measure, sums, byClient, unit: unitOf(measure, sums.kind), labels: definition.labels ?? null };
  if (evolution) drawEvolution(main, view, by, across, versions, signal);
  else {
    drawDistribution(main, view, across);
    await drawCohort(main, view, signal);
  }
}

/** Loads the view again after some time. @param {State} state @param {AbortSignal} signal @param {number} ms */
function again(state, signal, ms) {
  const timer = setTimeout(() => { if (!signal.aborted && !document.hidden) dispatchEvent(new Event("hashchange")); }, ms);
  signal.addEventListener("abort", () => clearTimeout(timer));
}

/** @param {HTMLElement} place @param {State} state @param {any[]} measures */
function drawFinder(place, state, measures) {
  const list = h("ul", { id: "found" });
  const count = h("p", { class: "small soft", role: "status" });
  const fill = (/** @type {string} */ text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = measures.filter((m) => words.every((word) => m.name.toLowerCase().includes(word) || m.kind.includes(word)));
    replace(count, `${number(found.length)} of ${number(measures.length)} measures`);
    replace(list, found.slice(0, 200).map((m) => h("li", null, h("a", { href: state.link({ measure: m.name, key: null, zoom: null, pin: null, share: null }), "aria-current": m.name === state.get("measure") ? "true" : null, title: `${m.name}, ${m.kind}, ${number(m.pings)} pings` },
      h("span", null, h("bdi", null, m.name)), h("span", { class: "kind" }, short(m.pings))))));
  };
  const search = h("input", { type: "search", placeholder: "Find a measure", "aria-label": "Find a measure", "aria-controls": "found", value: finding, oninput: () => fill(finding = search.value) });
  place.append(search, count, list);
  fill(finding);
  requestAnimationFrame(() => list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }));
}

let finding = "";

/** @param {HTMLElement} place @param {State} state @param {any} contents */
function drawWelcome(place, state, contents) {
  const kinds = new Map();
  for (const m of contents.measures) kinds.set(m.kind, (kinds.get(m.kind) ?? 0) + 1);
  const often = [...contents.measures].sort((/** @type {any} */ a, /** @type {any} */ b) => b.pings - a.pings).slice(0, 12);
  place.append(h("div", { class: "head" }, h("h1", null, "Explorer")),
    h("div", { class: "card" }, h("h2", null, "Choose a measure"), h("p", null, `There are ${number(contents.measures.length)} measures of ${number(contents.days.length)} days: ${[...kinds].map(([kind, n]) => `${number(n)} ${kind.replaceAll("_", " ")}${n === 1 ? "" : "s"}`).join(", ")}.`),
      table("The most frequent", ["Measure", "Kind", "Pings", "First", "Last"], often.map((/** @type {any} */ m) => [h("a", { href: state.link({ measure: m.name }) }, m.name), m.kind, number(m.pings), date(m.first), date(m.last)]), ["Pings"])));
}

/** @param {HTMLElement} place @param {State} state @param {any} sums @param {boolean} evolution */
function drawControls(place, state, sums, evolution) {
  const filters = fields.map(([name, label]) => {
    const choices = (sums.choices[name] ?? []).map((/** @type {any} */ one) => one.value);
    const chosen = state.get(name);
    if (choices.length < 2 && !chosen) return null;
    if (chosen && !choices.includes(chosen)) choices.push(chosen);
    return select(label, [["", "all"], ...choices.map((/** @type {string} */ value) => /** @type {[string, string]} */ ([value, value || "(none)"]))], chosen, (value) => state.change({ [name]: value || null }));
  });
  const dates = (sums.choices.date ?? []).map((/** @type {any} */ one) => one.value).sort();
  const day = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ otherwise) => {
    const given = state.get(name, otherwise);
    const input = h("input", { type: "date", value: date(given), onchange: () => state.change({ [name]: input.value.replaceAll("-", "") || null, zoom: null, pin: null }) });
    return h("label", { class: "field" }, h("span", null, label), input);
  };
  const compare = /** @type {[string, string][]} */ ([["", "nothing"], ...fields.filter(([name]) => name !== state.get("by") && (sums.choices[name] ?? []).length > 1).map(([name, label]) => /** @type {[string, string]} */ ([name, label.toLowerCase()]))]);
  // What narrows is below, folded where there is little room.
  const narrowed = fields.filter(([name]) => state.get(name)).length + (state.get("from") || state.get("to") ? 1 : 0);
  const more = h("details", { class: "more", open: innerWidth > 600 },
    h("summary", null, narrowed ? `Narrowed by ${narrowed}` : "All pings; narrow them"),
    h("div", { class: "controls" }, filters, day("from", "From", dates[0] ?? ""), day("to", "To", dates.at(-1) ?? "")));
  place.append(h("div", { class: "card" }, h("div", { class: "controls" },
    choice("View", [["evolution", "Evolution"], ["distribution", "Distribution"]], evolution ? "evolution" : "distribution", (value) => state.change({ show: value })),
    choice("Weight", [["pings", "Per ping"], ["clients", "Per client"]], state.get("weigh", "pings"), (value) => state.change({ weigh: value })),
    evolution ? select("Over", [["date", "submission date"], ["build", "build"], ["version", "version"]], state.get("by", "date"), (value) => state.change({ by: value, zoom: null, pin: null })) : null,
    select("Compare", compare, state.get("across"), (value) => state.change({ across: value || null })),
    ), more));
}

/** @param {HTMLElement} place @param {any[]} days @param {State} state @param {AbortSignal} signal */
function drawFreshness(place, days, state, signal) {
  const made = days.map((day) => day.made).filter(Boolean).sort().at(-1);
  const missing = days.reduce((n, day) => n + day.missing, 0);
  const text = missing ? `${number(missing)} newer segments are not in these sums yet; they are being added.` : `These sums have every record that is published; the latest day was made ${time(made)}.`;
  place.append(h("p", { class: "small soft", role: "status" }, text));
  if (missing) again(state, signal, 3000);
}

/** What one line shows of a density. @param {any} view @returns {{key: string, name: string, of: (d: Density) => number, dash?: number[]}[]} */
function statistics(view) {
  const { state, byClient } = view;
  const mode = state.get("mode", "linear");
  const what = state.get("line", "percentiles");
  if (what === "mean") return [{ key: "mean", name: "mean", of: (d) => mean(d, byClient) }];
  if (what === "share") {
    const bucket = state.get("share");
    return [{ key: "share", name: `share of ${bucket}`, of: (d) => 100 * shareOf(d, bucket) }];
  }
  const chosen = state.has("p") ? state.all("p") : ["5", "50", "95"];
  return chosen.map((p) => ({ key: p, name: p === "50" ? "median" : `${p}${p === "1" ? "st" : "th"} percentile`, of: (d) => percentile(d, Number(p), mode), dash: p === "50" ? undefined : Number(p) < 50 ? [3, 3] : [7, 4] }));
}

/** @param {Density} d @param {string} bucket its name */
function shareOf(d, bucket) {
  const at = d.bounds ? d.weights.findIndex((_, i) => bucketName(d, i, number) === bucket) : d.labels.indexOf(bucket);
  return at < 0 ? 0 : d.weights[at] / d.total;
}

/** @param {string} by @param {string} value */
function position(by, value) {
  const found = by === "date" ? /^(\d{4})(\d\d)(\d\d)()()$/.exec(value) : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)/.exec(value);
  return found ? Date.UTC(+found[1], +found[2] - 1, +found[3], +(found[4] || 0), +(found[5] || 0)) / 1000 : null;
}

/** @param {string} a @param {string} b */
const byVersion = (a, b) => a.localeCompare(b, "en", { numeric: true });

/** @param {HTMLElement} place @param {any} view @param {string} by @param {string} across @param {any} versions @param {AbortSignal} signal */
function drawEvolution(place, view, by, across, versions, signal) {
  const { state, sums, byClient, unit } = view;
  /** @type {Sum[]} */
  const groups = sums.groups;
  const points = [...new Set(groups.map((sum) => sum.by))].sort(by === "version" ? byVersion : undefined);
  const times = points.map((point) => position(by, point));
  const isTime = by !== "version" && times.every((at) => at !== null);
  const x = isTime ? /** @type {number[]} */ (times) : points.map((_, i) => i);
  const names = points.map((point) => by === "date" ? date(point) : point);

  // The series: one, or one for each value that is compared, the most frequent first.
  const pings = new Map();
  for (const sum of groups) pings.set(sum.across, (pings.get(sum.across) ?? 0) + sum.pings);
  const series = [...pings].sort((a, b) => b[1] - a[1]).map(([name]) => name).slice(0, maxSeries);
  /** @type {Map<string, (Density | null)[]>} */
  const densities = new Map();
  for (const name of series) {
    densities.set(name, points.map((point) => density(name || view.measure, groups.filter((sum) => sum.by === point && sum.across === name), sums.bounds, byClient)));
  }

  const all = [...densities.values()].flat().filter((d) => d !== null);
  const labelled = all.length > 0 && all.every((d) => !d.bounds);
  const stats = labelled && state.get("line", "percentiles") !== "share" ? [] : statistics(view);
  const least = Number(state.get("min", "0")) || 0;
  const few = points.filter((_, i) => series.every((name) => (densities.get(name)?.[i]?.clients ?? 0) < least));

  const made = [];
  series.forEach((name, n) => {
    const list = densities.get(name) ?? [];
    stats.forEach((stat, k) => {
      const values = list.map((d) => d ? finite(stat.of(d)) : null);
      const enough = values.map((value, i) => (list[i]?.clients ?? 0) >= least ? value : null);
      const colourOf = across ? colour(n) : colour(k);
      made.push({ name: `${across ? (name || "(none)") + ", " : ""}${stat.name}`, colour: colourOf, dash: across ? stat.dash : undefined, values: enough });
      if (least) made.push({ name: "", colour: "var(--grey)", dash: [2, 3], width: 1, values: values.map((value, i) => (list[i]?.clients ?? 0) < least ? value : null), points: true });
    });
  });

  const picture = () => lineChart(`${view.measure} over ${by}`, names, made.filter((line) => line.name).map((line) => ({ ...line, dash: line.dash?.join(" ") })));
  const exported = () => ({
    title: view.measure, subtitle: subtitle(view, `by ${by}`), picture, legend: made.filter((line) => line.name),
    columns: [by, ...(across ? [across] : []), ...stats.map((stat) => stat.name), "pings", "samples", "clients"],
    rows: points.flatMap((point, i) => series.flatMap((name) => {
      const d = densities.get(name)?.[i];
      return d ? [[date(point), ...(across ? [name] : []), ...stats.map((stat) => finite(stat.of(d))), d.pings, d.samples, Number(d.clients.toFixed(3))]] : [];
    })),
  });

  const chart = h("div", { class: "chart" });
  const compared = h("div", null);
  const pinned = points.indexOf(state.get("pin"));
  const zoomText = state.get("zoom").split("~").map(Number);
  const zoom = /** @type {[number, number] | null} */ (zoomText.length === 2 && zoomText.every(Number.isFinite) ? zoomText : null);
  const onzoom = (/** @type {[number, number] | null} */ range) => state.change({ zoom: range ? range.map((at) => at.toFixed(2)).join("~") : null });
  const onpin = (/** @type {number} */ i) => state.change({ pin: state.get("pin") === points[i] ? null : points[i] });
  const reading = h("p", { class: "small soft", role: "status" });
  const onpoint = (/** @type {number | null} */ i) => {
    replace(reading, i === null ? "The pointer or the arrow keys read a point; a click or Enter pins it." : `${names[i]}: ${made.filter((line) => line.name).map((line) => `${line.name} ${number(line.values[i])}`).join(" · ")}`);
    drawCompared(compared, view, points, names, densities, pinned, i, stats);
  };

  const percentiles = h("fieldset", { class: "checks" }, h("legend", null, "Percentiles"), allPercentiles.map((p) => {
    const chosen = state.has("p") ? state.all("p") : ["5", "50", "95"];
    return check(p, chosen.includes(p), (on) => state.change({ p: allPercentiles.filter((one) => one === p ? on : chosen.includes(one)) }));
  }));
  const buckets = shareChoices(all);
  const minimum = h("input", { type: "number", min: 0, class: "short", value: state.get("min", "0"), onchange: () => state.change({ min: minimum.value === "0" ? null : minimum.value }) });
  place.append(h("div", { class: "card" },
    h("div", { class: "controls" },
      labelled ? null : choice("Line", [["percentiles", "Percentiles"], ["mean", "Mean"], ["share", "Share"]], state.get("line", "percentiles"), (value) => state.change({ line: value, share: value === "share" ? buckets[0] ?? null : null })),
      stats[0]?.key === "share" || labelled ? select("Share of", buckets.map((name) => /** @type {[string, string]} */ ([name, name])), state.get("share"), (value) => state.change({ share: value, line: "share" })) : null,
      !labelled && state.get("line", "percentiles") === "percentiles" ? [percentiles, modes(state)] : null,
      h("label", { class: "field" }, h("span", null, "Fewest clients"), minimum),
      h("span", { class: "grow" }), tools(exported)),
    legendOf(made),
    labelled && stats.length === 0 ? h("p", { class: "empty" }, "These values are names, so there are no percentiles. Choose a name to see its share.") : chart,
    h("p", { class: "small soft" }, subtitle(view, ""), unit ? ` Unit: ${stats[0]?.key === "share" ? "%" : unit}.` : "", " Drag to zoom, double-click to see all."), reading,
    pings.size > maxSeries ? h("p", { class: "notice" }, `The ${maxSeries} most frequent of ${pings.size} values are shown.`) : null,
    sums.leftOut ? h("p", { class: "notice" }, `${number(sums.leftOut)} groups with few pings are left out.`) : null,
    few.length ? h("p", { class: "notice" }, `${few.length} of ${points.length} points have fewer than ${number(least)} clients and are grey.`) : null,
    h("div", { class: "small-charts" }, ["pings", "samples", "clients"].map((of, n) => {
      const small = h("div", { class: "chart" });
      lines(small, { x, time: isTime, dates: isTime, names: isTime ? undefined : names, height: 92, small: true, sync: "explorer", range: zoom, label: `${of} by ${by}`, pinned: pinned < 0 ? undefined : pinned, onzoom, onpin,
        lines: series.map((name, k) => ({ name: `${name} ${of}`, colour: across ? colour(k) : colour(n + 4), values: (densities.get(name) ?? []).map((d) => d ? /** @type {any} */ (d)[of] : null) })) }, signal);
      return h("div", null, h("h3", null, of[0].toUpperCase() + of.slice(1)), small);
    })),
    compared));

  if (!(labelled && stats.length === 0)) {
    lines(chart, { x, time: isTime, dates: isTime, names: isTime ? undefined : names, height: 300, sync: "explorer", range: zoom, label: `${view.measure} by ${by}: ${made.map((line) => line.name).filter(Boolean).join(", ")}`,
      pinned: pinned < 0 ? undefined : pinned, marks: versionMarks(versions, points, x), lines: made, onpoint, onpin, onzoom }, signal);
  }
  onpoint(null);
  const shown = exported();
  place.append(h("details", { class: "card" }, h("summary", null, "As a table"), table(`${view.measure} by ${by}`, shown.columns, shown.rows.map((row) => row.map((cell) => typeof cell === "number" ? number(cell) : cell)), shown.columns.slice(across ? 2 : 1))));
}

/** @param {number} value */
const finite = (value) => Number.isFinite(value) ? value : null;

/** @param {{name: string, colour: string}[]} made */
function legendOf(made) {
  const named = made.filter((line) => line.name);
  if (named.length > 12) return legend([...new Set(named.map((line) => line.name.replace(/, [^,]*$/, "")))]);
  const list = legend(named.map((line) => line.name));
  list.querySelectorAll("rect").forEach((/** @type {SVGRectElement} */ rect, /** @type {number} */ i) => rect.setAttribute("fill", named[i].colour));
  return list;
}

/** @param {State} state */
const modes = (state) => select("Within a bucket", [["linear", "linear"], ["lower", "lower bound"], ["geometric", "geometric"]], state.get("mode", "linear"), (value) => state.change({ mode: value }));

/** Names of the buckets that have samples, the most frequent first. @param {Density[]} all */
function shareChoices(all) {
  const weights = new Map();
  for (const d of all) d.weights.forEach((weight, i) => { if (weight) { const name = bucketName(d, i, number); weights.set(name, (weights.get(name) ?? 0) + weight); } });
  return [...weights].sort((a, b) => b[1] - a[1]).map(([name]) => name).slice(0, 60);
}

/** Where the version that most pings have changes. @param {any} versions @param {string[]} points @param {number[]} x */
function versionMarks(versions, points, x) {
  if (!versions) return [];
  const marks = [];
  let last = "";
  points.forEach((point, i) => {
    const top = versions.groups.filter((/** @type {Sum} */ sum) => sum.by === point).sort((/** @type {Sum} */ a, /** @type {Sum} */ b) => b.pings - a.pings)[0]?.across ?? "";
    if (top && last && top !== last) marks.push({ x: x[i], text: top });
    last = top || last;
  });
  return marks;
}

/** @param {any} view @param {string} more */
function subtitle(view, more) {
  const chosen = fields.filter(([name]) => view.state.get(name)).map(([name, label]) => `${label.toLowerCase()} ${view.state.all(name).join(", ")}`);
  const weight = view.byClient ? `Each client weighs the same: it has one vote in a day and partition, which its pings share.${view.sums.anonymous ? " Pings without a client ID do not count." : ""}` : "Each sample weighs the same.";
  return [weight, chosen.length ? `Chosen: ${chosen.join(" · ")}.` : "All pings.", more].filter(Boolean).join(" ");
}

/** The pinned point against the one below the pointer. */
function drawCompared(/** @type {HTMLElement} */ place, /** @type {any} */ view, /** @type {string[]} */ points, /** @type {string[]} */ names, /** @type {Map<string, (Density | null)[]>} */ densities, /** @type {number} */ pinned, /** @type {number | null} */ hovered, /** @type {any[]} */ stats) {
  if (pinned < 0) return;
  const list = [...densities.values()][0] ?? [];
  const other = hovered ?? points.length - 1;
  const a = list[pinned], b = list[other];
  if (!a || !b || a.bucketing !== b.bucketing) {
    replace(place, h("p", { class: "notice" }, "The pinned point has no samples, or other buckets than the one that it is compared with."));
    return;
  }
  const pair = [{ ...a, name: `${names[pinned]} (pinned)` }, { ...b, name: names[other] }];
  const rows = stats.map((stat) => [stat.name, stat.of(a), stat.of(b)]).concat([["mean", mean(a, view.byClient), mean(b, view.byClient)]]);
  replace(place, h("h3", null, `${names[pinned]} against ${names[other]}`), legend(pair.map((d) => d.name)),
    bars(pair, { cumulative: false, log: false, trim: true, overflow: true, unit: view.unit, label: `${names[pinned]} against ${names[other]}`, weight: view.byClient ? "share of clients" : "share of samples" }),
    table("Differences", ["", names[pinned], names[other], "Difference"], rows.map(([name, x, y]) => [name, number(/** @type {number} */ (x)), number(/** @type {number} */ (y)), number(/** @type {number} */ (y) - /** @type {number} */ (x))]), [names[pinned], names[other], "Difference"]));
}

/** @param {HTMLElement} place @param {any} view @param {string} across */
function drawDistribution(place, view, across) {
  const { state, sums, byClient, unit } = view;
  const pings = new Map();
  for (const sum of sums.groups) pings.set(sum.across, (pings.get(sum.across) ?? 0) + sum.pings);
  const series = [...pings].sort((a, b) => b[1] - a[1]).map(([name]) => name).slice(0, maxSeries);
  const found = series.map((name) => density(across ? name || "(none)" : view.measure, sums.groups.filter((/** @type {Sum} */ sum) => sum.across === name), sums.bounds, byClient)).filter((d) => d !== null);
  if (found.length === 0) {
    place.append(h("div", { class: "card" }, h("p", { class: "empty" }, byClient ? "None of these pings names a client, so nothing can be weighed by client." : "The pings have this measure, but no samples in it.")));
    return;
  }
  const list = found.filter((d) => d.bucketing === found[0].bucketing);
  if (view.labels && /^categorical/.test(list[0].bucketing)) name(list, view.labels);

  const on = (/** @type {string} */ flag, /** @type {boolean} */ otherwise = false) => state.has(flag) ? state.get(flag) === "1" : otherwise;
  const flag = (/** @type {string} */ key, /** @type {string} */ label, /** @type {boolean} */ otherwise) => check(label, on(key, otherwise), (checked) => state.change({ [key]: checked === otherwise ? null : checked ? "1" : "0" }));
  const weight = byClient ? "share of clients" : "share of samples";
  const options = { cumulative: on("cumulative"), log: on("log"), trim: on("trim", true), overflow: on("overflow", true), unit, weight, label: `Distribution of ${view.measure}`,
    onpick: distributions.includes(sums.kind) ? (/** @type {number} */ bucket) => {
      const address = list[0].bounds && recordsBehind(view, list[0].bounds[bucket], list[0].bounds[bucket + 1]);
      if (address) location.hash = address;
    } : undefined };
  const sideBySide = on("side") && list.length > 1;
  const charts = sideBySide ? list.map((d) => h("div", null, h("h3", null, d.name), bars([d], { ...options, label: `${options.label}, ${d.name}` }))) : [bars(list, options)];

  const buckets = (list[0].bounds ? list[0].weights.map((_, i) => i) : list[0].labels.map((_, i) => i)).filter((i) => list.some((d) => d.weights[i]));
  const weightAt = (/** @type {Density} */ d, /** @type {number} */ i) => d.bounds ? d.weights[i] : d.weights[d.labels.indexOf(list[0].labels[i])] ?? 0;
  const exported = () => ({
    title: view.measure, subtitle: subtitle(view, "distribution"), legend: list.length > 1 ? coloured(list.map((d) => d.name)) : [],
    picture: () => (sideBySide ? bars(list, options) : charts[0]).querySelector("svg"), // over each other: one picture
    columns: ["bucket", ...list.flatMap((d) => list.length > 1 ? [`${d.name} ${byClient ? "clients" : "samples"}`, `${d.name} share`] : [byClient ? "clients" : "samples", "share"])],
    rows: buckets.map((i) => [bucketName(list[0], i, number), ...list.flatMap((d) => [Number(weightAt(d, i).toPrecision(6)), Number((weightAt(d, i) / d.total).toPrecision(6))])]),
  });

  place.append(h("div", { class: "card" },
    h("div", { class: "controls" }, h("fieldset", { class: "checks" }, h("legend", null, "Chart"),
      flag("cumulative", "cumulative", false), flag("log", "log scale", false), list[0].bounds ? flag("trim", "trim empty ends", true) : null, list[0].bounds && hasRanges(list[0]) ? flag("overflow", "overflow bucket", true) : null, list.length > 1 ? flag("side", "side by side", false) : null),
      h("span", { class: "grow" }), tools(exported)),
    list.length > 1 && !sideBySide ? legend(list.map((d) => d.name)) : null, charts,
    h("p", { class: "small soft" }, subtitle(view, ""), options.onpick && list[0].bounds ? " A click on a bar leads to the records behind it." : ""),
    found.length > list.length ? h("p", { class: "notice" }, `${found.length - list.length} values have other buckets and are not shown.`) : null,
    pings.size > maxSeries ? h("p", { class: "notice" }, `The ${maxSeries} most frequent of ${pings.size} values are shown.`) : null));

  drawNumbers(place, list, byClient, unit);
  const rows = exported();
  place.append(h("details", { class: "card" }, h("summary", null, "As a table"), table(`${number(rows.rows.length)} buckets with samples`, rows.columns,
    rows.rows.map((row) => row.map((cell, i) => typeof cell === "number" ? (i % 2 === 0 ? percent(cell) : number(cell)) : cell)), rows.columns.slice(1))));
}

/** Buckets of a categorical histogram have names. @param {Density[]} list @param {string[]} labels */
function name(list, labels) {
  for (const d of list) {
    d.bounds = null;
    d.labels = d.weights.map((_, i) => labels[i] ?? `spare ${i}`).filter((_, i) => i < labels.length || d.weights[i]);
    d.weights = d.weights.filter((weight, i) => i < labels.length || weight);
  }
}
