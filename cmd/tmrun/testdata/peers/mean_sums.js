// By channel and histogram: the number of pings and the mean of their sums, as an analyst first writes it.
export function map(id, dims, ping, ctx) {
  for (const name of Object.keys(ping.histograms)) {
    const h = ping.histograms[name]
    ctx.write([dims.appUpdateChannel, name], [1, h[h.length - 5]])
  }
}
export function combine(key, values, ctx) {
  let pings = 0
  let sum = 0
  for (const v of values) {
    pings += v[0]
    sum += v[1]
  }
  ctx.write(key, [pings, sum])
}
export function reduce(key, values, ctx) {
  let pings = 0
  let sum = 0
  for (const v of values) {
    pings += v[0]
    sum += v[1]
  }
  ctx.write(key, [pings, sum / pings])
}
