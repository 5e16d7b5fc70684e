// What Firefox's main pings say: sessions by system, a scalar, a histogram of two
// processes, and the events.
//
// Such pings have an environment, and in their payload scalars, histograms and events of
// each process. Classic pings, of Firefox before 2016, answer ping.environment too.
//
// Output: a table for each export; tmrun --output FOLDER/ writes a file for each.

import { count, histograms, quantiles } from "tables"

export const systems = count("channel", "os")
export const pages = quantiles("channel", { of: [0.5, 0.95] })
export const pauses = histograms("channel", "process", { percentiles: [50, 95] })
export const events = count("category", "name")

export function map(id, dims, ping, ctx) {
  if (dims.reason !== "main") return
  const channel = dims.appUpdateChannel
  systems.add(channel, ping.environment?.system?.os?.name)
  pages.add(channel, ping.scalar("browser.engagement.total_uri_count")) // what is missing is skipped and counted

  for (const process of ["parent", "content"]) pauses.add(channel, process, ping.histogram("GC_MS", { process }))
  for (const event of ping.events) events.add(event.category, event.name)
}
