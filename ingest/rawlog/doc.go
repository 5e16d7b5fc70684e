// Package rawlog makes submissions durable and reads them back. FORMAT.md
// specifies its files: version 3, which it writes, and the predecessor's versions
// 0 to 2, which it only reads.
//
//	              1 encode         2 gather        3 write, sync      4 finish
//	Submission ─► NewEntry, Seal ─► next batch ─► telemetry.log.v3.… ─► ….finished ─► Reader
//	                 ◄────────── 200, or why not ───────┘
//
// One submission, in steps:
//
//  1. Its bytes are put where they will be written from, and summed.
//  2. It joins the batch that gathers while the disk is busy with the one before.
//  3. The committer, one goroutine, writes and syncs the batch with one call,
//     around the page cache; everybody who waits for that batch goes on. After a failed write or sync
//     nothing is known of these bytes: they are refused, and the file ends before
//     them.
//  4. At MaxBytes or MaxAge the file is cut to what is durable, its head says how
//     long it is, and it is renamed.
//
// The states of a raw log, by its name in the folder:
//
//	.new.<name>       being made; nothing in it counts
//	<name>            appended to, and locked (flock); unlocked: left by a crash
//	<name>.finished   complete
//	.spare.<name>     a second link to a finished one (or a file of zeros): when it
//	                  is the only link left, the next raw log overwrites it
//
// A new file gets its blocks in advance, the next one is written full of zeros
// in the background, as fast as submissions come, and what has been converted is recycled: a sync is fast when
// it changes no metadata.
//
// # To add …
//
// A version: a picture in FORMAT.md, parseHeader, and cases in TestReader;
// only the newest is written.
//
// A step that touches the disk: a method of disk or diskFile, and of faultDisk, so
// that TestLogSurvivesEachFault lets it fail.
package rawlog
