// How many records there are: the smallest job there is, and the first question
// to ask of a filter.
//
// Output: the word "records", their number.

import { sum } from "stats"

let records = 0

export function map() {
  records++
}

// Called once, after the last record of a task; every task starts with fresh
// globals.
export function mapFinished(ctx) {
  ctx.write("records", records)
}

export function reduce(key, counts, ctx) {
  ctx.write(key, sum(counts))
}

export const combine = reduce
