// @ts-check
// Numbers of histograms. A density is the weight of each bucket: samples, or clients.

/**
 * @typedef {{by: string, across: string, bucketing: string, pings: number, clients: number, sum: number, summed: number,
 *   buckets?: number[], labels?: string[], counts: number[], shares: number[]}} Sum
 * @typedef {{name: string, bucketing: string, bounds: number[] | null, labels: string[], weights: number[], total: number,
 *   pings: number, clients: number, samples: number, sum: number, summed: number}} Density
 */

/**
 * Adds up sums of one bucketing; of several, those of the bucketing with the most pings.
 * @param {string} name @param {Sum[]} sums @param {Record<string, number[]>} bounds @param {boolean} byClient
 * @returns {Density | null} null without samples
 */
export function density(name, sums, bounds, byClient) {
  /** @type {Map<string, number>} */
  const pings = new Map();
  for (const sum of sums) pings.set(sum.bucketing, (pings.get(sum.bucketing) ?? 0) + sum.pings);
  const bucketing = [...pings].sort((a, b) => b[1] - a[1])[0]?.[0];
  const of = sums.filter((sum) => sum.bucketing === bucketing);
  if (bucketing === undefined) return null;

  /** @type {Density} */
  const result = { name, bucketing, bounds: bounds[bucketing] ?? null, labels: [], weights: [], total: 0, pings: 0, clients: 0, samples: 0, sum: 0, summed: 0 };
  if (result.bounds) result.weights = new Array(result.bounds.length).fill(0);
  for (const sum of of) {
    result.pings += sum.pings;
    result.clients += sum.clients;
    result.sum += sum.sum;
    result.summed += sum.summed;
    sum.counts.forEach((count, i) => {
      let at = sum.buckets ? sum.buckets[i] : result.labels.indexOf(sum.labels?.[i] ?? "");
      if (at < 0) at = result.labels.push(sum.labels?.[i] ?? "") - 1;
      result.samples += count;
      result.weights[at] = (result.weights[at] ?? 0) + (byClient ? sum.shares[i] : count);
    });
  }
  if (!result.bounds) sortLabels(result);
  result.total = result.weights.reduce((a, b) => a + b, 0);
  return result.total > 0 ? result : null;
}

/**
 * The lower bounds of a bucketing such as "exponential 1 to 10000", as browsers compute them; null if it does not say them.
 * @param {string} bucketing @param {number} n buckets
 */
export function boundsOf(bucketing, n) {
  const [, kind, from, to] = /^(exponential|linear|boolean|flag|count|enumerated|categorical|timing|memory) (\d+) to (\d+)$/.exec(bucketing) ?? [];
  if (!kind || n < 3) return null;
  if (kind === "timing" || kind === "memory") return gleanBounds(kind === "timing" ? 8 : 16);
  const low = Number(from), high = Number(to), bounds = [0, low];
  for (let i = 2; i < n; i++) {
    if (kind === "exponential") {
      const before = Math.log(bounds[i - 1]);
      bounds.push(Math.max(Math.floor(Math.exp(before + (Math.log(high) - before) / (n - i)) + 0.5), bounds[i - 1] + 1));
    } else {
      bounds.push(Math.floor((low * (n - 1 - i) + high * (i - 1)) / (n - 2) + 0.5));
    }
  }
  return bounds;
}

/**
 * The lower bounds of Glean's distributions, as the product computes them: whole numbers below powers of a rounded root.
 * @param {number} perDoubling buckets
 */
function gleanBounds(perDoubling) {
  const scale = 300n, root = BigInt(2 ** (1 / perDoubling) * 2 ** 52), bounds = [0];
  let power = 1n << scale;
  for (let i = 0; i <= 53 * perDoubling; i++) {
    const bound = Math.floor(Number(power) / 2 ** Number(scale));
    if (bound > bounds[bounds.length - 1]) bounds.push(bound);
    power = power * root >> 52n;
  }
  return bounds;
}

/** Labels that are numbers come in their order, others the most frequent first. @param {Density} d */
function sortLabels(d) {
  const numbers = d.labels.every((label) => /^-?\d+$/.test(label));
  const order = d.labels.map((_, i) => i).sort((a, b) => numbers ? Number(d.labels[a]) - Number(d.labels[b]) : d.weights[b] - d.weights[a]);
  d.labels = order.map((i) => d.labels[i]);
  d.weights = order.map((i) => d.weights[i]);
}

/** Whether the buckets are ranges of values, between which a percentile can lie. @param {Density} d */
export function hasRanges(d) { return d.bounds !== null && /^(exponential|linear|timing|memory|number)/.test(d.bucketing); }

/**
 * The p-th percentile, NaN without bounds. Modes: "lower" is the lower bound of its bucket; "linear" goes with the share
 * of the bucket below it; "geometric" is linear, but for exponential buckets lower^(1-share)·upper^share.
 * @param {Density} d @param {number} p @param {string} mode
 */
export function percentile(d, p, mode) {
  if (!d.bounds || d.total === 0) return NaN;
  let left = d.total * p / 100;
  for (let i = 0; i < d.weights.length; i++) {
    const weight = d.weights[i];
    if (weight > 0 && left <= weight * (1 + 1e-12)) {
      const low = d.bounds[i], high = d.bounds[i + 1];
      if (mode === "lower" || high === undefined || !hasRanges(d)) return low;
      const share = Math.min(1, left / weight);
      if (mode === "geometric" && /^exponential/.test(d.bucketing)) return low ** (1 - share) * high ** share;
      return low + (high - low) * share;
    }
    left -= weight;
  }
  return d.bounds[d.bounds.length - 1];
}

/** The exact mean, of the pings that have sums; by client, that of the buckets' middles. @param {Density} d @param {boolean} byClient */
export function mean(d, byClient) {
  if (!byClient) return d.summed > 0 ? d.sum / d.summed : NaN;
  if (!d.bounds) return NaN;
  let total = 0;
  d.weights.forEach((weight, i) => {
    const low = d.bounds?.[i] ?? 0;
    total += weight * (hasRanges(d) ? (low + (d.bounds?.[i + 1] ?? low)) / 2 : low);
  });
  return total / d.total;
}

/** What a bucket is called. @param {Density} d @param {number} i @param {(n: number) => string} write */
export function bucketName(d, i, write) {
  if (!d.bounds) return d.labels[i];
  if (/^boolean/.test(d.bucketing)) return ["false", "true"][i] ?? write(d.bounds[i]);
  if (!hasRanges(d)) return write(d.bounds[i]);
  return d.bounds[i + 1] === undefined ? `≥ ${write(d.bounds[i])}` : `${write(d.bounds[i])} – ${write(d.bounds[i + 1])}`;
}

/** A small generator of random numbers, so that an interval does not change when it is looked at again. @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const rounds = 200, most = 2000;

/** Draws as many as there are pings or clients, and returns their density. @param {Density} d @param {number} n @param {() => number} next */
function resample(d, n, next) {
  const edges = [];
  let total = 0;
  for (const weight of d.weights) edges.push(total += weight);
  const weights = new Array(d.weights.length).fill(0);
  for (let i = 0; i < n; i++) {
    const at = next() * total;
    let low = 0, high = edges.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle] > at) high = middle; else low = middle + 1;
    }
    weights[low]++;
  }
  return { ...d, weights, total: n };
}

/**
 * The difference b - a of a statistic, with the interval in which 95 % of 200 resamplings lie. As many are drawn as
 * there are pings (or clients), each as if it had one sample: those of one ping are not independent.
 * @param {Density} a @param {Density} b @param {boolean} byClient @param {(d: Density) => number} statistic
 */
export function difference(a, b, byClient, statistic) {
  const next = random(1);
  const size = (/** @type {Density} */ d) => Math.max(1, Math.min(most, Math.round(byClient ? d.clients : d.pings)));
  const values = [];
  for (let i = 0; i < rounds; i++) values.push(statistic(resample(b, size(b), next)) - statistic(resample(a, size(a), next)));
  values.sort((x, y) => x - y);
  return { value: statistic(b) - statistic(a), low: values[Math.floor(rounds * 0.025)], high: values[Math.ceil(rounds * 0.975) - 1] };
}

/** The unit that a measure's name or kind says; "" if none. @param {string} name @param {string} kind */
export function unitOf(name, kind) {
  if (/memory_distribution/.test(kind)) return "bytes";
  if (/timing_distribution/.test(kind)) return "ns";
  const found = /(_|\.|^)(MS|US|NS|KB|MB|BYTES|PCT|PERCENT|COUNT|SECONDS)(_|$|\d)/i.exec(name);
  const units = /** @type {Record<string, string>} */ ({ MS: "ms", US: "µs", NS: "ns", KB: "kB", MB: "MB", BYTES: "bytes", PCT: "%", PERCENT: "%", SECONDS: "s" });
  return found ? units[found[2].toUpperCase()] ?? "" : "";
}
