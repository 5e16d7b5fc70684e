// How many crashes were reported, by channel, version, system, process and kind of crash.
//
// It reads Firefox's own crash pings and those of Glean: a browser that has both kinds on
// sends both, so choose with --where, such as appName=firefox_crashreporter.
//
// Output: application, channel, version, OS, process, kind, crashes.

import { count } from "tables"

export const crashes = count("application", "channel", "version", "os", "process", "kind", { header: false })

export function map(id, dims, ping) {
  if (dims.reason !== "crash") return
  const add = (os, process, kind) => crashes.add(dims.appName, dims.appUpdateChannel, dims.appVersion, os, process, kind)

  // Glean's pings are sent by a program of its own, so they say of which system the crash is.
  const stack = ping.metric("crash.stack_traces")
  if (ping.metrics) return add(ping.metric("crash.os") ?? ping.client_info?.os, ping.metric("crash.process_type"), stack?.crash_type)

  const payload = ping.payload
  add(ping.environment?.system?.os?.name, payload?.processType, payload?.stackTraces?.crash_info?.type)
}
