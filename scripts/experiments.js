// How many Firefox sessions took part in each experiment, and how experiments began
// and ended. Current pings say what they take part in, several experiments too; how these
// began and ended is among their events. Glean's baseline pings count as sessions of
// Firefox where it sends no others: --where appName=firefox_desktop.
//
// Output (CSV): "Totals", channel, version, sessions; "ACTIVE", channel, version,
// experiment, branch, sessions; "EXPERIMENT_ACTIVATION" or "EXPERIMENT_TERMINATION",
// channel, version, the fields of the log entry, entries.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  if (dims.appName !== "Firefox" && !(dims.appName === "firefox_desktop" && dims.reason === "baseline")) return
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

  if (ping.indexOf('"experiments"') >= 0) {
    const active = (ping.ping_info ?? ping.environment)?.experiments
    for (const name in active) ctx.write(["ACTIVE", ...where, name, active[name].branch], 1)
  }
}

export function combine(key, counts, ctx) {
  ctx.write(key, sum(counts))
}

export function reduce(key, counts, ctx) {
  ctx.writeCSV([...key, sum(counts)])
}
