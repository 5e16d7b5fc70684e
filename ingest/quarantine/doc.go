// Package quarantine keeps the submissions that were rejected, byte for byte, until
// they can be converted.
//
//	worker ─► Add ─► invalid/<class>/<partition> ─► Read   (tmserver invalid, stats)
//	                          ▲             │
//	                          └── Replay ◄──┘ ─► published/
//
// In come rejected submissions with the class and the message of the rejection, out
// come published records, once the definitions, the filter or the converter are
// corrected. The folder is called invalid/, and the command tmserver invalid, because
// both are older than the word quarantine.
//
// Replay, in steps, for each quarantined segment:
//
//  1. Each submission is converted and decided about again.
//  2. What becomes a record is published. What the filter drops goes. The rest is
//     written into a new quarantined segment, with the reason that it has now.
//  3. One commit publishes both and removes the old segment. A note is made before, from
//     which the next replay sees one whose process ended in between (unfinished.go).
//
// # To add a fact about a submission
//
// A field of layout.Rejected, where Add fills it in, and where submissionOf gives it back
// to the converter. TestAddStoresEverything fails for a field that Add forgets or
// that a replay would lose.
package quarantine
