// How many records each partition holds. It reads no pings, so its speed is that of
// reading the segments.
//
// Output: reason, application, channel, version, build ID, date, records.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  ctx.write(dims, 1)
}

export function reduce(dims, counts, ctx) {
  ctx.write(dims, sum(counts))
}

export const combine = reduce
