// Package limit bounds how many new values strangers can make in a day: partitions, and
// any other value that becomes a name on the disk or a label.
//
//	            Admit(kind, day, value)                Record
//	raw log ──► Limiter ──────► true, or over the limit ──► Index (a bbolt file)
//
// In come values in the order of a raw log, each with its kind and the day of its
// receipt. Out goes whether the value may be used; if not, the caller uses OTHER in its
// place, and the limiter counts it. One value, in steps:
//
//  1. It was admitted for this kind and day before, by an earlier raw log or by this one:
//     it is admitted.
//  2. It is new. It is admitted while this raw log has made less than PerLog new ones for
//     the kind and day, and while the day has less than PerDay.
//  3. Otherwise it is over the limit. The most frequent of these are listed (Excess), so
//     that an operator can allow them.
//
// # The same raw log again
//
// What a raw log sees is the index as it was when the raw log was converted first: every
// value has a number, in the order in which they came, and every raw log has the number
// that was the last when it came. So converting a raw log again decides the same, whatever
// came since. Of raw logs that are converted at the same time, none sees what the others
// make: a day may get PerLog values more for each of them.
//
// Record runs just before the commit. A crash in between leaves values that do not exist
// yet; the raw log is converted again, decides the same, and then they do.
//
// A day to which no raw log has added for idleDays is forgotten, and so is a raw log after
// sourceDays.
//
// # To add a limit for another kind of value
//
// Call layout.Writer's Admit with a name for the kind, the day of receipt and the value,
// from the goroutine that adds to the writer, in the order of the raw log, and use
// schema.Other where it says false. Nothing else: the writer records the values with its
// commit, package worker counts what is over the limit by kind, and tmserver stats, the
// metric telemetry_over_limit_total and /status show it. The kinds must not come from
// clients. An example is Writer.part, whose kinds are the constants Kind….
package limit
