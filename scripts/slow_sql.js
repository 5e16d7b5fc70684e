// SQL statements that took long, by thread, day and version. Literals are replaced by
// ":private", so statements that differ only in their literals are one statement.
// The median is that of the pings' mean times.
//
// Output (CSV): thread, submission date, application, version, channel,
// statement, pings, invocations, total ms, median ms. The thread TOTAL counts all
// pings of the day and version.

import { median } from "stats"

// Statements with fewer invocations are left out, because they could identify a person.
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
