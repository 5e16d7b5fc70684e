// How many records came from each operating system.
//
// Output: OS, records.

export function map(id, dims, ping, ctx) {
  ctx.write(ping.info.OS, 1)
}

export function reduce(os, counts, ctx) {
  let sum = 0
  for (const n of counts) sum += n
  ctx.write(os, sum)
}

export const combine = reduce
