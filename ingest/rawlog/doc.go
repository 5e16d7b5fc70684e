// Package rawlog makes submissions durable and reads them back. FORMAT.md
// specifies its files: version 4, which it writes, and versions 0 to 3, which it only
// reads.
//
//	              1 encode         2 gather        3 write, sync      4 finish
//	Submission ─► NewEntry, Seal ─► next batch ─► telemetry.log.v4.… ─► ….finished ─► Reader
//	                 ◄────────── 200, or an error ──────┘
//
// One submission, in steps:
//
//  1. Its bytes become an entry: they are put where they will be written from, and
//     their sum is computed.
//  2. The entry joins the batch that gathers while the disk is busy with the batch
//     before.
//  3. The committer, one goroutine, writes and syncs the batch with one call that
//     bypasses the page cache, and wakes the calls that wait for it. After a failed
//     write or sync it is not known which bytes are on the disk: the calls get the
//     error, and the file ends before the batch.
//  4. At MaxBytes or MaxAge the file is cut to what is durable, its head gets its
//     size, and it is renamed.
//
// The states of a raw log, by its name in the folder:
//
//	.new.<name>       being made; nothing in it counts
//	<name>            appended to, and locked (flock); unlocked: left by a crash
//	<name>.finished   complete
//	                  (no name is ever taken from another raw log; one whose name is gone
//	                  is written again when it is finished)
//	.spare.<name>     a second link to a finished one (or a file of zeros): when it
//	                  is the only link left, the next raw log overwrites it
//
// A sync is fast when it changes no metadata. Therefore a new file gets its disk
// blocks in advance, a raw log that has been converted is recycled, and if there is
// none, the next file is written full of zeros in the background, while no clients wait
// for the disk, at a multiple of the pace at which submissions come.
//
// # To add …
//
// A field of a Request: a Field constant, and its row in FORMAT.md. TestRequest fails
// without the row. Package ingest says which header it comes from, package convert what
// becomes of it.
//
// A raw log version: a picture in FORMAT.md, a mark in VersionOf, a length in
// fixedBytes, a case in parseEntryHeader, and one in TestReader. Only the newest
// version is written. TestEveryVersionIsReadAndNamed fails if a place is missing.
//
// A step that touches the disk: a method of disk or diskFile, and of faultDisk, so
// that TestLogSurvivesEachFault lets it fail.
package rawlog
