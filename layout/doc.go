// Package layout is the data folder: dimensions and their schema, partitions and
// their safe paths, segments, and how they are published, listed and read.
//
// In come records (Dims, document ID, JSON) from package ingest; out go blocks
// of whole `<id>\t<json>\n` lines to package engine. FORMAT.md has every byte.
//
//	          Add                  Commit                 Segments, Open
//	ingest ──────► state/staging/ ───────► published/ ──────────────────► engine
//	         Writer   <raw log>/            invalid/         Tree, Reader
//
// # Publishing (Writer, one per raw log)
//
//  1. NewWriter locks the staging folder of the raw log; what a former try
//     committed is finished, anything else there is removed.
//  2. Add appends the line to the frame that its partition is filling. A full
//     frame (1 MiB) is compressed and appended to the partition's staging file;
//     so are the largest ones when all of them together exceed the budget.
//     Files are opened for each append, so partitions cost no descriptors.
//  3. Commit closes every staging file with its trailer and syncs it, then syncs
//     the folder, then writes COMMIT and renames it into place. That rename is
//     the commit: before it nothing has happened, after it nothing can stop it.
//  4. The staged files are renamed into published/ and invalid/ and the folders
//     synced; then the raw log is removed; then COMMIT; then the rest.
//
// Died before 3 is done: Recover drops the staging, the raw log is converted
// again. Died later: Recover (or the next NewWriter) repeats 4, where a step that
// was done is no step. A segment's name is a function of raw log and partition, so
// even a raw log that comes back from a backup replaces its segments.
// Nothing is lost, nothing is doubled, and no half file is ever visible.
//
// # Compaction (Compact)
//
//  1. List the partitions; those with one merged segment and nothing else are done.
//  2. Read the segments of a partition, oldest raw log first, and pack their
//     records into frames of 4 MiB; full frames that were merged before are copied.
//     All cores compress; frames stay in order (pipeline.go).
//  3. Stage the merged segment, whose trailer names what it replaces. Every so
//     many partitions, commit: rename it into place, then move what it replaces
//     to state/replaced, where jobs that listed it before still find it.
//
// # Reading (Tree)
//
//  1. Segments walks the folders level by level and does not enter one that the
//     filter's dimension excludes. Names that are no segments are skipped and
//     counted; so are symbolic links. A folder is listed until two listings in a
//     row agree, and what a merged segment replaces is left out: so the list has
//     what was there before a compaction or after it, and never a mixture.
//  2. Info reads a segment's last bytes: records, bytes, frames.
//  3. Open gives a Reader over some of its frames. Each Next reads one frame and
//     decodes it into a buffer that is used again.
//
// Files of the predecessor have no frames; they are read from end to end.
//
// # Duplicates
//
// A document may be submitted several times. Latest reads the ID indexes of the
// segments of a job and tells the Reader which records to skip. What a client
// sent again byte for byte is not published at all (DropRepeats).
//
// # Paths
//
// Dimension values are made clean one by one (Sanitise), Writer refuses those
// that are not, and every access goes through os.Root, which follows no link
// out of the folder.
//
// # To add a dimension
//
// Add its index before NumDims and its name to DimNames; say in partitionDir,
// segmentName and parseSegmentName where it stands in paths; teach the
// submission's conversion to fill it. Old trees then need `tmserver import --tree`.
package layout
