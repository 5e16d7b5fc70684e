// Which records a job reads: tmrun --input-filter FILE --data-dir DIR JOB.
//
// Folders that the dimensions exclude are never opened. Then match decides about each
// record. Either export may be left out.

export const dimensions = [
  { field_name: "reason", allowed_values: ["saved_session"] },
  { field_name: "appName", allowed_values: "*" },
  { field_name: "appUpdateChannel", allowed_values: ["nightly", "aurora", "beta"] },
  { field_name: "appVersion", allowed_values: { min: "24" } },
]

export function match(id, dims, ping) {
  return ping.info?.OS === "WINNT"
}
