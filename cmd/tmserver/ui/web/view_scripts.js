// @ts-check
// The scripts of the server's folder: their state, last results, and history; to start and to cancel.
import { h, replace, number, bytes, date, duration, time, table } from "./dom.js";
import { get, send, text } from "./api.js";
import { showResults } from "./results.js";

export const title = "Scripts";

const every = 2000; // ms between two looks
const maxLogCharacters = 20_000;

/** @typedef {any} Run as api.Run of the server */

/** @param {string} state */
const badge = (state) => h("span", { class: `badge ${{ done: "good", failed: "bad", running: "busy", queued: "busy" }[state] ?? ""}` }, state);
const isActive = (/** @type {Run} */ run) => run.state === "running" || run.state === "queued";

/** What the script's rule says of its last result. @param {any} script */
const alertBadge = (script) => script.alert_state && h("span", { class: `badge ${script.alert_state.state === "ok" ? "good" : "bad"}` }, `alert: ${script.alert_state.state}`);

/** @param {Run} run */
function progress(run) {
  const { tasks, tasks_done, records, shards, reduced } = run.progress;
  return !isActive(run) || !tasks ? "" : `${tasks_done} of ${tasks} map tasks, ${number(records)} records${shards ? `, ${reduced} of ${shards} shards reduced` : ""}`;
}

/** @param {Run} run */
const took = (run) => run.started && run.ended ? duration((Date.parse(run.ended) - Date.parse(run.started)) / 1000) : "–";

/** @param {HTMLElement} place @param {import("./state.js").State} state @param {AbortSignal} signal */
export async function show(place, state, signal) {
  const name = state.get("script");
  const [{ scripts }, { role }, { jobs }] = await Promise.all([get("scripts"), get("role"), get("jobs", { script: name })]);
  /** @type {(now: any[], runs: Run[]) => void} */
  let look = () => {};
  if (name) look = await showScript(place, state, scripts.find((/** @type {any} */ one) => one.name === name), jobs, role === "operator");
  else showList(place, scripts);

  // What runs says how far it is; another state, script or run is shown from the beginning.
  const version = (/** @type {any[]} */ list, /** @type {Run[]} */ runs) => JSON.stringify([list.map((one) => [one.name, one.loaded, one.error, one.last_run?.id, one.last_run?.state, one.alert_state?.state]), name ? runs.map((run) => [run.id, run.state]) : null]);
  const before = version(scripts, jobs);
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      const [now, runs] = await Promise.all([get("scripts"), get("jobs", { script: name })]);
      if (signal.aborted) return;
      look(now.scripts, runs.jobs);
      if (version(now.scripts, runs.jobs) !== before) {
        clearInterval(timer);
        dispatchEvent(new Event("hashchange"));
      }
    } catch { /* the next look may succeed; what is shown stays */ }
  }, every);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** @param {HTMLElement} place @param {any[]} scripts */
function showList(place, scripts) {
  place.append(h("div", { class: "head" }, h("h1", null, "Scripts"), h("span", { class: "soft small" }, "of the server's folder; they run by their schedule, or when somebody starts them")));
  if (scripts.length === 0) {
    place.append(h("div", { class: "card" }, h("p", { class: "empty" }, "There is no script. Start the server with --scripts DIR, and drop a script into that folder: it appears here.")));
    return;
  }
  place.append(h("div", { class: "card" }, table("Scripts", ["Script", "Last run", "Schedule", "Next run"], scripts.map((one) => [
    [h("a", { href: link(one.name) }, h("bdi", null, one.title || one.name)), one.error && h("div", { class: "small failed" }, h("bdi", null, one.error)), alertBadge(one), one.description && h("div", { class: "small soft" }, h("bdi", null, one.description))],
    one.last_run ? [badge(one.last_run.state), h("div", { class: "small soft" }, time(one.last_run.created))] : "never",
    h("bdi", null, [one.live && "live", one.schedule].filter(Boolean).join(", ") || "–"), one.next_run ? time(one.next_run) : "–",
  ]))));
}

/** @param {string} script @param {string} [run] */
const link = (script, run) => `#/scripts?${new URLSearchParams({ script, ...run && { run } })}`;

/**
 * @param {HTMLElement} place @param {import("./state.js").State} state @param {any} script @param {Run[]} runs the newest first
 * @param {boolean} operator
 * @returns {Promise<(scripts: any[], runs: Run[]) => void>} what draws the progress again
 */
async function showScript(place, state, script, runs, operator) {
  const name = state.get("script");
  const chosen = runs.find((run) => run.id === state.get("run"));
  const shown = chosen ?? runs.find((run) => run.state === "done");
  const active = runs.find(isActive);
  const notice = h("p", { class: "small failed", role: "status" });

  /** A button that sends a request, and says why if that fails. @param {string} label @param {() => Promise<any>} act */
  const button = (label, act) => {
    const made = h("button", { type: "button", class: "main", onclick: async () => {
      made.disabled = true;
      try {
        await act();
        dispatchEvent(new Event("hashchange"));
      } catch (error) {
        replace(notice, error instanceof Error ? error.message : String(error));
        made.disabled = false;
      }
    } }, label);
    return made;
  };
  const far = h("span", { class: "small soft" }, active ? progress(active) : "");
  place.append(
    h("div", { class: "head" }, h("h1", null, h("bdi", null, script?.title || name)), h("a", { href: "#/scripts" }, "All scripts"), script?.loaded && h("a", { href: `#/editor?script=${encodeURIComponent(name)}` }, "Open in the editor"), h("span", { class: "grow" }),
      active && [badge(active.state), far],
      operator && (active ? button("Cancel", () => send(`jobs/${active.id}`, undefined, "DELETE")) : script?.loaded && button("Run now", () => send("jobs", { script: name })))),
    notice);
  if (!script) place.append(h("p", { class: "notice" }, "This script is no longer in the folder; what is kept of its runs is shown."));
  if (script?.description) place.append(h("p", null, h("bdi", null, script.description)));
  if (script?.error) place.append(h("div", { class: "card" }, h("h2", null, "This script does not load"), h("pre", { tabindex: 0 }, script.error), script.loaded && h("p", { class: "small" }, "The version before is in use.")));

  if (script?.alert_state) {
    place.append(h("div", { class: "card" }, h("h2", null, "Alert ", alertBadge(script)), table("Changes of its state, the newest first", ["When", "State", "Why"],
      script.alert_state.changes.map((/** @type {any} */ change) => [h("a", { href: link(name, change.run) }, time(change.at)), change.state, h("bdi", null, change.text)]))));
  }

  if (shown) await showResults(place, script, shown);
  if (chosen) await showRun(place, chosen);
  if (script) await showDays(place, name);
  const current = (/** @type {Run} */ run) => run === chosen ? "true" : null;
  place.append(h("div", { class: "card" }, h("h2", null, "Runs"), runs.length === 0 ? h("p", { class: "empty" }, "It has not run yet.") :
    table("The runs that are kept, the newest first", ["Run", "State", "Cause", "Took", "Records", "Rows"], runs.map((run) => [
      h("a", { href: link(name, run.id), "aria-current": current(run) }, time(run.created)), [badge(run.state), run.error && h("div", { class: "small" }, h("bdi", null, run.error.split("\n")[0].slice(0, 300)))],
      run.cause, took(run), number(run.stats?.records), number(run.stats?.rows)]), ["Records", "Rows"])));

  return (_, now) => {
    const run = now.find((one) => one.id === active?.id);
    if (run) replace(far, progress(run));
  };
}

/** The days of backfills. @param {HTMLElement} place @param {string} name */
async function showDays(place, name) {
  const { backfill, days } = await get(`scripts/${encodeURIComponent(name)}/backfill`);
  if (!backfill) return;
  place.append(h("div", { class: "card" }, h("h2", null, "Days"),
    h("p", { class: "small" }, `Backfill from ${date(backfill.from)} to ${date(backfill.to)}: `, badge(backfill.state), ["queued", "running"].includes(backfill.state) && ` next is ${date(backfill.next)}`,
      backfill.failed_days && ` failed: ${backfill.failed_days.map(date).join(", ")}`, backfill.error && [" ", h("bdi", null, backfill.error)]),
    days.length > 0 && table("The result of each submission date, and how it differs from the one that it replaced", ["Date", "Result", "Lines added", "Lines removed", "Made"], days.map((/** @type {any} */ day) => [
      h("a", { href: link(name, day.run) }, date(day.date)), day.change, number(day.lines_added), number(day.lines_removed), time(day.made)]), ["Lines added", "Lines removed"])));
}

/** What a run was made from, its counters and its log. @param {HTMLElement} place @param {Run} run */
async function showRun(place, run) {
  const log = run.log_bytes || isActive(run) ? await text(`jobs/${run.id}/log`) : "";
  const facts = [["State", run.state], ["Cause", run.cause], ["Script (SHA-256)", run.made_from.script_sha256], ["Segments", run.made_from.input && number(run.made_from.input.segments)], ["Input (SHA-256)", run.made_from.input?.sha256],
    ["Server", run.made_from.version], ["Records", number(run.stats?.records)], ["Rejected", number(run.stats?.rejected)], ...Object.entries(run.stats?.counters ?? {}).map(([name, value]) => [`counter ${name}`, number(value)])];
  place.append(h("div", { class: "card" }, h("h2", null, `Run ${run.id}`),
    run.error && h("pre", { tabindex: 0, class: "failed" }, run.error),
    table("What it was made from, and its counters", ["What", "Value"], facts.filter(([, value]) => value).map(([what, value]) => [h("bdi", null, what), h("bdi", null, value)])),
    h("h3", null, "Log"), log ? h("pre", { tabindex: 0 }, log.length > maxLogCharacters ? "…" + log.slice(-maxLogCharacters) : log) : h("p", { class: "small soft" }, "It printed nothing."),
    log.length > maxLogCharacters && h("a", { href: `/api/v1/jobs/${run.id}/log` }, "the whole log")));
}
