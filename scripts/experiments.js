// How many Firefox sessions took part in each experiment, and how experiments began
// and ended.
//
// Output (CSV): "Totals", channel, version, sessions; "ACTIVE", channel, version,
// experiment, branch, sessions; "EXPERIMENT_ACTIVATION" or "EXPERIMENT_TERMINATION",
// channel, version, the fields of the log entry, entries.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  if (dims.appName !== "Firefox") return
  const where = [dims.appUpdateChannel, dims.appVersion]
  ctx.write(["Totals", ...where], 1)

  // Nearly all pings have neither: searching the text is cheaper than reading it.
  if (ping.indexOf("EXPERIMENT") >= 0) {
    for (const [type, , ...rest] of ping.log || []) {
      if (type === "EXPERIMENT_ACTIVATION" || type === "EXPERIMENT_TERMINATION") ctx.write([type, ...where, ...rest], 1)
    }
  }

  if (ping.indexOf("activeExperiment") >= 0) {
    const { activeExperiment, activeExperimentBranch } = ping.info
    if (activeExperiment) ctx.write(["ACTIVE", ...where, activeExperiment, activeExperimentBranch], 1)
  }
}

export function combine(key, counts, ctx) {
  ctx.write(key, sum(counts))
}

export function reduce(key, counts, ctx) {
  ctx.writeCSV([...key, sum(counts)])
}
