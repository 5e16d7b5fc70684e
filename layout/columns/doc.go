// Package columns is the column form of a segment: a Parquet file in which each path of
// the records has a column of its own, so that a job reads the paths that it touches
// and nothing else. FORMAT.md has every byte.
//
// In come lines `<id>\t<json>` with their dimensions; out come the same lines, byte for
// byte, or single members of them.
//
//	Writer.Add ──► group ──► tree of paths ──► columns ──► pages      index, footer
//	                            │                 ▲
//	                            └ shape of each record
//	Open ──► File.Group ──► Kind, Members, AppendObject ──► AppendLine
//
// # Writing a row group
//
//  1. Add collects lines until there are 64 MiB of them, or 8,192.
//  2. Each record is split into its members, down to five levels (member.go).
//  3. The members of all records together make a tree of paths, in the order in which
//     most records have them. A path that one record in 128 has, and 16 at least, gets a column; rarer
//     ones share a column. An object with many names, of which each record has few, is a
//     map with free keys and stays whole (group.go).
//  4. Of each record there remains its shape: which paths it has, in which order, with
//     which whitespace. A record that shape and members do not give back exactly is odd,
//     and stays whole in a column of odd records.
//  5. Columns are encoded and compressed one by one, on all cores (chunk.go, writer.go).
//
// # Reading
//
//  1. Open reads the last bytes of the file, and the index to which they point (index.go).
//  2. Group.Kind says what a record has at a path, and reads that path's column the
//     first time, by one read of its range. Nothing is read twice.
//  3. AppendLine puts a record together again, which touches all columns. Where records are
//     read one after the other, it makes 32 of them at once, column by column (ahead.go).
//
// # The fence
//
// Pages are written and read by this package and not by parquet-go's writer and reader,
// of which it uses the encodings and the footer's types. The reader of the library takes
// 10 to 15 ms to open a file of 500 columns, and its writer holds an encoder for each
// column (docs/BENCHMARKS.md, 2026-11-28). TestParquetGo compares what the library reads
// with what was written; DuckDB, pyarrow and pandas do in cmd/tmrun/columns_test.go.
//
// # To add a column that is no member
//
//  1. footer.go: its number, its name and its type (TestParquetGo reads all).
//  2. writer.go, addFixed: its values. record.go: a method that returns them.
//  3. FORMAT.md, and the version in limits.go: readers refuse files of other versions.
package columns
