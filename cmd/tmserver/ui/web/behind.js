// @ts-check
// From a bar to the records behind it: a script for the editor that finds them.

/** The kinds of measures that ping.histogram of scripts has, with bounds. */
export const distributions = ["histogram", "timing_distribution", "memory_distribution"];

/** The dimension that a field of the explorer narrows. @type {Record<string, string>} */
const dimensions = { reason: "reason", application: "appName", channel: "appUpdateChannel", version: "appVersion", build: "appBuildID" };

/** What the explorer has narrowed, as scripts select it. @param {any} view */
export function selected(view) {
  const { state, sums } = view;
  const filter = Object.entries(dimensions).filter(([field]) => state.get(field)).map(([field, name]) => ({ field_name: name, allowed_values: state.all(field) }));
  const from = state.get("from"), to = state.get("to");
  if (from || to) filter.push(/** @type {any} */ ({ field_name: "submission_date", allowed_values: { ...(from && { min: from }), ...(to && { max: to }) } }));
  const chosen = (/** @type {string} */ field) => state.get(field) ? state.all(field) : (sums.choices[field] ?? []).map((/** @type {any} */ one) => one.value).filter((/** @type {string} */ value) => value !== "(other)");
  const processes = chosen("process").filter(Boolean), keys = chosen("key").filter(Boolean), system = state.get("os");
  const others = !state.get("key") && (sums.choices.key ?? []).some((/** @type {any} */ one) => one.value === "(other)");

  // The lines of a script that go through the histograms of a ping.
  const otherSystems = system ? `  if (ping.environment?.system?.os?.name !== ${JSON.stringify(system)}) return\n` : "";
  return {
    note: others ? "// Keys beyond those that the sums of a day name are not looked at: add them to the list.\n" : "",
    filter: filter.length ? `export const filter = ${JSON.stringify({ version: 1, dimensions: filter })}\n` : "",
    lists: `const processes = ${JSON.stringify(processes.length ? processes : ["parent"])}
const keys = ${JSON.stringify(keys.length ? keys : [null])}
`,
    begin: otherSystems,
    histogram: `ping.histogram(${JSON.stringify(view.measure)}, key === null ? { process } : { process, key })`,
  };
}

/**
 * The address of the editor with a script that writes the records with samples from low to
 * below high of the histogram that the explorer shows, null if it shows none.
 * @param {any} view @param {number} low @param {number | undefined} high
 */
export function recordsBehind(view, low, high) {
  const { measure, sums } = view;
  if (!distributions.includes(sums.kind)) return null;
  const of = selected(view);

  const range = high === undefined ? `from ${low} on` : `from ${low} to below ${high}`;
  return `#/editor?text=${encodeURIComponent(`// Records with samples of ${measure.replace(/\s/g, " ")} ${range}.
${of.note}export const columns = ["document", "channel", "version", "build", "date", "samples"]
${of.filter}
${of.lists}
export function map(id, dims, ping, ctx) {
${of.begin}  let samples = 0
  for (const process of processes)
    for (const key of keys) {
      const histogram = ${of.histogram}
      histogram?.bounds.forEach((bound, i) => {
        if (bound >= ${low}${high === undefined ? "" : ` && bound < ${high}`}) samples += histogram.counts[i]
      })
    }
  if (samples) ctx.write([id, dims.appUpdateChannel, dims.appVersion, dims.appBuildID, dims.submission_date], samples)
}

export function reduce(key, samples, ctx) {
  ctx.write(key, samples[0])
}
`)}`;
}
