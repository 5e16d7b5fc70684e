// Package layout is the data folder: partitions and their safe paths, and how
// records are published, listed and read. Package schema below it has the dimensions.
//
// In come records (Dims, document ID, JSON) from package ingest; out go blocks
// of whole `<id>\t<json>\n` lines to package engine. FORMAT.md has every byte.
//
//	          Add                  Commit                 Segments, Open
//	ingest ──────► state/staging/ ───────► published/ ──────────────────► engine
//	         Writer   <raw log>/            invalid/         Tree, Reader
//	                                           ▲
//	                                        upkeep: compact, expire, check, repair, import
//
// Below it are segment, the format of one file, and store, where files lie and
// how they change; upkeep looks after what is published.
//
// # Publishing (Writer, one per raw log)
//
//  1. NewWriter stages: see backend.Folder. What a former try committed is finished,
//     anything else in the raw log's staging folder is removed.
//  2. Add appends the line to the frame that its partition is filling. A full
//     frame (1 MiB) is compressed and appended to the partition's staging file;
//     so are the largest ones when all of them together exceed the budget.
//     Files are opened for each append, so partitions cost no descriptors.
//  3. Commit closes every staging file with its trailer and syncs it, and commits:
//     the staged files are renamed into published/ and invalid/, and then the raw
//     log is removed.
//
// A segment's name is a function of raw log and partition, so even a raw log that
// comes back from a backup replaces its segments, merged or not (returned.go). Nothing is lost, nothing is
// doubled, and no half file is ever visible, wherever the process dies.
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
// Compaction replaces the segments of a partition by one merged segment. A segment
// that was listed before and is opened after is found in state/replaced.
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
// Dimension values are made clean one by one (schema.Sanitise), Writer refuses those
// that are not, and every access goes through os.Root, which follows no link
// out of the folder.
//
// # To add a dimension
//
// In package schema, add its index before NumDims, its name to DimNames and its
// place in the URL to URLOrder. Say in partitionDir, segmentName and
// parseSegmentName where it stands in paths, and teach the
// submission's conversion to fill it. Old trees then need `tmserver import --tree`.
package layout
