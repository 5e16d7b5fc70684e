// Reads the files of histogram_aggregates with the telemetry dashboard's own JavaScript,
// version 1, and compares what that shows with the sums of telemetry_v1.js: submissions,
// buckets and mean of each measure, by date, and filtered by reason, application and OS.
// usage: node telemetry_v1.mjs TELEMETRY.JS AGGREGATES.TSV SUMS.JSONL DEFINITIONS.JSON…
import { readFileSync } from "node:fs"
import { createContext, runInContext } from "node:vm"

const [library, aggregates, expected, ...definitions] = process.argv.slice(2)
const lines = (name) => readFileSync(name, "utf8").split("\n").filter(Boolean)

// The library asks whether what it reads is an Object, so both are made in its context.
const page = createContext({})
runInContext(readFileSync(library, "utf8"), page)
const parse = runInContext("JSON.parse", page)

// The dashboard's files by their URLs.
// Each channel has the definitions of its repository.
const repositories = { nightly: "mozilla-central", esr: "mozilla-esr" }
const specificationsOf = (channel) => {
  const repository = repositories[channel] ?? "mozilla-" + channel
  const found = parse(readFileSync(definitions.find((name) => name.includes(repository)) ?? definitions[0], "utf8"))
  // The dashboard's files had numbers where definitions have "80 + 1".
  for (const of of Object.values(found)) if (/^[\d +*()-]+$/.test(of.n_values)) of.n_values = String(new Function("return " + of.n_values)())
  return found
}
const files = {}
const folders = {}
for (const line of lines(aggregates)) {
  const [path, text] = line.split("\t")
  const folder = path.split("/").slice(0, 2).join("/")
  files[path] = parse(text.replaceAll("\\\\", "\\"))
  files[folder + "/histograms.json"] ??= specificationsOf(path.split("/")[0])
  folders[folder] = folder
}
files["versions.json"] = folders

const { Telemetry } = page
Telemetry.getUrl = (url, done) => {
  const path = url.replace(/^.*\/v7\//, "")
  done(files[path] ? null : "there is no " + path, files[path])
}

// The sums by measure and date, for each path of filters.
const sums = {}
for (const line of lines(expected)) {
  const { value: [pings, h], ...keys } = JSON.parse(line)
  const [folder, measure, date, ...filters] = Object.values(keys)
  for (let depth = 0; depth <= filters.length; depth++) {
    const of = (sums[[folder, measure]] ??= {})[[date, ...filters.slice(0, depth)]] ??= { pings: 0, buckets: [], sum: 0 }
    of.pings += pings
    of.sum += h.at(-5)
    h.slice(0, -5).forEach((count, i) => (of.buckets[i] = (of.buckets[i] ?? 0) + count))
  }
}

let compared = 0
const differences = []
function compare(what, shown, own) {
  compared++
  if (JSON.stringify(shown) !== JSON.stringify(own)) differences.push(`${what}: telemetry.js ${JSON.stringify(shown)}, pings ${JSON.stringify(own)}`)
}

function compareEvolution(folder, measure, evolution, filters) {
  const own = sums[[folder, measure]]
  const dates = []
  evolution.each((date, histogram) => {
    const day = date.toISOString().slice(0, 10).replaceAll("-", "")
    const of = own[[day, ...filters]]
    const what = [folder, measure, day, ...filters].join(" ")
    dates.push(day)
    compare(what + " submissions", histogram.submissions(), of?.pings)
    // Version 1 is older than histograms of the kind count, and shows their first bucket.
    const buckets = histogram.kind() === "count" ? of?.buckets.slice(0, 1) : of?.buckets
    compare(what + " buckets", histogram.map((count) => count), buckets)
    if (/linear|exponential/.test(histogram.kind())) compare(what + " mean", histogram.mean(), of.sum / histogram.count())
  })
  const keys = Object.keys(own).map((key) => key.split(","))
  const days = keys.filter((key) => key.length === filters.length + 1 && filters.every((filter, i) => key[i + 1] === filter)).map(([day]) => day)
  compare([folder, measure, ...filters].join(" ") + " dates", dates, days.sort())
  if (filters.length < 3) for (const option of evolution.filterOptions()) if (option in byFilter(own, filters)) compareEvolution(folder, measure, evolution.filter(option), [...filters, option])
}

// The next filter's values that the pings have behind the filters.
function byFilter(own, filters) {
  const found = {}
  for (const key in own) {
    const [, ...path] = key.split(",")
    if (path.length > filters.length && filters.every((filter, i) => path[i] === filter)) found[path[filters.length]] = true
  }
  return found
}

Telemetry.init(() => {
  for (const of of Object.keys(sums)) {
    const [folder, measure] = of.split(",")
    // A startup histogram has the definition of the histogram without the prefix.
    const specifications = files[folder + "/histograms.json"]
    specifications[measure] ??= specifications[measure.replace(/^STARTUP_/, "")]
    Telemetry.loadEvolutionOverTime(folder, measure, (evolution) => compareEvolution(folder, measure, evolution, []))
  }
})
console.log(`${compared} comparisons of ${Object.keys(sums).length} measures in ${Object.keys(folders).length} versions, ${differences.length} differences`)
console.log(differences.slice(0, 20).join("\n"))
process.exit(differences.length ? 1 : 0)
