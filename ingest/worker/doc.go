// Package worker publishes what is in raw logs.
//
//	raw/<name>, or a file ─► read ─► convert in parallel ─► layout.Writer ─► published/
//	                                  (package decide)       │    │
//	                                                         │    └─► invalid/  (package quarantine)
//	                                                         └─► raw/….waitingN…, raw/….part…
//
// In comes a raw log, out come the segments of its records. One raw log, in steps:
//
//  1. Lock its name, and finish the commit that a crash interrupted.
//  2. Count the attempt: if the process ends before the commit, it is a death. A raw log
//     with two of them is not converted, but divided into parts, which are raw logs
//     that Options.Child converts in other processes (parts.go has the rules).
//  3. Read its entries in batches; one goroutine per processor converts them and
//     decides about them; results come out in the order of the raw log. While clients
//     wait for the disk, reading pauses.
//  4. Add each submission to the writer: as a record, to the quarantine, or, while its
//     definitions are not available, to a raw log of those that wait. What the filter
//     dropped is counted.
//  5. Commit: the records, the quarantined and the waiting submissions, and the
//     statistics appear together, and the raw log is removed. A kill before leaves
//     everything as it was; converting again after it replaces the same segments.
//
// Package intake watches the folders that raw logs come from.
//
// # To add a count
//
// A field of Stats, where publication.add counts it, and its sum in Add:
// TestAddAddsEveryCount fails for a field that Add forgets. A count that must outlive the
// process is one of package statistics too.
package worker
