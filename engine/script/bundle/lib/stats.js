// stats: what jobs most often compute from the values of a key. A value that is no
// number, undefined and null too, throws a TypeError in each of these functions: a
// missing value must not count as 0. NaN is a number, and makes the result NaN.

/** The sum of numbers; 0 of none. */
export const sum = __host.sum

/** The arithmetic mean; NaN of none. */
export function mean(values) {
  const all = numbers(values, "mean")
  return total(all) / all.length
}

/** The q-quantile (0 to 1), linear between neighbours; NaN of no values. */
export function quantile(values, q) {
  return quantileOf(numbers(values, "quantile"), q)
}

/** The median; of an even number of values the mean of the two in the middle. */
export function median(values) {
  return quantileOf(numbers(values, "median"), 0.5)
}

function quantileOf(all, q) {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile: ${q} is not between 0 and 1`)
  const sorted = all.sort()
  // NaN sorts last.
  if (sorted.length === 0 || Number.isNaN(sorted[sorted.length - 1])) return NaN
  const at = (sorted.length - 1) * q
  const low = Math.floor(at)
  return low + 1 < sorted.length ? sorted[low] + (sorted[low + 1] - sorted[low]) * (at - low) : sorted[low]
}

/** The standard deviation of a sample; NaN of fewer than two values. */
export function stddev(values) {
  const all = numbers(values, "stddev")
  const m = total(all) / all.length
  let squares = 0
  for (const v of all) squares += (v - m) * (v - m)
  return Math.sqrt(squares / (all.length - 1))
}

/** The number of times that each value occurs, as an object. */
export function count(values) {
  const counts = new Map()
  for (const v of values) {
    if (v === undefined || v === null) throw new TypeError(`count: a value is ${v}: write a value only where there is one, or filter the values first`)
    const name = String(v)
    counts.set(name, (counts.get(name) || 0) + 1)
  }
  return Object.fromEntries(counts)
}

function total(all) {
  let total = 0
  for (const v of all) total += v
  return total
}

/** The values as a Float64Array, for the function of that name. */
function numbers(values, name) {
  return __host.numbers(Array.isArray(values) ? values : Array.from(values), name)
}
