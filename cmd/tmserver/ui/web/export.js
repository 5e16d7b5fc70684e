// @ts-check
// What is shown, as files: data as CSV and JSON, pictures as PNG and SVG, and one HTML file with all of it.
import { h, s } from "./dom.js";

/** @typedef {{title: string, subtitle: string, columns: string[], rows: (string | number | null)[][], picture: () => SVGElement | null, legend?: {name: string, colour: string}[]}} Exported */

/** @param {string} name @param {string} type @param {BlobPart} content */
function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {string} title */
const fileName = (title) => title.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80) || "telemetry";

/** Cells that a spreadsheet would run are quoted with an apostrophe. @param {string | number | null} cell */
function csvCell(cell) {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const safe = /^[=+\-@\t\r]/.test(cell) ? "'" + cell : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {Exported} of */
export const csv = (of) => [of.columns, ...of.rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";

/** @param {Exported} of */
export const json = (of) => JSON.stringify({ title: of.title, subtitle: of.subtitle, address: location.href,
  rows: of.rows.map((row) => Object.fromEntries(of.columns.map((name, i) => [name, row[i]]))) }, null, 1);

const titleHeight = 30, lineHeight = 18;

/** The picture as a file of its own, with title and legend, and the colours of the theme in place of variables. @param {Exported} of @param {boolean} titled */
function standalone(of, titled) {
  const picture = of.picture();
  if (!picture) throw new Error("there is no picture");
  const [, , width, drawn] = (picture.getAttribute("viewBox") ?? "0 0 900 320").split(" ").map(Number);
  const legend = of.legend ?? [], top = titled ? titleHeight : 0, below = top + drawn;
  const height = below + (legend.length ? legend.length * lineHeight + 8 : 0);
  const copy = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": "system-ui, sans-serif" },
    s("rect", { width, height, fill: "var(--card)" }),
    titled && s("text", { x: 10, y: 20, "font-size": 14, fill: "var(--text)" }, of.title.slice(0, Math.floor(width / 8))),
    s("g", { transform: `translate(0 ${top})` }, [...picture.childNodes].map((node) => node.cloneNode(true))),
    legend.flatMap(({ name, colour }, i) => [s("rect", { x: 10, y: below + i * lineHeight, width: 18, height: 10, rx: 3, fill: colour }),
      s("text", { x: 36, y: below + i * lineHeight + 10, "font-size": 12, fill: "var(--text)" }, name)]));

  const theme = getComputedStyle(document.documentElement);
  for (const element of copy.querySelectorAll("*")) {
    element.removeAttribute("class");
    for (const name of ["fill", "stroke"]) {
      const value = /^var\((--\w+)\)$/.exec(element.getAttribute(name) ?? "");
      if (value) element.setAttribute(name, theme.getPropertyValue(value[1]).trim());
    }
  }
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

/** @param {Exported} of @returns {Promise<Blob>} */
async function png(of) {
  const { text, width, height } = standalone(of, true);
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => blob ? done(blob) : failed(new Error("no picture")), "image/png"));
}

/** @param {string} text */
const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** One file without anything else: picture, table and where it is from. @param {Exported} of */
export function html(of) {
  const rows = of.rows.map((row) => `<tr>${row.map((cell) => `<td${typeof cell === "number" ? ' class="n"' : ""}>${escape(String(cell ?? ""))}</td>`).join("")}</tr>`).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(of.title)}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1b2230}svg{width:100%;height:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}td,th{padding:.2rem .7rem .2rem 0;border-bottom:1px solid #e4e7ec;text-align:left}.n{text-align:right}p{color:#566073}</style>
</head><body><h1>${escape(of.title)}</h1><p>${escape(of.subtitle)}</p>${of.picture() ? standalone(of, false).text : ""}
<table><thead><tr>${of.columns.map((name) => `<th>${escape(name)}</th>`).join("")}</tr></thead><tbody>
${rows}
</tbody></table><p>${escape(location.href)} · ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC</p></body></html>
`;
}

/** Buttons for all forms. @param {() => Exported} of */
export function tools(of) {
  const make = (/** @type {string} */ text, /** @type {(of: Exported) => void | Promise<void>} */ run) =>
    h("button", { type: "button", onclick: () => run(of()), title: `Save as ${text}` }, text);
  return h("div", { class: "tools", role: "group", "aria-label": "Save" },
    make("CSV", (e) => download(fileName(e.title) + ".csv", "text/csv", csv(e))),
    make("JSON", (e) => download(fileName(e.title) + ".json", "application/json", json(e))),
    make("PNG", async (e) => download(fileName(e.title) + ".png", "image/png", await png(e))),
    make("SVG", (e) => download(fileName(e.title) + ".svg", "image/svg+xml", standalone(e, true).text)),
    make("HTML", (e) => download(fileName(e.title) + ".html", "text/html", html(e))));
}
