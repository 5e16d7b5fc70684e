// Percentiles of a histogram over all records of a channel and version.
//
// A browser may change the buckets of a histogram from one version to the next, and
// histograms with different buckets do not add up: so the layout is part of the key.

import { sum } from "histogram"

const name = "GC_MS"

export const columns = ["channel", "version", "layout", "samples", "median", "p75", "p95"]

export function map(id, dims, ping, ctx) {
  const h = ping.histogram(name)
  if (h) ctx.write([dims.appUpdateChannel, dims.appVersion, ping.layout(name)], h)
}

export function combine(key, histograms, ctx) {
  ctx.write(key, sum(histograms))
}

export function reduce(key, histograms, ctx) {
  const all = sum(histograms)
  ctx.writeRow([...key, all.samples, all.percentile(50), all.percentile(75), all.percentile(95)])
}
