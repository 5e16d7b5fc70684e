// How often each document ID was stored. More than once means that a client sent its
// ping again.
//
// Output: document ID, records.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  ctx.write(id, 1)
}

export function reduce(id, counts, ctx) {
  ctx.write(id, sum(counts))
}

export const combine = reduce
