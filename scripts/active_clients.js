// How many clients sent pings on each day, by channel.
//
// A client is known by its ID, wherever its pings have it: current Firefox, Glean
// applications, and old pings. Pings without one do not count; the counter says how many.
//
// Output: submission date, channel, clients.

export function map(id, dims, ping, ctx) {
  if (!ping.client) return ctx.counter("pings without a client ID").add()
  ctx.write([dims.submission_date, dims.appUpdateChannel, ping.client], 1)
}

export function combine(key, ones, ctx) {
  ctx.write(key, 1)
}

// The clients of a day and channel follow each other, because keys are in order.
let day, channel, clients = 0

export function reduce([date, name], ones, ctx) {
  if (date !== day || name !== channel) finish(ctx)
  day = date
  channel = name
  clients++
}

export function reduceFinished(ctx) {
  finish(ctx)
}

function finish(ctx) {
  if (clients) ctx.write([day, channel], clients)
  clients = 0
}
