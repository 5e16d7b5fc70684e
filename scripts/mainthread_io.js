// Files that the main thread read and wrote during start, session and shutdown.
//
// Output (CSV): application, interval, file, pings, median ms, median number of
// operations. The file TOTAL counts all pings with a report for the interval.

import { median } from "stats"

// Files of fewer pings are left out, because their names could identify a person.
const minPings = 100
// Medians are those of the first maxValues pings.
const maxValues = 10000

const intervals = ["startup", "execution", "shutdown"]

export function map(id, dims, ping, ctx) {
  const reports = ping.fileIOReports
  if (!reports) return
  const seen = {}
  for (const file in reports) {
    const report = reports[file]
    if (report.length !== 3) continue // the form before Firefox 27
    intervals.forEach((interval, i) => {
      if (!report[i]) return
      const [ms, ...operations] = report[i]
      ctx.write([dims.appName, interval, file], [ms, operations.reduce((a, b) => a + b, 0)])
      seen[interval] = true
    })
  }
  for (const interval in seen) ctx.write([dims.appName, interval, "TOTAL"], [0, 0])
}

export function reduce(key, values, ctx) {
  let pings = 0
  const times = [], operations = []
  for (const [ms, n] of values) {
    if (pings++ >= maxValues) continue
    times.push(ms)
    operations.push(n)
  }
  if (pings > minPings) ctx.writeCSV([...key, pings, median(times), median(operations)])
}
