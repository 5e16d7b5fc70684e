// Which records a job sees: tmrun --input-filter FILE --data-dir DIR JOB.
//
// The folders that dimensions leave out are never opened; match then judges each
// record. Either may be left out.

export const dimensions = [
  { field_name: "reason", allowed_values: ["saved_session"] },
  { field_name: "appName", allowed_values: "*" },
  { field_name: "appUpdateChannel", allowed_values: ["nightly", "aurora", "beta"] },
  { field_name: "appVersion", allowed_values: { min: "24" } },
]

export function match(id, dims, ping) {
  return ping.info?.OS === "WINNT"
}
