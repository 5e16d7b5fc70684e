// How often each document ID was stored: more than once means that a client sent
// its ping again.
//
// Output: document ID, records.

export function map(id, dims, ping, ctx) {
  ctx.write(id, 1)
}

export function reduce(id, counts, ctx) {
  let sum = 0
  for (const n of counts) sum += n
  ctx.write(id, sum)
}

export const combine = reduce
