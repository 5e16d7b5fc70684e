// @ts-check
// Elements, and numbers as people read them. What is put into an element is text, never HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. Properties that begin with "on" are listeners, others attributes.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/**
 * Makes an element of SVG.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function s(tag, properties, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/** @param {any} element @param {Record<string, any> | null | undefined} properties @param {any[]} children */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(2)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** @param {Element} place @param {...(Child | Child[])} children */
export function replace(place, ...children) {
  place.replaceChildren(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false).map((child) => child instanceof Node ? child : String(child)));
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** How far a job is. @param {any} job */
export function progress(job) {
  if (job.state === "queued") return "Waits for its turn…";
  return `Runs: ${number(job.progress.tasks_done)} of ${number(job.progress.tasks)} tasks, ${number(job.progress.records)} records.`;
}

/** Writes a number with as many digits as it deserves. @param {number | null | undefined} n */
export function number(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  const size = Math.abs(n);
  if (size >= 1e15) return n.toExponential(2);
  if (size >= 100 || Number.isInteger(n)) return whole.format(n);
  return String(Number(n.toPrecision(3)));
}

/** @param {number} n */
export function short(n) {
  const size = Math.abs(n);
  for (const [of, name] of /** @type {[number, string][]} */ ([[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])) {
    if (size >= of) return Number((n / (name === "k" ? 1e3 : of)).toPrecision(3)) + name;
  }
  return number(n);
}

/** @param {number} n */
export function bytes(n) {
  for (const [of, name] of /** @type {[number, string][]} */ ([[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])) {
    if (Math.abs(n) >= of) return Number((n / of).toPrecision(3)) + " " + name;
  }
  return number(n) + " B";
}

/** @param {number} share */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  return (value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : value.toFixed(value >= 10 ? 1 : 2)) + " %";
}

/** "20260131" as "2026-01-31"; anything else as it is. @param {string} text */
export function date(text) {
  return /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** A time of the server, in UTC. @param {string} iso */
export function time(iso) { return iso ? iso.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC") : "–"; }

/**
 * A table. Columns whose name is in numeric are aligned to the right.
 * @param {string} caption @param {string[]} columns @param {(Child)[][]} rows @param {string[]} [numeric]
 */
export function table(caption, columns, rows, numeric = []) {
  const kind = columns.map((name) => numeric.includes(name) ? "n" : "break");
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", null, caption),
      h("thead", null, h("tr", null, columns.map((name, i) => h("th", { scope: "col", class: kind[i] === "n" ? "n" : null }, name)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map((cell, i) => h("td", { class: kind[i] }, cell)))))));
}

/** Buttons of which one is pressed. @param {string} label @param {[string, string][]} options @param {string} chosen @param {(value: string) => void} choose */
export function choice(label, options, chosen, choose) {
  return h("div", { class: "choice", role: "group", "aria-label": label },
    options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) }, text)));
}

/** @param {string} label @param {[string, string][]} options @param {string} chosen @param {(value: string) => void} choose */
export function select(label, options, chosen, choose) {
  const list = h("select", { onchange: () => choose(list.value) }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return h("label", { class: "field" }, h("span", null, label), list);
}

/** @param {string} label @param {boolean} checked @param {(checked: boolean) => void} change */
export function check(label, checked, change) {
  const box = h("input", { type: "checkbox", checked, onchange: () => change(box.checked) });
  return h("label", null, box, label);
}

/** A bar that says how large a share is. @param {number} share */
export function bar(share) {
  return h("div", { class: "bar", "aria-hidden": "true" }, s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" },
    s("rect", { width: Math.max(0.5, 100 * share), height: 10, fill: "var(--accent)" })));
}
