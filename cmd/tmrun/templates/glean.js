// What the pings of an application with the Glean SDK say: pings by system, a counter, a
// timing distribution, and the events. Put the names of your metrics.yaml here.
//
// Output: a table for each export; tmrun --output FOLDER/ writes a file for each.

import { count, distinct, histograms, sum } from "tables"

export const systems = count("application", "type", "os")
export const clients = distinct("application", "date")
export const opened = sum("application", "version")
export const times = histograms("application", "version", { percentiles: [50, 95], show: ["pings", "samples", "mean", "p50", "p95"] })
export const events = count("application", "category", "name")

export function map(id, dims, ping, ctx) {
  const application = dims.appName // with _ for what is no letter and no digit
  systems.add(application, dims.reason, ping.environment?.system?.os?.name)
  clients.add(application, dims.submission_date, ping.client) // what is missing is skipped and counted

  // A metric by its category and name, whatever its type is.
  opened.add(application, dims.appVersion, ping.metric("app.opened"))
  times.add(application, dims.appVersion, ping.histogram("app.start_time"))
  for (const event of ping.events) events.add(application, event.category, event.name)
}
