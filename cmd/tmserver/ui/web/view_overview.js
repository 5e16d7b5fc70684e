// @ts-check
// What the server does now; on its first start, how to send the first ping.
import { h, replace, number, bytes, duration, time, table, bar, date, percent } from "./dom.js";
import { get } from "./api.js";
import { lines } from "./lines.js";

export const title = "Overview";

const every = 2000; // ms between two looks

/** Counters that were seen lately, for rates. @type {{at: number, counters: Record<string, Record<string, number>>}[]} */
let seen = [];

/** @param {Record<string, number> | undefined} values @param {(labels: string) => boolean} [which] */
const total = (values, which = () => true) => Object.entries(values ?? {}).filter(([labels]) => which(labels)).reduce((sum, [, value]) => sum + value, 0);

/** Submissions that were made durable. @param {Record<string, Record<string, number>>} counters */
const submissions = (counters) => total(counters.telemetry_raw_log_batch_submissions_sum);

/** @param {any} now */
function note(now) {
  const at = Date.parse(now.time) / 1000;
  const last = seen.at(-1);
  // After a restart the counters begin again.
  if (last && submissions(now.counters) < submissions(last.counters)) seen = [];
  seen.push({ at, counters: now.counters });
  while (seen.length > 150) seen.shift();
}

/** Changes per second between looks. @param {(counters: Record<string, Record<string, number>>) => number} of */
function rates(of) {
  return seen.map((look, i) => i === 0 ? null : Math.max(0, (of(look.counters) - of(seen[i - 1].counters)) / Math.max(0.1, look.at - seen[i - 1].at)));
}

/** @param {string} label @param {any} value @param {any} note */
const tile = (label, value, note) => h("div", { class: "tile" }, h("div", { class: "label" }, label), h("div", { class: "number" }, value), h("div", { class: "note" }, note));

/** @param {HTMLElement} place @param {import("./state.js").State} state @param {AbortSignal} signal */
export async function show(place, state, signal) {
  const [first, store, quarantine] = await Promise.all([get("overview"), get("store"), get("quarantine")]);
  note(first);
  const tiles = h("div", { class: "tiles" });
  const welcome = h("div", null);
  const chart = h("div", { class: "chart" });
  const answers = h("div", null), stored = h("div", null), rejected = h("div", null), filters = h("div", null), status = h("span", null);
  place.append(
    h("div", { class: "head" }, h("h1", null, "Overview"), status),
    welcome, tiles,
    h("div", { class: "card" }, h("h2", null, "Submissions per second"), chart),
    h("div", { class: "grid" },
      h("div", { class: "card" }, h("h2", null, "Answers since the start"), answers),
      h("div", { class: "card" }, h("h2", null, "Quarantine"), rejected),
      h("div", { class: "card" }, h("h2", null, "Ingest filters"), filters)),
    h("div", { class: "card" }, h("h2", null, "In the store"), stored));

  let segments = store.segments, classes = quarantine.classes, looks = 0;
  let plotted = new AbortController();
  signal.addEventListener("abort", () => plotted.abort());

  const draw = (/** @type {any} */ now) => {
    const state = now.status;
    replace(status, h("span", { class: `badge ${now.ready ? "good" : "bad"}` }, now.ready ? "takes submissions" : state.status), h("span", { class: "small soft" }, ` version ${state.version}, up ${duration(state.uptime_seconds)}`));
    drawWelcome(welcome, now, segments);

    const answered = now.counters.telemetry_requests_total ?? {};
    const rate = rates(submissions);
    const records = segments.filter((/** @type {any} */ s) => !s.quarantined).reduce((/** @type {number} */ n, /** @type {any} */ s) => n + Math.max(0, s.records), 0);
    const size = segments.reduce((/** @type {number} */ n, /** @type {any} */ s) => n + s.bytes, 0);
    const speed = rates((c) => total(c.telemetry_records_total)).slice(-30);
    const converted = total(now.counters.telemetry_records_total);
    replace(tiles,
      tile("Submissions", number(Math.round((rate.at(-1) ?? 0) * 10) / 10) + " /s", `${number(submissions(now.counters))} since the start`),
      tile("Records stored", number(records), `${bytes(size)} on disk`),
      tile("Converted", number(converted), `${number(Math.round(Math.max(0, ...speed.map((v) => v ?? 0))))} /s at most lately`),
      tile("Backlog", number(state.backlog.logs), state.backlog.logs ? `${bytes(state.backlog.bytes)}, oldest ${duration(state.backlog.oldest_seconds)}` : "nothing waits"),
      tile("Quarantined", number(classes.reduce((/** @type {number} */ n, /** @type {any} */ c) => n + c.records, 0)), [...new Set(classes.map((/** @type {any} */ c) => c.class))].slice(0, 2).join(", ") || "nothing was rejected"),
      tile("Free space", bytes(state.free_bytes), "where the data folder is"));

    plotted.abort();
    plotted = new AbortController();
    if (seen.length > 1) {
      chart.replaceChildren();
      chart.style.minHeight = "150px";
      lines(chart, { x: seen.map((look) => look.at), time: true, height: 150, sync: "overview", label: "Submissions per second, of the last minutes",
        lines: [{ name: "submissions per second", colour: "var(--c1)", values: rate }] }, plotted.signal);
    } else replace(chart, h("p", { class: "empty" }, "The chart begins with the next look, in two seconds."));

    const rows = Object.entries(answered).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
    replace(answers, rows.length ? table("By status", ["Answer", "Requests", "Share"], rows.map(([labels, value]) => [labels || "all", number(value), percent(value / Math.max(1, total(answered)))]), ["Requests", "Share"])
      : h("p", { class: "empty" }, "No request has come since the server started."));
    drawFilters(filters, state.filters);
  };
  const drawStore = () => {
    drawStored(stored, segments);
    drawQuarantine(rejected, classes);
  };
  draw(first);
  drawStore();

  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      const now = await get("overview");
      if (signal.aborted) return;
      note(now);
      // The store changes with conversions; listing it costs more than counting.
      if (++looks % 5 === 0 || total(now.counters.telemetry_records_total) !== total(seen.at(-2)?.counters.telemetry_records_total)) {
        [{ segments }, { classes }] = await Promise.all([get("store"), get("quarantine")]);
        if (!signal.aborted) drawStore();
      }
      if (!signal.aborted) draw(now);
    } catch (error) {
      if (!signal.aborted) replace(status, h("span", { class: "badge bad" }, error instanceof Error ? error.message : String(error)));
    }
  }, every);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** @param {HTMLElement} place @param {any} now @param {any[]} segments */
function drawWelcome(place, now, segments) {
  if (segments.length > 0) {
    if (place.dataset.waiting) replace(place, h("div", { class: "notice", role: "status" }, "The first records are in the store. ", h("a", { href: "#/explorer" }, "Look at them in the explorer"), "."));
    delete place.dataset.waiting;
    return;
  }

  const received = submissions(now.counters);
  const waiting = received > 0 || now.status.backlog.logs > 0;
  const state = waiting ? "arrived" : "empty";
  if (place.dataset.waiting === state) return;
  place.dataset.waiting = state;
  if (waiting) {
    replace(place, h("div", { class: "card", role: "status" }, h("h2", null, "The first ping has arrived"),
      h("p", null, "It is on the disk. It becomes a record when the raw log is converted: by default five minutes after its first submission, or when the server stops."),
      h("p", null, h("span", { class: "badge busy" }, "waiting for the conversion"))));
    return;
  }
  replace(place, h("div", { class: "card" }, h("h2", null, "Send the first ping"),
    h("p", null, "This store is empty. Send a made-up ping, or point a client at this server; this page notices when it arrives."),
    h("ol", { class: "steps" },
      h("li", null, "A made-up ping:", h("pre", { tabindex: 0 }, `tmserver gen --count 1 | cut -f 2 | gzip -c |\n  curl -sS --data-binary @- ${now.submit}/submit/telemetry/a-first-ping`)),
      h("li", null, "Firefox, in user.js of a new profile:", h("pre", { tabindex: 0 }, firefox(now.submit))),
      h("li", null, "An application with the Glean SDK: its server endpoint is ", h("code", null, now.submit), ".")),
    h("p", null, h("span", { class: "badge busy" }, "waiting for the first ping"))));
}

/** The settings with which Firefox sends its pings here. @param {string} submit */
function firefox(submit) {
  const url = new URL(submit);
  if (["127.0.0.1", "[::1]", "[::]", "0.0.0.0"].includes(url.hostname)) url.hostname = "localhost"; // pingsender talks to no other
  return `user_pref("toolkit.telemetry.server", "${url.origin}");
user_pref("telemetry.fog.test.localhost_port", ${url.port || 80});
user_pref("datareporting.healthreport.uploadEnabled", true);
user_pref("datareporting.usage.uploadEnabled", true);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("toolkit.telemetry.testing.overridePreRelease", true);`;
}

/** @param {HTMLElement} place @param {any[]} segments */
function drawStored(place, segments) {
  const published = segments.filter((segment) => !segment.quarantined);
  if (published.length === 0) {
    replace(place, h("p", { class: "empty" }, "There are no records yet. They appear when the first raw log has been converted."));
    return;
  }
  const of = (/** @type {string} */ name, /** @type {number} */ dimension) => {
    /** @type {Map<string, {records: number, bytes: number}>} */
    const sums = new Map();
    for (const segment of published) {
      const sum = sums.get(segment.dims[dimension]) ?? { records: 0, bytes: 0 };
      sum.records += Math.max(0, segment.records);
      sum.bytes += segment.bytes;
      sums.set(segment.dims[dimension], sum);
    }
    const all = published.reduce((n, segment) => n + segment.bytes, 0);
    const rows = [...sums].sort((a, b) => dimension === 5 ? b[0].localeCompare(a[0]) : b[1].records - a[1].records).slice(0, 8);
    return h("div", null, table(`By ${name}`, [name, "Records", "Size", ""], rows.map(([value, sum]) => [dimension === 5 ? date(value) : value, number(sum.records), bytes(sum.bytes), bar(sum.bytes / all)]), ["Records", "Size"]),
      sums.size > 8 ? h("p", { class: "small soft" }, `and ${sums.size - 8} more`) : null);
  };
  replace(place, h("div", { class: "grid" }, of("Channel", 2), of("Application", 1), of("Reason", 0), of("Date", 5)));
}

/** @param {HTMLElement} place @param {any[]} classes */
function drawQuarantine(place, classes) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const one of classes) sums.set(one.class, (sums.get(one.class) ?? 0) + one.records);
  replace(place, sums.size ? table("By class", ["Class", "Submissions"], [...sums].sort((a, b) => b[1] - a[1]).map(([name, n]) => [h("a", { href: `#/quarantine?class=${encodeURIComponent(name)}` }, name), number(n)]), ["Submissions"])
    : h("p", { class: "empty" }, "Nothing was rejected."));
}

/** @param {HTMLElement} place @param {any} filters */
function drawFilters(place, filters) {
  const rows = [];
  for (const file of filters?.files ?? []) rows.push([file.name, h("span", { class: `badge ${file.error ? "bad" : "good"}` }, file.error ? "does not load" : "filter in use"), file.error || time(file.loaded)]);
  replace(place, rows.length ? table("State", ["File", "State", ""], rows)
    : h("p", { class: "empty" }, "None: every record is published. A server that is started with --filters has some."));
}
