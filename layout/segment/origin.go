package segment

import (
	"fmt"
	"strconv"
	"strings"
)

// Origin is the raw log that a segment was made from, as far as the raw log went then:
// a copy of a raw log that was still written is shorter than what it became.
type Origin struct {
	Source      string // name of the raw log, or what stands for it
	Bytes       int64  // of the raw log that were read
	CRC         uint32 // CRC32C of those bytes
	Submissions int64  // in the raw log, whatever became of them
}

// originMark begins the line of the origin among the names of replaced segments, none
// of which begins so. A reader that does not know origins takes it for the name of a
// segment that does not exist.
const originMark = "from "

// packedMark begins the line of the checksum of the compressed frames, likewise.
const packedMark = "packed "

// clientsMark begins the line of the filter of clients, likewise.
const clientsMark = "clients "

// joinNames returns the text of a trailer's names, see FORMAT.md.
func (t *Trailer) joinNames() string {
	lines := []string{fmt.Sprintf("%s%08x", packedMark, t.packed)}
	if t.Origin != (Origin{}) {
		// The name of a raw log may be anything, so it is quoted.
		o := t.Origin
		lines = append(lines, fmt.Sprintf("%s%d %08x %d %q", originMark, o.Bytes, o.CRC, o.Submissions, o.Source))
	}
	if t.Clients != "" {
		lines = append(lines, clientsMark+t.Clients)
	}
	return strings.Join(append(lines, t.Replaces...), "\n")
}

// parseNames is the inverse of joinNames. A line that begins with a mark and cannot be
// parsed, of a later version, gives nothing.
func (t *Trailer) parseNames(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if sum, ok := strings.CutPrefix(line, packedMark); ok {
			packed, err := strconv.ParseUint(sum, 16, 32)
			t.packed = uint32(packed)
			t.hasPacked = err == nil
			continue
		}
		if clients, ok := strings.CutPrefix(line, clientsMark); ok {
			t.Clients = clients
			continue
		}
		origin, ok := strings.CutPrefix(line, originMark)
		if !ok {
			t.Replaces = append(t.Replaces, line)
			continue
		}

		fields := strings.SplitN(origin, " ", 4)
		if len(fields) != 4 {
			continue
		}
		bytes, errBytes := strconv.ParseInt(fields[0], 10, 64)
		crc, errCRC := strconv.ParseUint(fields[1], 16, 32)
		submissions, errSubmissions := strconv.ParseInt(fields[2], 10, 64)
		source, errSource := strconv.Unquote(fields[3])
		if errBytes == nil && errCRC == nil && errSubmissions == nil && errSource == nil {
			t.Origin = Origin{Source: source, Bytes: bytes, CRC: uint32(crc), Submissions: submissions}
		}
	}
}
