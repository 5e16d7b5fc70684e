// Package backup copies a data folder to another place, beside a running server, and
// restores it.
//
//	data folder ─► Backup ─► Repository ─► Restore ─► data folder
//	                         (folder or object store)
//
// # What a snapshot holds
//
// Everything that was acknowledged before the backup began: in a raw log, or published,
// or in quarantine. What comes while it goes on may be there or not. The order of the
// steps sees to that:
//
//  1. The index of repeats is opened, which waits for the conversions at work, and
//     copied. While it is open no conversion begins, and each raw log gets a second link
//     below state/backup: it stays whatever becomes of it. (Servers that drop no repeats
//     have no index; then nothing waits.)
//  2. The raw logs are copied from there. One that is still written is cut after its
//     last whole entry.
//  3. The quarantine and then the segments are copied. What is converted meanwhile is
//     there twice, as raw log and as segments: the conversion after a restore leaves out
//     what is published (layout.Writer). A segment that compaction replaces on the way is
//     found in its successor.
//  4. Definitions, statistics, the schema and damaged originals are copied, and last the
//     deletion requests. A restore adds those of all other snapshots: who asked for it after
//     the snapshot was made does not come back with it.
//  5. The snapshot, a list of all that, is written.
//
// A crash leaves a repository without the last snapshot, and nothing else.
//
// # The repository
//
//	objects/<2 hex>/<64 hex>             the content of a file, by its SHA-256
//	snapshots/<number>-<time>-<16 hex>   JSON: Snapshot; the hex digits are of its SHA-256
//
// So a content is stored once, and what did not change is not copied again. Segments
// never change: one with the size and time of the snapshot before is not even read.
// Nothing here is overwritten; Prune removes old snapshots, and then what none has.
//
// # To add a kind of file
//
// List it in copier.all, at the place in the order above that its changes need;
// TestRestoredIsAsItWas compares what is restored with what was there.
package backup
