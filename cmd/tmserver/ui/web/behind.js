// @ts-check
// From a bar to the records behind it: a script for the editor that finds them.

/** The kinds of measures that ping.histogram of scripts has, with bounds. */
export const distributions = ["histogram", "timing_distribution", "memory_distribution"];

/** The dimension that a field of the explorer narrows. @type {Record<string, string>} */
const dimensions = { reason: "reason", application: "appName", channel: "appUpdateChannel", version: "appVersion", build: "appBuildID" };

/**
 * The address of the editor with a script that writes the records with samples from low to
 * below high of the histogram that the explorer shows, null if it shows none.
 * @param {any} view @param {number} low @param {number | undefined} high
 */
export function recordsBehind(view, low, high) {
  const { state, measure, sums } = view;
  if (!distributions.includes(sums.kind)) return null;

  // What the explorer has narrowed, the script selects.
  const text = (/** @type {any} */ value) => JSON.stringify(value);
  const filter = Object.entries(dimensions).filter(([field]) => state.get(field)).map(([field, name]) => ({ field_name: name, allowed_values: state.all(field) }));
  const from = state.get("from"), to = state.get("to");
  if (from || to) filter.push(/** @type {any} */ ({ field_name: "submission_date", allowed_values: { ...(from && { min: from }), ...(to && { max: to }) } }));
  const chosen = (/** @type {string} */ field) => state.get(field) ? state.all(field) : (sums.choices[field] ?? []).map((/** @type {any} */ one) => one.value).filter((/** @type {string} */ value) => value !== "(other)");
  const processes = chosen("process").filter(Boolean), keys = chosen("key").filter(Boolean);
  const others = !state.get("key") && (sums.choices.key ?? []).some((/** @type {any} */ one) => one.value === "(other)");
  const system = state.get("os");

  const range = high === undefined ? `from ${low} on` : `from ${low} to below ${high}`;
  return `#/editor?text=${encodeURIComponent(`// Records with samples of ${measure.replace(/\s/g, " ")} ${range}.
${others ? "// Keys beyond those that the sums of a day name are not looked at: add them to the list.\n" : ""}export const columns = ["document", "channel", "version", "build", "date", "samples"]
${filter.length ? `export const filter = ${text({ version: 1, dimensions: filter })}\n` : ""}
const processes = ${text(processes.length ? processes : ["parent"])}
const keys = ${text(keys.length ? keys : [null])}

export function map(id, dims, ping, ctx) {
${system ? `  if (ping.environment?.system?.os?.name !== ${text(system)}) return\n` : ""}  let samples = 0
  for (const process of processes)
    for (const key of keys) {
      const histogram = ping.histogram(${text(measure)}, key === null ? { process } : { process, key })
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
