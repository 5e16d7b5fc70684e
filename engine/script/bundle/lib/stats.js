// stats: what jobs most often compute from the values of a key.

/** The sum of numbers; 0 of none. */
export const sum = __host.sum

/** The arithmetic mean; NaN of none. */
export function mean(values) {
  return sum(values) / values.length
}

/** The q-quantile (0 to 1), linear between neighbours; NaN of no values. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return NaN
  const at = (sorted.length - 1) * q
  const low = Math.floor(at)
  return low + 1 < sorted.length ? sorted[low] + (sorted[low + 1] - sorted[low]) * (at - low) : sorted[low]
}

/** The median; of an even number of values the mean of the two in the middle. */
export function median(values) {
  return quantile(values, 0.5)
}

/** The standard deviation of a sample; NaN of fewer than two values. */
export function stddev(values) {
  const m = mean(values)
  let squares = 0
  for (const v of values) squares += (v - m) * (v - m)
  return Math.sqrt(squares / (values.length - 1))
}

/** The number of times that each value occurs, as an object. */
export function count(values) {
  const counts = {}
  for (const v of values) counts[v] = (counts[v] || 0) + 1
  return counts
}
