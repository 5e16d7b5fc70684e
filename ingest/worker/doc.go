// Package worker publishes what is in raw logs.
//
//	         1 pick up            2 convert                 3 publish
//	raw/ ───► Pickup ─┐
//	spool/ ─► Spool ──┼─► read ─► convert in parallel ─► layout.Writer ─► published/
//	import ───────────┘              │ filter  │
//	                                 │         └─► invalid/, with the reason ─► Replay
//	                                 └─► raw/….waitingN…, when definitions are away
//
// One raw log, in steps:
//
//  1. It is finished, or nobody locks it: its server crashed. Pickup hands it to
//     one of its workers.
//  2. Its frames are read in lots, converted by one goroutine per processor, and
//     come out in order. While clients wait for the disk, reading rests. What was
//     converted the filter keeps, drops (it is counted) or quarantines; a raw log
//     has the same filter from its start to its end.
//  3. Records, quarantined and waiting submissions, and statistics become visible
//     by one commit, which also removes the raw log. Killed before, nothing has
//     happened; converted again, the same segments replace themselves.
//
// The states of a raw log:
//
//	waiting   in raw/, finished or unlocked
//	busy      being converted; locked
//	retrying  its conversion failed: it stays, and is tried again after a pause
//	gone      published and removed
//
// # To add …
//
// A place where raw logs come from: something that calls ConvertFrames with a
// source name that is a function of the content, as ImportSource's is.
package worker
