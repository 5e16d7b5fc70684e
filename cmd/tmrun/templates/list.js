// A line for every record that has hangs. Without reduce, the pairs that map writes
// are the output.
//
// Output: document ID, date, hangs.

export function map(id, dims, ping, ctx) {
  if (ping.indexOf("chromeHangs") < 0) return // searching the text is cheaper than parsing it
  const hangs = ping.chromeHangs && ping.chromeHangs.durations
  if (hangs && hangs.length > 0) ctx.write([id, dims.submission_date], hangs.length)
}
