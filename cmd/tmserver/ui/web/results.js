// @ts-check
// The result of a run, for people: as table and chart.
import { h, bytes, time } from "./dom.js";
import { text } from "./api.js";
import { parse, shape, chart, rowsTable } from "./rows.js";
import { legend, coloured } from "./bars.js";
import { tools } from "./export.js";

const maxResultBytes = 1_000_000;

/** The files of a run's result. @param {HTMLElement} place @param {any} script whose title and chart are used; null: none @param {any} run as api.Run of the server */
export async function showResults(place, script, run) {
  for (const file of run.results ?? []) {
    const address = `jobs/${run.id}/results/${encodeURIComponent(file.name)}`;
    const card = h("div", { class: "card" }, h("h2", null, run.results.length > 1 ? file.name.replace(/\.\w+$/, "") : "Result", h("span", { class: "small soft" }, ` of ${time(run.ended)}, `, h("a", { href: `/api/v1/${address}` }, file.name), `, ${bytes(file.bytes)}`)));
    place.append(card);
    if (!file.name.endsWith(".jsonl")) continue;

    // A table for people needs no more than the beginning.
    const whole = file.bytes <= maxResultBytes;
    const rows = parse(file.bytes ? await text(address, {}, whole ? {} : { headers: { Range: `bytes=0-${maxResultBytes - 1}` } }) : "");
    if (rows.rows.length === 0) {
      card.append(h("p", { class: "empty" }, whole ? "It has no rows." : "Its first row is longer than what is shown here."));
      continue;
    }
    if (!whole) card.append(h("p", { class: "notice" }, `What is shown is the first ${bytes(maxResultBytes)} of ${bytes(file.bytes)}.`));
    const label = `${script?.title || run.name}, ${file.name}`;
    const drawn = chart(rows, shape(rows, script?.chart), label);
    if (drawn) card.append(drawn.place ?? h("div", { class: "chart" }, drawn.picture), drawn.names?.length ? legend(drawn.names) : "", h("p", { class: "small soft" }, drawn.note));
    card.append(tools(() => ({ title: label, subtitle: `run ${run.id}`, columns: rows.columns, rows: rows.rows, picture: () => drawn?.picture ?? null, legend: coloured(drawn?.names ?? []) })), rowsTable(rows, "Rows"));
  }
}
