package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Segment is one file of a partition tree. Dims are as its path has them.
type Segment struct {
	Path        string // relative to the tree's folder, with "/"
	Dims        schema.Dims
	Size        int64  // bytes on disk
	Version     int    // storage version in the name; 0 for older names, which have none
	Class       string // of quarantined records: the folder below invalid/
	Quarantined bool   // quarantined records: lines are id \t a Rejected as JSON
	Unique      string // differs between the segments of a partition; "" in some old names
	// Parts are the records that a filter selects of a segment in columns, in order; nil
	// for a segment in rows, whose records all have Dims. A segment in columns is of one
	// day, and Dims has no other dimension.
	Parts []Part
	ext   string // "zst", "parquet", "xz", "lzma", "gz" or "" for plain text
}

// Seekable says whether the segment is one of ours: it has an index, so that parts of
// it can be read. Its name decides, and then the index must be there. Other files, an
// analyst's .zst too, are read from end to end.
func (s Segment) Seekable() bool {
	// Only uniqueOf and compaction write this form: 13 digits, "_" and 16 hex digits.
	ms, hash, ok := strings.Cut(strings.TrimPrefix(s.Unique, MergedPrefix), "_")
	return ok && s.ext == "zst" && len(ms) == 13 && strings.Trim(ms, "0123456789") == "" &&
		len(hash) == 16 && strings.Trim(hash, "0123456789abcdef") == ""
}

// MergedPrefix begins the unique part of the names of merged segments.
const MergedPrefix = "c"

// Merged says whether compaction made the segment.
func (s Segment) Merged() bool { return s.Seekable() && strings.HasPrefix(s.Unique, MergedPrefix) }

// Age orders the segments of a partition by when their raw logs began.
func (s Segment) Age() string { return strings.TrimPrefix(s.Unique, MergedPrefix) }

// Group is how the paths of all segments of the partition begin, in one storage
// version; their unique part and ".zst" follow.
func (s Segment) Group() string {
	// The name itself, because an older version may have spelled its values otherwise. No
	// value in it has a dot.
	before, _, _ := strings.Cut(path.Base(s.Path), logMark)
	return path.Join(path.Dir(s.Path), before+logMark+".")
}

// logMark follows the partition and the version in the names of segments.
const logMark = ".log"

// segmentPrefix is how the names of a partition's segments begin.
func segmentPrefix(p schema.Dims, version int) string {
	if version == 0 {
		return p.FilePrefix() + ".log."
	}

	return fmt.Sprintf("%s.v%d.log.", p.FilePrefix(), version)
}

// SeekableName is the path of the segment that takes the place of one that is not
// seekable.
func (s Segment) SeekableName() string { return s.Group() + uniqueOf(s.Path, nil) + ".zst" }

// segmentName is the path of a segment below published/ or invalid/<class>/.
func segmentName(p schema.Dims, version int, unique string) string {
	return path.Join(p.Dir(), segmentPrefix(p, version)+unique+".zst")
}

// partitionGroup is Segment.Group below published/ of the partition's segments in rows.
func partitionGroup(p schema.Dims, version int) string {
	return path.Join(p.Dir(), segmentPrefix(p, version))
}

// noTime is the time in the unique part of a raw log whose name has none.
const noTime = "0000000000000"

// uniqueOf names what a raw log contributes to each partition. It begins with the
// raw log's time, so that names sort by age. Otherwise it depends on the log's name
// only, without ".finished", which comes and goes; and on the content, if that is
// not nil, for a raw log that came under the name of another one.
func uniqueOf(source string, content []byte) string {
	source = strings.TrimSuffix(source, FinishedSuffix)
	sum := sha256.Sum256(append([]byte(source), content...))

	// The time has 13 digits in the name; a raw log without one sorts first.
	ms, err := strconv.ParseUint(source[strings.LastIndexByte(source, '.')+1:], 10, 64)
	if err != nil || ms > 9_999_999_999_999 {
		ms = 0
	}
	return fmt.Sprintf("%013d_%s", ms, hex.EncodeToString(sum[:8]))
}

// parseSegmentName fills what the file's name says:
// <file dimensions>[.v<N>].log[.<unique>][.zst|.xz|.lzma|.gz]. It reports false for
// a name of another shape, such as files in the making.
func (s *Segment) parseSegmentName(name string) bool {
	rest, ok := s.Dims.ParseFileName(name)
	if !ok {
		return false
	}

	// Names of before the storage version have none.
	parts := strings.Split(rest, ".")
	if number, ok := strings.CutPrefix(parts[0], "v"); ok {
		version, err := strconv.Atoi(number)
		if err != nil || version < 1 {
			return false
		}
		s.Version = version
		parts = parts[1:]
	}

	if len(parts) == 0 || parts[0] != "log" {
		return false
	}

	// Only old names lack the unique part, or both that and the extension.
	parts = parts[1:]
	switch len(parts) {
	case 0:
		return true
	case 1: // an extension without a unique part
		s.ext = parts[0]
	case 2:
		s.Unique = parts[0]
		s.ext = parts[1]
	default:
		return false
	}
	return slices.Contains(segment.Extensions[:], s.ext)
}
