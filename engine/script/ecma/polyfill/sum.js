// Math.sumPrecise.

// sumPrecise keeps the sum as a list of numbers that do not overlap, after
// Shewchuk, and rounds once at the end. Numbers near the largest one are halved
// by a power of two first, so that no partial sum overflows.
define(Math, {
  sumPrecise(items) {
    let sum = -0, scale = 1
    const numbers = []
    for (const x of items) {
      if (typeof x !== "number") throw new TypeError("sumPrecise needs numbers")
      if (!Number.isFinite(x)) sum += x
      else if (x !== 0) { numbers.push(x); if (Math.abs(x) > 2 ** 900) scale = 2 ** -120 }
      else if (!Object.is(x, -0)) sum += 0
    }
    if (!Number.isFinite(sum)) return sum
    if (numbers.length === 0) return sum

    let parts = []
    for (let x of numbers) {
      x *= scale
      const next = []
      for (let y of parts) {
        if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x]
        const high = x + y, low = y - (high - x)
        if (low !== 0) next.push(low)
        x = high
      }
      next.push(x)
      parts = next
    }

    // From the largest part down: the first part that does not vanish decides how
    // a tie is rounded.
    let i = parts.length - 1, high = parts[i], low = 0
    while (i > 0) {
      const x = high, y = parts[--i]
      high = x + y
      low = y - (high - x)
      if (low !== 0) break
    }
    if (i > 0 && ((low < 0 && parts[i - 1] < 0) || (low > 0 && parts[i - 1] > 0))) {
      const twice = low * 2, x = high + twice
      if (twice === x - high) high = x
    }
    return high / scale + 0
  },
})
