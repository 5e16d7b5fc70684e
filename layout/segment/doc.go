// Package segment is the format of one file of records: written by a Builder,
// read by frames, and the formats of the predecessor. It knows neither names nor
// folders nor partitions.
//
// In come records (ID, JSON, time of receipt); out go the lines
// `<id>\t<json>\n` of frames. ../FORMAT.md has every byte.
//
//	Add ──► frame being filled ──► zstd ──► out      Builder
//	                                         │
//	ReadIndex ──► Index ──► Frames ──► lines ◄┤       seekable: any frame, any order
//	                └─────► IDs ──► IDReader  │       which documents, without the data
//	OpenText ─────────────► Text ────► lines ◄┘       .log .gz .xz .lzma: end to end
//
// Writing:
//
//  1. Add appends a line to the frame being filled. At FrameBytes the frame is
//     compressed, with a checksum, and written.
//  2. Finish writes the trailer (IDs, counts, what was merged) and the seek table.
//
// Reading:
//
//  1. ReadIndex reads the file's end and checks every count and size in it against
//     the size of the file, before anything is allocated for them.
//  2. Frames decodes frame by frame. Where the index is damaged, FindFrames looks
//     for frames in the data.
//
// Nothing here opens a file: the package that does sets the Path of a CorruptError.
//
// # To add a segment form
//
// A form is a container that is read from end to end. Add its extension to Extensions,
// detect its first bytes in unpack, and pack one in TestOldFormats of package layout,
// which fails for an extension without a case and for a case that unpack does not know.
package segment
