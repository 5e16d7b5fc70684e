// @ts-check
// Charts as SVG: bars of a density, lines over dates. They export as they are.
import { h, s, short, number, percent, replace } from "./dom.js";
import { bucketName } from "./stats.js";

export const colours = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)", "var(--c7)", "var(--c8)"];

/** Colour of the n-th series. @param {number} n */
export const colour = (n) => colours[n % colours.length];

/** Names with the colours of their series. @param {string[]} names */
export const coloured = (names) => names.map((name, i) => ({ name, colour: colour(i) }));

/** About so many round numbers from 0 (or low) to high. @param {number} low @param {number} high @param {number} about */
export function ticks(low, high, about) {
  if (!(high > low)) return [low];
  const raw = (high - low) / about, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= raw) ?? 10 * size;
  const list = [];
  for (let at = Math.ceil(low / step) * step; at <= high * (1 + 1e-9); at += step) list.push(Number(at.toPrecision(12)));
  return list;
}

/** A legend, with a mark of each series' colour. @param {string[]} names */
export function legend(names) {
  return h("ul", { class: "legend" }, names.map((name, i) => h("li", null,
    s("svg", { viewBox: "0 0 18 10", "aria-hidden": "true" }, s("rect", { width: 18, height: 10, rx: 3, fill: colour(i) })), h("bdi", null, name))));
}

/** An SVG with a frame: numbers at the left. @param {string} label @param {number} width @param {number} height */
function frame(label, width, height) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, "font-family": "system-ui, sans-serif" });
}

/**
 * @typedef {{cumulative: boolean, log: boolean, trim: boolean, overflow: boolean, unit: string, label: string, weight: string, onpick?: (bucket: number) => void}} BarOptions
 * @param {import("./stats.js").Density[]} list densities of one bucketing
 * @param {BarOptions} options
 */
export function bars(list, options) {
  // The picture is as wide as its place; on a narrow screen it has fewer units, so that the text stays readable.
  const width = innerWidth < 700 ? 400 : 900, height = innerWidth < 700 ? 260 : 320, left = 54, right = 12, top = 12, bottom = 46;
  const first = list[0];
  const names = first.bounds ? null : [...new Set(list.flatMap((d) => d.labels))].slice(0, 40);
  const buckets = names ? names.length : first.weights.length;

  // The share of each bucket; what is trimmed at the ends has less than a ten-thousandth in every series.
  const shares = list.map((d) => {
    let below = 0;
    return Array.from({ length: buckets }, (_, i) => {
      const weight = names ? d.weights[d.labels.indexOf(names[i])] ?? 0 : d.weights[i];
      below += weight / d.total;
      return options.cumulative ? below : weight / d.total;
    });
  });
  let from = 0, to = buckets - 1;
  if (!options.overflow && !names && buckets > 3) to--;
  const tiny = (/** @type {number} */ i) => list.every((d) => (names ? 1 : d.weights[i] / d.total) < 0.0001);
  if (options.trim) {
    while (from < to && tiny(from)) from++;
    while (to > from && tiny(to)) to--;
  }

  const shown = to - from + 1;
  const highest = Math.max(1e-9, ...shares.map((share) => Math.max(...share.slice(from, to + 1))));
  const lowest = options.log ? Math.min(...shares.flatMap((share) => share.slice(from, to + 1).filter((v) => v > 0))) / 2 : 0;
  const y = (/** @type {number} */ value) => {
    const part = options.log ? (value <= 0 ? 0 : Math.log(value / lowest) / Math.log(highest / lowest)) : value / highest;
    return height - bottom - Math.max(0, part) * (height - top - bottom);
  };
  const step = (width - left - right) / shown;
  const svg = frame(options.label, width, height);

  const marks = options.log ? logTicks(lowest, highest) : ticks(0, highest, 5);
  for (const tick of marks) {
    svg.append(s("line", { class: "gridline", stroke: "var(--line2)", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      s("text", { class: "axis", fill: "var(--soft)", "font-size": 11, x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, percent(tick).replace(/\.?0+ %/, " %")));
  }
  svg.append(s("line", { stroke: "var(--line)", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));

  // One series as bars, several as outlines over each other.
  shares.forEach((share, n) => {
    if (list.length === 1) {
      for (let i = from; i <= to; i++) {
        const at = y(share[i]);
        svg.append(s("rect", { x: left + (i - from) * step + Math.min(1, step * 0.06), width: Math.max(0.6, step - Math.min(2, step * 0.12)), y: at, height: Math.max(0, height - bottom - at), fill: colour(0), rx: Math.min(2, step / 4) }));
      }
      return;
    }
    let path = `M${left},${height - bottom}`;
    for (let i = from; i <= to; i++) path += `V${y(share[i]).toFixed(1)}H${(left + (i - from + 1) * step).toFixed(1)}`;
    svg.append(s("path", { d: path + `V${height - bottom}Z`, fill: colour(n), "fill-opacity": 0.1, stroke: colour(n), "stroke-width": 1.8, "stroke-linejoin": "round" }));
  });

  // The bounds below: as many as there is room for.
  const write = (/** @type {number} */ n) => short(n);
  const texts = Array.from({ length: shown }, (_, i) => names ? names[i + from] : /^boolean/.test(first.bucketing) ? bucketName(first, i + from, write) : write(first.bounds?.[i + from] ?? 0));
  const longest = Math.max(...texts.map((text) => Math.min(14, text.length)));
  const every = Math.max(1, Math.ceil((longest * 6.5 + 10) / step));
  const centred = names || /^(boolean|enumerated|categorical|flag)/.test(first.bucketing);
  texts.forEach((text, i) => {
    if (i % every) return;
    svg.append(s("text", { class: "axis", fill: "var(--soft)", "font-size": 11, x: left + (i + (centred ? 0.5 : 0)) * step, y: height - bottom + 17, "text-anchor": centred || i > 0 ? "middle" : "start" }, text.length > 14 ? text.slice(0, 13) + "…" : text));
  });
  const unit = options.unit ? `, ${options.unit}` : "";
  svg.append(s("text", { class: "axis", fill: "var(--soft)", "font-size": 11, x: (width + left) / 2, y: height - 8, "text-anchor": "middle" },
    (names ? "category" : width < 500 ? `${first.bucketing}${unit}` : `lower bounds of the buckets (${first.bucketing}${unit})`) + ` · ${options.weight}`));

  // What is below the pointer, or below the keys.
  const tip = h("div", { class: "tooltip", hidden: true });
  const mark = s("rect", { fill: "var(--text)", "fill-opacity": 0.07, y: top, height: height - top - bottom, width: step, visibility: "hidden" });
  svg.append(mark);
  const chart = h("div", { class: "chart", tabindex: 0, role: "group", "aria-label": `${options.label}. Arrow keys read the buckets${options.onpick ? ", Enter shows the records behind one" : ""}.` }, svg, tip);
  let at = -1;
  const show = (/** @type {number} */ i) => {
    at = Math.max(0, Math.min(shown - 1, i));
    const bucket = at + from;
    mark.setAttribute("x", String(left + at * step));
    mark.setAttribute("visibility", "visible");
    const named = names ? names[bucket] : bucketName(first, bucket, number) + (options.unit ? " " + options.unit : "");
    const parts = list.map((d, n) => {
      const weight = names ? d.weights[d.labels.indexOf(names[bucket])] ?? 0 : d.weights[bucket];
      return `${list.length > 1 ? d.name + ": " : ""}${number(Number(weight.toPrecision(4)))} (${percent(shares[n][bucket])})`;
    });
    replace(tip, h("bdi", null, named), " · ", parts.join(" · "));
    tip.hidden = false;
    const share = (left + (at + 0.5) * step) / width;
    const box = chart.getBoundingClientRect();
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.max(half, Math.min(box.width - half, share * box.width))}px`;
    tip.style.top = `${0.16 * box.height}px`;
  };
  const hide = () => { tip.hidden = true; mark.setAttribute("visibility", "hidden"); };
  chart.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    show(Math.floor(((event.clientX - box.left) / box.width * width - left) / step));
  });
  const pick = () => { if (at >= 0 && !names) options.onpick?.(at + from); };
  chart.addEventListener("click", pick);
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") pick();
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    show(at + (event.key === "ArrowLeft" ? -1 : 1));
  });
  return chart;
}

/** @param {number} low @param {number} high */
function logTicks(low, high) {
  const list = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power++) list.push(10 ** power);
  return list;
}

/**
 * Lines over a common axis of times or names, for exports and small results.
 * @param {string} label @param {string[]} names of the points @param {{name: string, values: (number | null)[], dash?: string, colour?: string}[]} series
 */
export function lineChart(label, names, series) {
  const width = innerWidth < 700 ? 400 : 900, height = 320, left = 60, right = 14, top = 12, bottom = 34;
  const all = series.flatMap((one) => one.values.filter((value) => value !== null && Number.isFinite(value)));
  const high = Math.max(1e-9, .../** @type {number[]} */ (all)), low = Math.min(0, .../** @type {number[]} */ (all));
  const x = (/** @type {number} */ i) => left + (names.length < 2 ? 0.5 : i / (names.length - 1)) * (width - left - right);
  const y = (/** @type {number} */ value) => height - bottom - (value - low) / (high - low) * (height - top - bottom);
  const svg = frame(label, width, height);
  for (const tick of ticks(low, high, 5)) {
    svg.append(s("line", { stroke: "var(--line2)", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      s("text", { fill: "var(--soft)", "font-size": 11, x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
  }
  const every = Math.max(1, Math.ceil(names.length / (width / 100)));
  names.forEach((name, i) => {
    if (i % every === 0) svg.append(s("text", { fill: "var(--soft)", "font-size": 11, x: x(i), y: height - bottom + 18, "text-anchor": i === 0 && names.length > 1 ? "start" : "middle" }, name));
  });
  series.forEach((one, n) => {
    let path = "", pen = "M";
    one.values.forEach((value, i) => {
      if (value === null || !Number.isFinite(value)) { pen = "M"; return; }
      path += `${pen}${x(i).toFixed(1)},${y(value).toFixed(1)}`;
      pen = "L";
      if (names.length < 40) svg.append(s("circle", { cx: x(i), cy: y(value), r: 2.5, fill: one.colour ?? colour(n) }));
    });
    svg.append(s("path", { d: path || "M0,0", fill: "none", stroke: one.colour ?? colour(n), "stroke-width": 2, "stroke-dasharray": one.dash ?? "none", "stroke-linejoin": "round" }));
  });
  return svg;
}
