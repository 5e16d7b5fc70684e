// How many records came from each operating system.
//
// Output: OS, records.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  ctx.write(ping.info?.OS ?? ping.environment?.system?.os?.name, 1)
}

export function reduce(os, counts, ctx) {
  ctx.write(os, sum(counts))
}

export const combine = reduce
