// How many records came from each operating system and channel.
//
// Output: OS, channel, records.

export function map(id, dims, ping, ctx) {
  const os = ping.info && ping.info.OS
  if (!os) return ctx.counter("no OS").add()
  ctx.write([os, dims.appUpdateChannel], 1)
}

export function reduce(key, counts, ctx) {
  let sum = 0
  for (const n of counts) sum += n
  ctx.write(key, sum)
}

export const combine = reduce
