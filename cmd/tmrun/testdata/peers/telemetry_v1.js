// What telemetry_v1.mjs compares with: the same sums of all histograms, in a plain loop.
export function map(id, dims, ping, ctx) {
  const folder = dims.appUpdateChannel + "/" + dims.appVersion.split(".")[0]
  for (const [measure, h] of Object.entries(ping.histograms)) {
    ctx.write([folder, measure, dims.submission_date, dims.reason, dims.appName, ping.info.OS], [1, h])
  }
}

export function combine(key, values, ctx) {
  let pings = 0
  const sums = []
  for (const [n, h] of values) {
    pings += n
    for (let i = 0; i < h.length; i++) sums[i] = (sums[i] ?? 0) + h[i]
  }
  ctx.write(key, [pings, sums])
}

export const reduce = combine
