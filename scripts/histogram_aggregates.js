// Histograms added up per submission date, for dashboards: the data files that
// telemetry.js (version 1) reads for the evolution of a measure over time and for
// one histogram.
//
// Output: the file's path below the data folder, its JSON:
//   <channel>/<major version>/<measure>-by-submission-date.json
//     {date: [[bucket counts…, sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi, submissions, filter ID], …]}
//   <channel>/<major version>/filter-tree.json
//     {_id, name: "reason", <reason>: {_id, name: "appName", …}}
// A filter ID is a hash of its path, so that files made by different jobs agree.

const levels = ["reason", "appName", "OS", "osVersion", "arch"]

export function map(id, dims, ping, ctx) {
  const { info, histograms } = ping
  if (!info || !histograms) return
  const folder = [dims.appUpdateChannel, dims.appVersion.replace(/\..*/, "")].join("/")
  const path = [dims.reason, dims.appName, info.OS, info.version, info.arch].map(String)
  ctx.write(folder + "/filter-tree.json", { [JSON.stringify(path)]: 1 })
  for (const name in histograms) {
    const h = histograms[name]
    ctx.write(`${folder}/${name}-by-submission-date.json`, { [`${dims.submission_date} ${hash(path)} ${h.length}`]: [...h, 1] })
  }
}

// Adds up {part: histogram}; a sum that is missing, -1, is not added.
function add(parts) {
  const sum = {}
  for (const p of parts) {
    for (const k in p) {
      const to = sum[k]
      sum[k] = to && to.length ? to.map((n, i) => (n < 0 ? p[k][i] : p[k][i] < 0 ? n : n + p[k][i])) : p[k]
    }
  }
  return sum
}

export const combine = (file, parts, ctx) => ctx.write(file, add(parts))

export function reduce(file, parts, ctx) {
  const sum = add(parts), out = {}
  if (file.endsWith("/filter-tree.json")) return ctx.write(file, tree(Object.keys(sum).map((k) => JSON.parse(k))))
  const longest = Math.max(...Object.values(sum).map((h) => h.length)) // the newest definition has most buckets
  for (const k of Object.keys(sum).sort()) {
    const [date, filter] = k.split(" ")
    if (sum[k].length === longest) (out[date] = out[date] || []).push([...sum[k], Number(filter)])
  }
  ctx.write(file, out)
}

function tree(paths) {
  const root = { _id: 0, name: levels[0] }
  for (const path of paths.sort()) path.reduce((node, v, i) => (node[v] = node[v] || { _id: hash(path.slice(0, i + 1)), name: levels[i + 1] }), root)
  return root
}

const hash = (path) => [...path.join("\0")].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0, 2166136261)
