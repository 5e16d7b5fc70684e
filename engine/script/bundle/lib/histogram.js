// histogram: arithmetic on stored histograms, arrays of bucket counts followed by
// sum, log_sum, log_sum_squares, sum_squares_lo and sum_squares_hi, where -1
// stands for a number that the browser did not send.

/**
 * Adds up histograms of one layout, number by number; those of ping.histogram(name) to
 * one that knows its bucketing, too. A -1 is nothing; it stays
 * only where nobody sent a number. Histograms of another length throw.
 */
export const sum = __host.sumHistograms

/**
 * Adds histogram h to total, a Float64Array that an earlier call returned, and
 * returns it; without a total, a new one. For adding up in a global while mapping.
 */
export const add = __host.addHistogram

/** How many numbers follow the bucket counts. */
export const tail = 5

// How many followed them before 2014.
const minTail = 3

/** The bucket counts of a stored histogram. */
export function counts(h) {
  return h.counts ?? h.slice(0, h.length - tail)
}

/** The number of samples in a stored histogram. */
export function samples(h) {
  return total(counts(h))
}

// What is no number throws: a missing count is not 0.
function total(counts) {
  let n = 0
  for (const c of counts) {
    if (typeof c !== "number") throw new TypeError(`histogram: a bucket count is ${c}, not a number`)
    n += c
  }
  return n
}

/**
 * The p-th percentile (0 to 100) of a stored histogram whose buckets begin at
 * bounds; NaN without samples. It is linear within the bucket, but not where the
 * kind says that buckets are values: a kind other than exponential and linear.
 */
export function percentile(h, bounds, p, kind = "linear") {
  if (!(p >= 0 && p <= 100)) throw new RangeError(`percentile: ${p} is not between 0 and 100`)
  h = h.numbers ?? h // its stored form, if it is one of ping.histogram
  const sums = h.length - bounds.length
  if (!(sums >= minTail && sums <= tail)) throw new RangeError(`percentile: ${h.length} numbers and ${bounds.length} bounds do not belong together`)
  const n = total(h.slice(0, bounds.length))
  if (n === 0) return NaN
  let left = (n * p) / 100
  for (let i = 0; i < bounds.length; i++) {
    if (left <= h[i] && h[i] > 0) {
      if (kind !== "linear" && kind !== "exponential") return bounds[i]
      const high = i + 1 < bounds.length ? bounds[i + 1] : bounds[i]
      return bounds[i] + ((high - bounds[i]) * left) / h[i]
    }
    left -= h[i]
  }
  return bounds[bounds.length - 1]
}
