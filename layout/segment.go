package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Segment is one file of a partition tree. Dims are as its path has them.
type Segment struct {
	Path        string // relative to the tree's folder, with "/"
	Dims        schema.Dims
	Size        int64  // bytes on disk
	Version     int    // storage version in the name; 0 for names of before there was one
	Class       string // of quarantined records: the folder below invalid/
	Quarantined bool   // quarantined records: lines are id \t a Rejected as JSON
	Unique      string // what tells segments of one partition apart; "" in some old names
	ext         string // "zst", "xz", "lzma", "gz" or "" for plain text
}

// Seekable says whether the segment is one of ours, whose index tells what is in
// it and lets parts of it be read. Its name says so, and then the index must be
// there. Other files, an analyst's .zst too, are read from end to end.
func (s Segment) Seekable() bool {
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

// Group is what the paths of all segments of the partition have in common, in
// one storage version: a segment's path is that, its unique part, and ".zst".
func (s Segment) Group() string {
	return path.Join(path.Dir(s.Path), segmentPrefix(s.Dims, s.Version))
}

func segmentPrefix(p schema.Dims, version int) string {
	if version == 0 {
		return fmt.Sprintf("%s.%s.log.", p[schema.BuildID], p[schema.SubmissionDate])
	}
	return fmt.Sprintf("%s.%s.v%d.log.", p[schema.BuildID], p[schema.SubmissionDate], version)
}

// partitionDir is the folder of a partition relative to published/ or
// invalid/<class>/.
func partitionDir(p schema.Dims) string {
	return path.Join(p[schema.Reason], p[schema.AppName], p[schema.Channel], p[schema.Version])
}

// SeekableName is the path of the segment that takes the place of one that is not
// seekable.
func (s Segment) SeekableName() string { return s.Group() + uniqueOf(s.Path, nil) + ".zst" }

// segmentName is the path of a segment below published/ or invalid/<class>/.
func segmentName(p schema.Dims, version int, unique string) string {
	return path.Join(partitionDir(p), segmentPrefix(p, version)+unique+".zst")
}

// uniqueOf names what a raw log contributes to each partition. It begins with
// the raw log's time, so that names sort by age, and depends on nothing but the
// log's name (without ".finished", which comes and goes) and, for what came under
// the name of another one, on content.
func uniqueOf(source string, content []byte) string {
	source = strings.TrimSuffix(source, ".finished")
	sum := sha256.Sum256(append([]byte(source), content...))
	ms, err := strconv.ParseUint(source[strings.LastIndexByte(source, '.')+1:], 10, 64)
	if err != nil || ms > 9_999_999_999_999 {
		ms = 0
	}
	return fmt.Sprintf("%013d_%s", ms, hex.EncodeToString(sum[:8]))
}

// parseSegmentName fills what the file's name says:
// <build>.<date>[.v<N>].log[.<unique>][.zst|.xz|.lzma|.gz]. It reports false for
// a name of another shape, such as files in the making.
func (s *Segment) parseSegmentName(name string) bool {
	parts := strings.Split(name, ".")
	if len(parts) < 3 || parts[0] == "" || !schema.Date(parts[1]).WellFormed() {
		return false
	}
	s.Dims[schema.BuildID], s.Dims[schema.SubmissionDate] = parts[0], parts[1]
	parts = parts[2:]
	if v, ok := strings.CutPrefix(parts[0], "v"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return false
		}
		s.Version, parts = n, parts[1:]
	}
	if len(parts) == 0 || parts[0] != "log" {
		return false
	}
	switch parts = parts[1:]; len(parts) {
	case 0:
		return true
	case 1: // an extension without a unique part
		s.ext = parts[0]
	case 2:
		s.Unique, s.ext = parts[0], parts[1]
	default:
		return false
	}
	switch s.ext {
	case "zst", "xz", "lzma", "gz":
		return true
	}
	return false
}
