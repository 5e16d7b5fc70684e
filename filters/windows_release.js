// Finished sessions of the release channel on Windows 7 and later. The dimensions
// prune folders, then match decides about each record.

export const dimensions = [
  { field_name: "reason", allowed_values: ["saved-session"] },
  { field_name: "appName", allowed_values: ["Firefox"] },
  { field_name: "appUpdateChannel", allowed_values: ["release"] },
  { field_name: "appVersion", allowed_values: "*" },
  { field_name: "appBuildID", allowed_values: "*" },
  { field_name: "submission_date", allowed_values: "*" },
]

export function match(id, dims, ping) {
  const { OS, version } = ping.info
  return OS === "WINNT" && parseFloat(version) >= 6.1
}
