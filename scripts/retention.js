// How many clients come back: for each week in which clients were first seen, how many
// of them were seen again so many weeks later.
//
// A client is first seen in the first week of the records that the job reads, so read
// some weeks more than you look at. Weeks begin on Monday, by the date of submission
// (UTC). Clients are known by their ID, in pings of any form; the counter says how many
// pings have none. --sample-clients 1% answers for a hundredth of the clients.
//
// Output: channel, first week (its Monday), weeks later, clients.

const day = 86400000

// monday returns how many days after 1970-01-01 the week of a date began.
function monday(date) {
  const days = Date.UTC(date.slice(0, 4), date.slice(4, 6) - 1, date.slice(6, 8)) / day
  return days - ((days + 3) % 7)
}

export function map(id, dims, ping, ctx) {
  if (!ping.client) return ctx.counter("pings without a client ID").add()
  ctx.write([dims.appUpdateChannel, ping.client], monday(dims.submission_date))
}

// A client's weeks are few, and most pings are of one that was written before.
export function combine(key, weeks, ctx) {
  for (const week of new Set(weeks)) ctx.write(key, week)
}

const clients = {} // {channel: {first week: [clients by weeks later]}}

export function reduce([channel], mondays, ctx) {
  const weeks = new Set(mondays)
  const first = [...weeks].reduce((a, b) => Math.min(a, b))
  const later = ((clients[channel] ||= {})[first] ||= [])
  for (const week of weeks) {
    const n = (week - first) / 7
    later[n] = (later[n] || 0) + 1
  }
}

export function reduceFinished(ctx) {
  for (const channel of Object.keys(clients).sort()) {
    for (const first of Object.keys(clients[channel]).map(Number).sort((a, b) => a - b)) {
      const date = new Date(first * day).toISOString().slice(0, 10)
      clients[channel][first].forEach((n, later) => ctx.write([channel, date, later], n))
    }
  }
}
