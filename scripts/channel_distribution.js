// How many records each update channel sent, and on how many days.
//
// Output: channel, records, days with records.

export function map(id, dims, ping, ctx) {
  ctx.write(dims.appUpdateChannel, { [dims.submission_date]: 1 })
}

// add adds up objects {date: records}.
function add(days) {
  const sum = {}
  for (const d of days) {
    for (const date in d) sum[date] = (sum[date] || 0) + d[date]
  }
  return sum
}

export function combine(channel, days, ctx) {
  ctx.write(channel, add(days))
}

export function reduce(channel, days, ctx) {
  const counts = Object.values(add(days))
  ctx.write([channel, counts.reduce((a, b) => a + b, 0)], counts.length)
}
