// How many records there are. This is the smallest possible job, and a good test of a
// filter.
//
// Output: the word "records", their number.

import { sum } from "stats"

let records = 0

export function map() {
  records++
}

// mapFinished is called once, after the last record of a task. Every task starts with
// fresh global variables.
export function mapFinished(ctx) {
  ctx.write("records", records)
}

export function reduce(key, counts, ctx) {
  ctx.write(key, sum(counts))
}

export const combine = reduce
