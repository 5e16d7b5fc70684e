// By channel and histogram: the pings whose sum is beyond 5 standard deviations. It is the
// second pass; the first one is deviations.js.
import deviations from "job:./deviations.js"
import { index } from "data"

const of = index(deviations, "key")

export function map(id, dims, ping, ctx) {
  for (const [name, h] of Object.entries(ping.histograms)) {
    const [mean, deviation] = of[name].value
    if (Math.abs(h[h.length - 5] - mean) > 5 * deviation) ctx.write([dims.appUpdateChannel, name], 1)
  }
}
export function combine(key, values, ctx) {
  let outliers = 0
  for (const v of values) outliers += v
  ctx.write(key, outliers)
}
export const reduce = combine
