package layout

import (
	"crypto/sha256"
	"encoding/binary"
)

// fingerprintBytes is how much of a segment's end Fingerprint reads: there the
// seekable format has the checksums of the last frames, at least.
const fingerprintBytes = 64 << 10

// Fingerprint returns a hash that changes when the segment's content does, other
// than by a rewrite in place that keeps its size and its end: path, size and the
// last 64 KiB are looked at.
func (t *Tree) Fingerprint(s Segment) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	f, err := t.files.Open(s.Path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	n := min(f.Size(), fingerprintBytes)
	buf := make([]byte, n, n+int64(len(s.Path))+8)
	if n > 0 {
		if _, err := f.ReadAt(buf, f.Size()-n); err != nil {
			return sum, InFile(s.Path, err)
		}
	}
	buf = append(binary.LittleEndian.AppendUint64(buf, uint64(f.Size())), s.Path...)
	return sha256.Sum256(buf), nil
}
