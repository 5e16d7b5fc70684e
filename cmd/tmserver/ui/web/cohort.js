// @ts-check
// A cohort: the pings for which an expression in JavaScript is true, against the others. The sums of days know no
// expressions, so a job over the stored pings finds the cohort's distribution, in processes of its own.
import { h, replace, progress, number, select } from "./dom.js";
import { get, send, follow, text as read, Failed } from "./api.js";
import { bars, legend, coloured } from "./bars.js";
import { distributions, selected } from "./behind.js";
import { histogramsOf } from "./histograms.js";
import { parse } from "./rows.js";
import { drawNumbers } from "./numbers.js";
import { tools } from "./export.js";
import { bucketName } from "./stats.js";

/** @typedef {import("./stats.js").Density} Density */

/** The job that finds a cohort. @param {any} view @param {string} expression */
function script(view, expression) {
  const of = selected(view);
  return `import { histograms } from "tables"
${of.filter}export const cohorts = histograms("cohort")
${of.lists}
function belongs(ping, dims, id) {
  return (
${expression}
  )
}

export function map(id, dims, ping) {
${of.begin}  const cohort = belongs(ping, dims, id) ? "the cohort" : "the others"
  for (const process of processes)
    for (const key of keys) {
      const histogram = ${of.histogram}
      if (histogram) cohorts.add(cohort, histogram)
    }
}
`;
}

/** What jobs have found, by script and sample: drawing the view again starts none. @type {Map<string, {list: Density[], said: string}>} */
const found = new Map();

/** @param {HTMLElement} place @param {any} view @param {AbortSignal} signal */
export async function drawCohort(place, view, signal) {
  const { state, sums } = view;
  if (!distributions.includes(sums.kind)) return;
  let role;
  try {
    ({ role } = await get("role"));
  } catch (error) {
    if (error instanceof Failed && error.status === 404) return; // the server runs no jobs
    throw error;
  }

  const input = h("input", { type: "text", size: 40, placeholder: 'ping.info.OS === "Linux"', value: state.get("cohort"), spellcheck: "false" });
  let sample = state.get("sample", "10%");
  const status = h("p", { class: "small soft", role: "status" });
  const output = h("div", null);
  const run = h("button", { type: "submit", class: "main", disabled: role !== "operator" }, "Compare");
  const cancel = h("button", { type: "button", disabled: true }, "Cancel");
  const samples = /** @type {[string, string][]} */ ([["1%", "1 % of the records"], ["10%", "10 %"], ["all", "all"]]);
  place.append(h("form", { class: "card", onsubmit: start }, h("h2", null, "Cohort"),
    h("div", { class: "controls" }, h("label", { class: "field" }, h("span", null, "Pings for which this is true"), input), select("Cohort's sample", samples, sample, (value) => { sample = value; }), run, cancel),
    h("p", { class: "small soft" }, role === "operator" ? "An expression in JavaScript over ping, dims and id. A job reads the stored pings; each sample weighs the same." : "You can read here, but a cohort takes a job, and that the operator's token."),
    status, output));

  const source = () => script(view, input.value);
  const key = () => `${sample} ${source()}`;
  const show = () => {
    const known = found.get(key());
    if (!known) return;
    replace(status, known.said);
    replace(output);
    draw(output, view, known.list, input.value);
  };
  show();

  let id = "";
  const stop = () => id && send(`jobs/${id}`, undefined, "DELETE").catch(() => {});
  cancel.addEventListener("click", stop);
  signal.addEventListener("abort", stop);

  /** @param {Event} event */
  async function start(event) {
    event.preventDefault();
    if (!input.value.trim() || run.disabled) return;
    // A link has what was compared; who opens it starts the job by the button.
    history.replaceState(null, "", state.link({ cohort: input.value, sample }));
    const wanted = key();
    run.disabled = true;
    cancel.disabled = false;
    replace(output);
    replace(status, "Waits for its turn…");
    try {
      let job = await send("jobs", { files: { "cohort.js": source() }, main: "cohort.js", sample: sample === "all" ? undefined : sample, max_errors: -1 });
      id = job.id;
      job = await follow(job, (now) => replace(status, progress(now)), signal);
      if (job.state !== "done") throw new Failed(0, `${job.state}: ${job.error}`);
      const rows = parse(await read(`jobs/${job.id}/results/${encodeURIComponent(job.results[0].name)}`));
      const failed = job.stats?.failed_calls ?? 0;
      found.set(wanted, { list: rows.rows.length ? histogramsOf(rows, null) : [], said: `${number(job.stats?.records ?? 0)} records${sample === "all" ? "" : `, a sample of ${sample}`}.${failed ? ` For ${number(failed)} of them the expression failed; they are in neither: ${job.error ?? ""}` : ""}` });
      show();
    } catch (error) {
      if (!signal.aborted) replace(status, h("span", { class: "failed" }, error instanceof Error ? error.message : String(error)));
    } finally {
      id = "";
      run.disabled = false;
      cancel.disabled = true;
    }
  }
}

/** @param {HTMLElement} place @param {any} view @param {Density[]} all @param {string} expression */
function draw(place, view, all, expression) {
  // Of several bucketings the one with the most samples is drawn, as the explorer does.
  const first = [...all].sort((a, b) => b.samples - a.samples)[0];
  const list = all.filter((d) => d.bucketing === first.bucketing && d.weights.length === first.weights.length);
  if (!first) {
    place.append(h("p", { class: "empty" }, "None of these pings has the measure."));
    return;
  }
  const label = `Distribution of ${view.measure}, the cohort against the others`;
  const flag = (/** @type {string} */ name, /** @type {boolean} */ otherwise) => view.state.has(name) ? view.state.get(name) === "1" : otherwise;
  const picture = bars(list, { cumulative: flag("cumulative", false), log: flag("log", false), trim: flag("trim", true), overflow: flag("overflow", true), unit: view.unit, weight: "share of samples", label });
  place.append(list.length > 1 ? legend(list.map((d) => d.name)) : h("p", { class: "notice" }, `All of these pings are in ${list[0].name}.`), picture,
    tools(() => ({ title: `${view.measure} cohort`, subtitle: `The cohort: ${expression}`, picture: () => picture.querySelector("svg"), legend: coloured(list.map((d) => d.name)),
      columns: ["bucket", ...list.flatMap((d) => [`${d.name} samples`, `${d.name} share`])],
      rows: list[0].weights.map((_, i) => [bucketName(list[0], i, number), ...list.flatMap((d) => [d.weights[i], Number((d.weights[i] / d.total).toPrecision(6))])]) })));
  drawNumbers(place, list, false, view.unit);
}
