// Records by operating system, quantiles of the uptime, and all histograms, by channel.
//
// Output: a table for each export; tmrun --output FOLDER/ writes a file for each.

import { count, quantiles, histograms } from "tables"

export const systems = count("channel", "os")
export const uptime = quantiles("channel", { of: [0.5, 0.95] })
export const all = histograms("channel", "histogram", { percentiles: [50, 95] })

export function map(id, dims, ping, ctx) {
  const channel = dims.appUpdateChannel
  systems.add(channel, ping.info?.OS)
  uptime.add(channel, ping.simpleMeasurements?.uptime) // what is missing is skipped and counted
  all.addEach(channel, ping.histograms) // every histogram of the ping, by its name
}
