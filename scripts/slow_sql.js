// SQL statements that took long, per thread, day and version. Literals are made
// private, and statements that are the same but for their literals are one.
// The median is that of the mean times that each ping reports.
//
// Output (CSV): thread, submission date, application, version, channel,
// statement, pings, invocations, total ms, median ms. The thread TOTAL counts all
// pings of the day and version.

import { median } from "stats"

// Statements invoked less often are left out: they could identify somebody.
const minInvocations = 100

const literal = /'(?:[^']|'')*'|"(?:[^"]|"")*"/g

export function map(id, dims, ping, ctx) {
  const where = [dims.submission_date, dims.appName, dims.appVersion, dims.appUpdateChannel]
  ctx.write(["TOTAL", ...where, "ALL_PINGS"], [1, 0])
  const slow = ping.slowSQL
  for (const thread in slow) {
    const merged = {}
    for (const sql in slow[thread]) {
      const [times, total] = slow[thread][sql]
      const key = sql.replace(literal, ":private").replace(/[\r\n]/g, " ")
      const sum = merged[key] || (merged[key] = [0, 0])
      sum[0] += times
      sum[1] += total
    }
    for (const sql in merged) ctx.write([thread, ...where, sql], merged[sql])
  }
}

export function reduce(key, values, ctx) {
  let pings = 0, invocations = 0, total = 0
  const means = []
  for (const [times, ms] of values) {
    pings++
    invocations += times
    total += ms
    means.push(times > 0 ? ms / times : 0)
  }
  if (invocations <= minInvocations && key[0] !== "TOTAL") return
  ctx.writeCSV([...key, pings, invocations, total, median(means)])
}
