// Histograms added up by submission date: the files from which telemetry.js (version 1)
// shows how a measure evolves. It reads the server's /histograms/<repo>/<revision> too.
//
// Output: the file's path below the data folder, its JSON:
//   <channel>/<major version>/<measure>-by-submission-date.json
//     {date: [[bucket counts…, sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi, submissions, filter ID], …]}
//   <channel>/<major version>/filter-tree.json
//     {_id, name: "reason", <reason>: {_id, name: "appName", …}}
// A filter ID is a hash of its path, so that files made by different jobs agree.

import { add } from "histogram"

const levels = ["reason", "appName", "OS", "osVersion", "arch"]

// file: {"<date> <filter ID> <numbers>": {submissions, total}}; of a filter tree {path: ID}.
const files = {}

export function map(id, dims, ping) {
  const { info, histograms } = ping
  if (!info || !histograms) return
  const folder = dims.appUpdateChannel + "/" + dims.appVersion.split(".")[0]
  const path = JSON.stringify([dims.reason, dims.appName, info.OS, info.version, info.arch].map(String))
  const filter = ((files[folder + "/filter-tree.json"] ||= {})[path] ||= hash(JSON.parse(path)))
  for (const name in histograms) {
    const h = histograms[name]
    merge((files[`${folder}/${name}-by-submission-date.json`] ||= {}), `${dims.submission_date} ${filter} ${h.length}`, 1, h)
  }
}

function merge(file, part, submissions, h) {
  const sum = (file[part] ||= { submissions: 0 })
  sum.submissions += submissions
  sum.total = add(sum.total, h)
}

export function mapFinished(ctx) {
  for (const file in files) ctx.write(file, files[file])
}

export function reduce(file, values, ctx) {
  if (file.endsWith("/filter-tree.json")) return ctx.write(file, tree(Object.keys(Object.assign({}, ...values))))
  const all = {}, out = {}
  for (const v of values) for (const part in v) merge(all, part, v[part].submissions, v[part].total)
  // Of several bucketings a file has one. Definitions grow, so the longest is the newest.
  const longest = Math.max(...Object.values(all).map((s) => s.total.length))
  for (const part of Object.keys(all).sort()) {
    const [date, filter] = part.split(" "), { total, submissions } = all[part]
    if (total.length === longest) (out[date] ||= []).push([...total, submissions, Number(filter)])
  }
  ctx.write(file, out)
}

function tree(paths) {
  const root = { _id: 0, name: levels[0] }
  for (const p of paths.sort()) JSON.parse(p).reduce((node, v, i, path) => (node[v] ||= { _id: hash(path.slice(0, i + 1)), name: levels[i + 1] }), root)
  return root
}

const hash = (path) => [...path.join("\0")].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0, 2166136261)
