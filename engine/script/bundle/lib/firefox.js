// firefox: what build IDs, versions and channels of Mozilla's applications mean.

/**
 * The time that a build ID stands for, as a Date; undefined for what is no build ID.
 * Digits of the time of day may be missing, so that a submission date works too. The
 * time is read as UTC; before 2016 build machines wrote the time of California.
 */
export function parseBuildID(id) {
  const text = String(id)
  if (!/^\d{8}(\d\d){0,3}$/.test(text)) return undefined
  const [year, month, day, hour = 0, minute = 0, second = 0] = [text.slice(0, 4), ...text.slice(4).match(/\d\d/g)].map(Number)
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))

  // Date.UTC takes the 30th of February for the 2nd of March.
  return date.toISOString().replace(/\D/g, "").startsWith(text) ? date : undefined
}

const dayMilliseconds = 24 * 60 * 60 * 1000

/**
 * How many days old a build was on a submission date, with fractions; undefined if one of
 * the two is no date.
 */
export function buildAge(buildID, date) {
  const from = parseBuildID(buildID)
  const to = parseBuildID(date)
  return from && to && (to - from) / dayMilliseconds
}

/**
 * Negative if version a comes before b, 0 if they are the same, positive if it comes
 * after; for sort. 28.0a1 comes before 28.0b1, that before 28.0, and 9.0 before 10.0.
 * Text that is not a version, such as OTHER, comes before all versions.
 */
export const compareVersions = __host.compareVersions

// A number, then parts behind dots; either may end in letters such as a1, b2, esr.
const version = /^(\d+)(?:[a-z]+\d*)?(?:\.\d+(?:[a-z]+\d*)*)*$/

/** The first number of a version, 28 of "28.0a1"; undefined for what is no version. */
export function majorVersion(text) {
  const found = version.exec(text)
  return found ? Number(found[1]) : undefined
}

/**
 * The channel that a version is made for: nightly (a1), aurora (a2), beta (b1, …), esr or
 * release; undefined for what is no version. Pings of beta builds mostly say 28.0 and not
 * 28.0b3: where there is an update channel, trust that.
 */
export function channelOfVersion(text) {
  if (!version.test(text)) return undefined
  if (/esr(pre)?$/.test(text)) return "esr"
  if (/a1$|pre$/.test(text)) return "nightly"
  if (/a\d+$/.test(text)) return "aurora"
  return /b\d+$/.test(text) ? "beta" : "release"
}

const channels = ["release", "esr", "beta", "aurora", "nightly"]

/**
 * An update channel without what partners add to it: release, esr, beta, aurora or
 * nightly, such as "beta" of "beta-cck-example"; "OTHER" for all else.
 */
export function normalizeChannel(name) {
  const base = /^([a-z]+)(?:[-_]cck[-_].*)?$/.exec(name)?.[1]
  return channels.includes(base) ? base : "OTHER"
}
