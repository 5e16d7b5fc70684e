// By channel: the counts of all buckets of all histograms, added up in a plain loop.
export function map(id, dims, ping, ctx) {
  let total = 0
  for (const name of Object.keys(ping.histograms)) {
    const h = ping.histograms[name]
    for (let i = 0; i < h.length - 5; i++) total += h[i]
  }
  ctx.write(dims.appUpdateChannel, total)
}
export function combine(key, values, ctx) {
  let total = 0
  for (const v of values) total += v
  ctx.write(key, total)
}
export const reduce = combine
