// The benchmark's jobs in plain Node: two processes, zstd -dc, JSON.parse. A job of two
// passes gives the second one the result of the first.
// usage: node node.mjs JOB FILE…
import { fork, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const [job, ...files] = process.argv.slice(2)
const names = ["GC_MS", "CYCLE_COLLECTOR", "MEMORY_RESIDENT", "CACHE_HIT", "PAGE_LOAD_KIND"]

const jobs = {
  dims_only(sums, dims) {
    sums[dims] = (sums[dims] || 0) + 1
  },
  os_distribution(sums, dims, text) {
    const os = JSON.parse(text).info.OS
    sums[os] = (sums[os] || 0) + 1
  },
  all_histograms(sums, dims, text) {
    const { histograms } = JSON.parse(text)
    const channel = dims.split("/").slice(-3)[0]
    for (const name in histograms) {
      const h = histograms[name]
      const key = [channel, name, h.length].join()
      const sum = sums[key]
      if (!sum) sums[key] = h
      else for (let i = 0; i < h.length; i++) if (h[i] >= 0) sum[i] = sum[i] >= 0 ? sum[i] + h[i] : h[i]
    }
  },
  histogram_aggregates(sums, dims, text) {
    const { info, histograms } = JSON.parse(text)
    const [reason, app, channel, version, last] = dims.split("/").slice(-5)
    const place = [channel, version.split(".")[0], last.split(".").at(-1), reason, app, info.OS, info.version, info.arch].join()
    for (const name in histograms) {
      const h = histograms[name]
      const key = [place, name, h.length].join()
      const sum = sums[key]
      if (!sum) sums[key] = h
      else for (let i = 0; i < h.length; i++) if (h[i] >= 0) sum[i] = sum[i] >= 0 ? sum[i] + h[i] : h[i]
    }
  },
  mean_sums(sums, dims, text) {
    const { histograms } = JSON.parse(text)
    const channel = dims.split("/").slice(-3)[0]
    for (const name of Object.keys(histograms)) {
      const h = histograms[name]
      addNumbers(sums, [channel, name].join(), [1, h[h.length - 5]])
    }
  },
  bucket_sums(sums, dims, text) {
    const { histograms } = JSON.parse(text)
    const channel = dims.split("/").slice(-3)[0]
    let total = 0
    for (const name of Object.keys(histograms)) {
      const h = histograms[name]
      for (let i = 0; i < h.length - 5; i++) total += h[i]
    }
    sums[channel] = (sums[channel] || 0) + total
  },
  count_keys(sums, dims, text) {
    sums.histograms = (sums.histograms || 0) + Object.keys(JSON.parse(text).histograms).length
  },
  deviations(sums, dims, text) {
    for (const [name, h] of Object.entries(JSON.parse(text).histograms)) {
      const sum = h[h.length - 5]
      addNumbers(sums, name, [1, sum, sum * sum])
    }
  },
  outliers(sums, dims, text, first) {
    const channel = dims.split("/").slice(-3)[0]
    for (const [name, h] of Object.entries(JSON.parse(text).histograms)) {
      const [n, sum, squares] = first[name]
      const mean = sum / n
      const deviation = Math.sqrt(Math.max(0, squares / n - mean * mean))
      const key = [channel, name].join()
      if (Math.abs(h[h.length - 5] - mean) > 5 * deviation) sums[key] = (sums[key] || 0) + 1
    }
  },
  histogram_sum(sums, dims, text) {
    const { histograms } = JSON.parse(text)
    const [channel, version] = dims.split("/").slice(-3)
    for (const name of names) {
      const h = histograms[name]
      if (!h) continue
      const key = [channel, version, name, h.length].join()
      const sum = sums[key]
      if (!sum) sums[key] = h
      else for (let i = 0; i < h.length; i++) if (h[i] >= 0) sum[i] = sum[i] >= 0 ? sum[i] + h[i] : h[i]
    }
  },
}

const firstPass = { outliers: "deviations" }
const ofNumbers = ["mean_sums", "deviations"] // whose arrays are no histograms, in which -1 is a sum that was not sent

function addNumbers(sums, key, numbers) {
  const sum = sums[key]
  if (!sum) sums[key] = numbers
  else for (let i = 0; i < numbers.length; i++) sum[i] += numbers[i]
}

function add(job, a, b) {
  for (const k in b) {
    if (ofNumbers.includes(job)) addNumbers(a, k, b[k])
    else if (Array.isArray(b[k])) a[k] = a[k] ? a[k].map((x, i) => (b[k][i] >= 0 ? (x >= 0 ? x + b[k][i] : b[k][i]) : x)) : b[k]
    else a[k] = (a[k] || 0) + b[k]
  }
}

async function readSegments(job, first) {
  const sums = {}
  for (const file of files) {
    const dims = file.replace(/[.]v2[.]log.*$/, "")
    const zstd = spawn("zstd", ["-dcq", file], { stdio: ["ignore", "pipe", "inherit"] })
    let rest = []
    for await (let chunk of zstd.stdout) {
      for (let i; (i = chunk.indexOf(10)) >= 0; chunk = chunk.subarray(i + 1)) {
        rest.push(chunk.subarray(0, i))
        const line = Buffer.concat(rest)
        rest = []
        jobs[job](sums, dims, line.toString("utf8", line.indexOf(9) + 1), first)
      }
      rest.push(chunk)
    }
  }
  return sums
}

async function runPass(job, first) {
  const sums = {}
  const half = [files.filter((_, i) => i % 2), files.filter((_, i) => !(i % 2))]
  await Promise.all(half.map((list) => new Promise((done) => {
    const child = fork(fileURLToPath(import.meta.url), [job, ...list])
    child.on("message", (m) => add(job, sums, m))
    child.on("exit", done)
    child.send({ first })
  })))
  return sums
}

if (process.send) {
  process.once("message", async ({ first }) => {
    process.send(await readSegments(job, first))
    process.disconnect()
  })
} else {
  const first = firstPass[job] && (await runPass(firstPass[job]))
  const sums = await runPass(job, first)
  const keys = Object.keys(sums).sort()
  console.log(keys.length, JSON.stringify([keys[0], sums[keys[0]]]).slice(0, 100))
}
