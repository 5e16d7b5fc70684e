// Calls of the Loop client that could not connect to the other side. A report that
// was sent twice counts once.
//
// Output: submission date, connection state, the report.

export function map(id, dims, ping, ctx) {
  if (ping.report === "ice failure") {
    ctx.write(id, [dims.submission_date, ping.connectionstate || "UNKNOWN", String(ping)])
  }
}

export function combine(id, reports, ctx) {
  for (const first of reports) return ctx.write(id, first)
}

export function reduce(id, reports, ctx) {
  for (const [date, state, report] of reports) return ctx.write([date, state], report)
}
