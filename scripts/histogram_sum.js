// The sums of some histograms over all records of a channel and version.
//
// A stored histogram is its bucket counts followed by sum, log_sum,
// log_sum_squares, sum_squares_lo and sum_squares_hi (old data: the first three
// only). A sum that the client did not send is -1 and is not added up: the table's
// sum is -1 only if no client sent one. Sums are exact, so they do not depend on how
// the records are stored.
//
// Histograms with different bucketings (a definition changed between revisions) are
// added up separately. The stored numbers do not say where the buckets begin: this is
// in the definitions of the ping's revision, from the data folder or --revision-cache.
// Without a definition the bucketing is "unknown", and only histograms of different
// lengths are separate.
//
// Current pings say the bucketing themselves. Of their processes this is the parent.
//
// Output: channel, version, histogram, bucketing (kind, lowest and highest bound),
// numbers per histogram, the added-up histogram as a JSON array.

import { histograms } from "tables"

// The histograms to add up. For others, copy this file and change the list.
const names = ["GC_MS", "CYCLE_COLLECTOR", "MEMORY_RESIDENT", "CACHE_HIT", "PAGE_LOAD_KIND"]

export const sums = histograms("channel", "version", "histogram", { show: ["bucketing", "length", "numbers"], header: false })

export function map(id, dims, ping) {
  const histograms = ping.histograms ?? ping.payload?.histograms
  if (histograms) sums.addEach(dims.appUpdateChannel, dims.appVersion, histograms, names)
}
