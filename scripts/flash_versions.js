// The installed Flash versions by application, version, channel and system. It
// counts desktop Firefox on Windows, and Firefox for Android on every system.
//
// Output: application, version, channel, OS, OS version, Flash version ("NA" without
// Flash), records.

import { sum } from "stats"

export function map(id, dims, ping, ctx) {
  const info = ping.info
  if (!info || !info.OS) return

  const app = info.appName
  const desktop = app === "Firefox" || app === "MetroFirefox"
  if (desktop ? info.OS !== "WINNT" : app !== "Fennec") return

  const or = (v) => (v === undefined || v === null ? "NA" : v)
  ctx.write([app, or(info.appVersion), or(info.appUpdateChannel), info.OS, or(info.version), or(info.flashVersion)], 1)
}

export function reduce(key, counts, ctx) {
  ctx.write(key, sum(counts))
}

export const combine = reduce
