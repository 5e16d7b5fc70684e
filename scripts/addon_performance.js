// What add-ons cost: the distributions, for each add-on and version, of its times
// (…_MS) and of the number of files that the browser scanned for it at start
// (scan_items). Also the number of sessions by error of the add-on manager.
//
// Output: "A", application, OS, major version, channel, add-on:version,
// {measure: {lower bound of a logarithmic bucket: times}, name: {name: times}}; or
// "E", application, OS, major version, channel, error ("Sessions" for all), sessions.

const stamps = ["AMI_startup_begin", "XPI_startup_begin", "XPI_bootstrap_addons_begin", "XPI_bootstrap_addons_end", "XPI_startup_end", "AMI_startup_end"]

export function map(id, dims, ping, ctx) {
  // Current pings have the same in other places.
  const { info, payload: current } = ping
  const os = current ? ping.environment?.system?.os?.name : info && info.OS
  if (!os) return
  const where = [dims.appName, os, dims.appVersion.split(".")[0], dims.appUpdateChannel]

  ctx.write(["E", ...where, "Sessions"], 1)
  const error = !current && startError(ping.simpleMeasurements) // current ones have no times of the add-on manager
  if (error) ctx.write(["E", ...where, error], 1)

  // info.addons has the versions, "<escaped ID>:<version>,…"; details has the times.
  const versions = Object.fromEntries(((!current && info.addons) || "").split(",").map((item) => item.split(":")))
  const active = current && ping.environment.addons?.activeAddons
  const details = (current || ping).addonDetails?.XPI || {}
  for (const addon in details) {
    const found = {}
    for (const measure in details[addon]) {
      const spread = measure === "scan_items" ? 0.2 : measure.endsWith("_MS") ? 0.34 : 0
      if (spread) found[measure] = { [bucket(details[addon][measure], spread)]: 1 }
    }
    if (Object.keys(found).length === 0) continue
    found.name = { [details[addon].name || "?"]: 1 }
    ctx.write(["A", ...where, `${addon}:${active?.[addon]?.version || versions[encodeURIComponent(addon)] || (active || info?.addons ? "?" : "*")}`], found)
  }
}

// startError returns why the add-on manager did not start; undefined if it did.
function startError(simple) {
  if (!simple) return "No simpleMeasurements"
  const { exception } = simple.addonManager || {}
  const missing = stamps.find((s) => simple[s] === undefined)
  return exception ? JSON.stringify(exception) : missing && missing + ": No exception"
}

const bucket = (v, spread) => (v < 1 ? 0 : Math.trunc(Math.exp(Math.trunc(Math.log(v) / spread) * spread)))

// add adds up numbers, or objects of numbers of any depth.
const add = (sum, v) => {
  if (typeof v === "number") return (sum || 0) + v
  for (const k in v) (sum ||= {})[k] = add(sum[k], v[k])
  return sum
}

export function reduce(key, values, ctx) {
  ctx.write(key, values.reduce((sum, v) => add(sum, v), undefined))
}

export const combine = reduce
