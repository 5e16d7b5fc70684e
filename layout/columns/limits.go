package columns

// The limits of the form. docs/BENCHMARKS.md has what they were chosen by.
const (
	// version is the form's, in the index.
	version = 1

	// maxGroupBytes and maxGroupRows bound a row group: one map task, and what a
	// writer has in memory.
	maxGroupBytes = 64 << 20
	maxGroupRows  = 8 << 10
	// maxDepth is how many names the path of a column has at most. What lies deeper
	// is part of the text of the object that holds it.
	maxDepth = 5
	// maxColumns bounds the columns of a file; the paths of further ones are rare.
	maxColumns = 2048
	// maxMembers is how many different names an object may have in a row group to be
	// parted into columns at all. An object with more is a map with free keys.
	maxMembers = 2048
	// rareRows: a path has a column if one in so many rows of the group has it, and
	// leastRows at least: a column takes some 300 bytes besides its values.
	rareRows  = 128
	leastRows = 16
	// crowdedMembers and sparseRows: an object with more different names than the
	// first, of which a row has less than one in so many on average, stays whole.
	crowdedMembers = 64
	sparseRows     = 32
)

// Extension is the end of the names of column segments.
const Extension = "parquet"
