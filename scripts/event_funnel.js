// How many clients took each step of a way, such as: load a page, click something. A
// step counts when the client took the ones before it earlier, in the same ping or in
// one before.
//
// The events of a client are in order by day, by the number of the ping (Glean's seq; of
// Firefox's own events the start of the process), and by their time in it.
//
// Output: step, event, clients.

// The steps, "category.name". These are what Glean.js records by itself on web pages; for
// others, copy this file and change the list.
const steps = ["glean.page_load", "glean.element_click"]

export function map(id, dims, ping, ctx) {
  const taken = []
  for (const event of ping.events) {
    const step = steps.indexOf(`${event.category}.${event.name}`)
    if (step >= 0) taken.push([event.timestamp, step])
  }
  if (taken.length === 0) return
  if (!ping.client) return ctx.counter("pings with steps, without a client ID").add()

  // Of several pings with one number the document ID decides, so that the order is fixed.
  const number = ping.ping_info?.seq ?? ping.payload?.processStartTimestamp ?? 0
  ctx.write([dims.appName, ping.client], [dims.submission_date, number, id, taken])
}

const clients = steps.map(() => 0)

export function reduce(key, pings, ctx) {
  const inOrder = [...pings].sort(([day1, number1, id1], [day2, number2, id2]) =>
    compare(day1, day2) || compare(number1, number2) || compare(id1, id2))

  // next is the step that the client has not taken yet. Events of one time are in the
  // order of the steps.
  let next = 0
  for (const [, , , taken] of inOrder) {
    const events = [...taken].sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    for (const [, step] of events) if (step === next) next++
  }
  for (let step = 0; step < next; step++) clients[step]++
}

export function reduceFinished(ctx) {
  steps.forEach((name, step) => ctx.write([step + 1, name], clients[step]))
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0)
