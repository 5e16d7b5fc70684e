// Package schema is the ground floor: the dimensions by which records are
// partitioned, the document that says which of their values are allowed (the
// schema), the document of the same shape that selects partitions (a filter), and
// submission dates. It reads no files and knows no storage, so every other package
// may import it.
//
//	submission's dimensions ─► Schema.Partition ─► partition's dimensions ─► Filter.Selects
//
// A value that the schema does not allow becomes OTHER, and a missing one UNKNOWN.
// Every value is made safe for paths one by one (Sanitise).
//
// A partition is a folder (Dims.Dir) in which the names of its files begin alike
// (Dims.FilePrefix):
//
//	<reason>/<appName>/<appUpdateChannel>/<appVersion>/<appBuildID>.<submission_date>…
//
// The recipe "To add a dimension" is in package layout.
package schema
