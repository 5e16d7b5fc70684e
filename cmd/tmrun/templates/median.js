// The distribution of a measure: the number of sessions, and the median and the 95th
// percentile of the start-up time, by version. A median needs all values of a key in
// reduce, so there is no combine.
//
// Output: version, sessions, median ms, 95th percentile ms.

import { quantile } from "stats"

export const columns = ["version", "sessions", "median", "p95"]

export function map(id, dims, ping, ctx) {
  const ms = ping.simpleMeasurements && ping.simpleMeasurements.firstPaint
  if (ms > 0) ctx.write(dims.appVersion, ms)
}

export function reduce(version, times, ctx) {
  ctx.writeRow([version, times.length, quantile(times, 0.5), quantile(times, 0.95)])
}
