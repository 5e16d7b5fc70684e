// Package layout is the data folder: how records are published, listed and read.
//
// In come records (dimensions, document ID, JSON) from package ingest; out go the
// lines `<id>\t<json>\n` of frames to package engine. FORMAT.md has every byte.
//
//	          Add                  Commit                 Segments, Open
//	ingest ──────► state/staging/ ───────► published/ ──────────────────► engine
//	         Writer   <raw log>/            invalid/         Tree, Reader
//	                                           ▲
//	                                        upkeep: compact, expire, check, repair, import
//
// Below it are schema (dimensions, filters and dates), segment (the format of one
// file), backend (where files lie and how they change), dedup (what was submitted more
// than once) and pipeline. Package upkeep maintains what is published.
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
// A segment's name is a function of raw log and partition, and its trailer says how much
// of the raw log it was made from. A raw log that comes back from a backup, shorter or
// longer than it was, adds what was not published and replaces nothing (earlier.go).
// Nothing is lost, nothing is doubled, and no half file is ever visible, wherever the
// process dies.
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
// Both forms have one order of records (order.go).
//
// A segment in columns (columns.go, package columns) has the records of several
// partitions of a day. Its Parts are those that the filter selects; NextBlock returns
// records of which nothing is read yet, and Next puts their lines together.
//
// # Duplicates
//
// A document may be submitted several times. Latest finds the records that the Reader
// skips then. What a client sent again byte for byte is not published at all
// (DropRepeats). Package dedup has both.
//
// # Paths
//
// Dimension values are made clean one by one (schema.Sanitise), Writer returns an
// error for those that are not, and every access goes through os.Root, which follows
// no link out of the folder.
//
// # To add a dimension
//
//  1. Package schema, dims.go: its index, and its row of the table: the name, its place
//     in the URL, and whether it is a folder or in the file name (TestDimensions).
//  2. Package schema, telemetry_schema.json: its allowed values (TestDimensions).
//  3. Package ingest/gen, gen.go: the value of made-up pings (TestPingsAgreeWithTheDefinitions).
//  4. The pictures of paths in FORMAT.md and in doc.go of package schema
//     (TestPicturesOfPaths), and scripts/types.d.ts, which is generated.
//  5. The shipped filters/*.json, if the dimension is not the last (their tests fail),
//     and tests that spell paths or dimensions: ParseDims fails for those, and
//     TestHandlerStatusTable.
//
// Everything else follows from the table: paths, the URL and the messages about it, the
// values that a ping is compared with, filters, scripts and statistics.
// Old trees then need `tmserver import --tree`.
package layout
