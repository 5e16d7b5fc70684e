// Histograms added up by submission date: the files from which telemetry.js (version 1)
// shows how a measure evolves. It reads the server's /histograms/<repo>/<revision> too.
//
// Output: the file's path below the data folder, its JSON:
//   <channel>/<major version>/<measure>-by-submission-date.json
//     {date: [[bucket counts…, sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi, submissions, filter ID], …]}
//   <channel>/<major version>/filter-tree.json
//     {_id, name: "reason", <reason>: {_id, name: "appName", …}}
// A filter ID is a hash of its path, so that files made by different jobs agree.

import { count, histograms } from "tables"
import { sum } from "histogram"

const levels = ["reason", "appName", "OS", "osVersion", "arch"]

export const measures = histograms("folder", "measure", "date", "filter", { each: "measure", show: ["pings", "numbers"], group: 2, write: writeMeasure })
export const trees = count("folder", "path", { write: writeTree })

const filters = {} // {path: ID}

export function map(id, dims, ping) {
  const histograms = ping.histograms ?? ping.payload?.histograms
  if (!histograms || !ping.info && !ping.payload) return
  const info = ping.payload ? current(ping.environment) : ping.info
  const folder = dims.appUpdateChannel + "/" + dims.appVersion.split(".")[0]
  const path = `${dims.reason}\0${dims.appName}\0${info.OS}\0${info.version}\0${info.arch}`
  trees.add(folder, path)
  measures.addEach(folder, dims.submission_date, (filters[path] ||= String(hash(path))), histograms)
}

// current returns what the info of a classic ping has, from a current one's environment.
const current = (environment) => ({ OS: environment?.system?.os?.name, version: environment?.system?.os?.version, arch: environment?.build?.architecture })

function writeMeasure([folder, measure], rows, ctx) {
  // Of several bucketings a file has one. Definitions grow, so the longest is the newest.
  const longest = rows.reduce((most, row) => Math.max(most, row[3].length), 0)
  const dates = {}
  let last = []
  rows.forEach((row) => {
    const date = row[0], filter = row[1], pings = row[2], numbers = row[3]
    if (numbers.length !== longest) return
    const sums = (dates[date] ||= [])
    if (last[0] === date && last[1] === filter) row = [date, filter, last[2] + pings, sum([last[3], numbers])] // of two revisions
    else sums.length++
    sums[sums.length - 1] = row
    last = row
  })
  for (const date in dates) dates[date].forEach((row, i, sums) => (sums[i] = row[3], sums[i].push(row[2], Number(row[1]))))
  ctx.write(`${folder}/${measure}-by-submission-date.json`, dates)
}

function writeTree([folder], rows, ctx) {
  const root = { _id: 0, name: levels[0] }
  for (const [path] of rows)
    path.split("\0").reduce((node, v, i, all) => (node[v] ||= { _id: hash(all.slice(0, i + 1).join("\0")), name: levels[i + 1] }), root)
  ctx.write(folder + "/filter-tree.json", root)
}

const hash = (path) => [...path].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0, 2166136261)
