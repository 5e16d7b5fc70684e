// Package upkeep maintains the published segments of a data folder, on this machine or
// in an object store: it merges them, removes old ones, finds and repairs damage, and
// imports other trees.
//
// In comes a Place; out go the same records in fewer, smaller and sound files.
//
//	                      ┌─ folder: backend.Folder, all or none
//	Compact Expire Check ─┤                                      one at a time: the lock
//	                      └─ bucket: backend.Blob, object by object
//
// # Compact
//
//  1. Take the lock, which finishes what a former holder committed. Purge what was
//     replaced longer ago than the grace period.
//  2. List the partitions; those with one merged segment and nothing else are done.
//  3. Read the segments of a partition, oldest raw log first, and pack their
//     records into frames of 4 MiB; full frames that were merged before are copied.
//     All cores compress; frames stay in order (pipeline.go).
//  4. Stage the merged segment, whose trailer names what it replaces. Every so
//     many partitions, replace: put the merged ones in place, then remove what
//     they replace; for the grace period, jobs that listed it before still find it.
//
// Readers see the old segments or the merged one, never both and never neither:
// layout.Tree.Segments says how.
//
// In columns (CompactOptions.Columns), all partitions of a day come together: for each
// day that has rows, the partitions are read in the order of their paths, and written to
// a segment in columns, with what small ones of the day have. It replaces the rows as a
// merged segment does (compact_columns.go, day_build.go).
//
// With CompactOptions.DropRepeats, what several servers published of the same ping becomes one
// record (repeats.go).
//
// # Check and repair
//
//  1. Check reads every segment from end to end, on all cores.
//  2. With repair, interrupted publications are finished, and each damaged segment
//     is preserved below state/damaged and replaced by what can be read of it.
//
// # To add a chore
//
//  1. Write it as a method of Place that does its work in Place.locked.
//  2. Let it change files by the methods of site only (place.go), which folder and
//     bucket implement, so that it works in folders and in object stores.
//  3. Add its row to TestChoresNeedTheLock, which fails for a method without one and
//     for one that runs without the lock.
package upkeep
