// The sum of a histogram over all records of a channel and version.
//
// Output: channel, version, bucket counts and sums.

import { sum } from "histogram"

const name = "GC_MS"

export function map(id, dims, ping, ctx) {
  const h = ping.histograms && ping.histograms[name]
  if (h) ctx.write([dims.appUpdateChannel, dims.appVersion], h)
}

export function reduce(key, histograms, ctx) {
  ctx.write(key, sum(histograms))
}

export const combine = reduce
