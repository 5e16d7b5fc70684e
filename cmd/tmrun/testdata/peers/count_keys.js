// The number of histograms of all pings.
export function map(id, dims, ping, ctx) {
  ctx.write("histograms", Object.keys(ping.histograms).length)
}
export function combine(key, values, ctx) {
  let total = 0
  for (const v of values) total += v
  ctx.write(key, total)
}
export const reduce = combine
