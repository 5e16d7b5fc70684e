// The mean and the standard deviation of the sums of each histogram: the first pass of outliers.js.
export function map(id, dims, ping, ctx) {
  for (const [name, h] of Object.entries(ping.histograms)) {
    const sum = h[h.length - 5]
    ctx.write(name, [1, sum, sum * sum])
  }
}
function add(values) {
  return values.reduce((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]])
}
export function combine(key, values, ctx) {
  ctx.write(key, add(values))
}
export function reduce(key, values, ctx) {
  const [n, sum, squares] = add(values)
  const mean = sum / n
  ctx.write(key, [mean, Math.sqrt(Math.max(0, squares / n - mean * mean))])
}
