package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// fingerprintBytes is how much of a segment's end Fingerprint reads: there the
// seekable format has the checksums of the last frames, at least.
const fingerprintBytes = 64 << 10

// Fingerprint returns a hash of the segment's path, size and content. Of a seekable
// segment only the last 64 KiB count, where the checksums are; another one is read whole,
// because its end says nothing about the rest.
func (t *Tree) Fingerprint(s Segment) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	file, err := t.files.Open(s.Path)
	if err != nil {
		return sum, err
	}
	defer file.Close()

	begin := int64(0)
	if s.Seekable() || s.InColumns() {
		begin = max(0, file.Size()-fingerprintBytes)
	}

	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, begin, file.Size()-begin)); err != nil {
		return sum, InFile(s.Path, err)
	}

	identity := hash.Sum(nil)
	identity = binary.LittleEndian.AppendUint64(identity, uint64(file.Size()))
	identity = append(identity, s.Path...)

	// Readers leave out forgotten clients.
	if t.forgotten.Len() > 0 {
		hits, err := t.Hits(s, t.forgotten)
		if err != nil {
			return sum, err
		}
		if hits.Len() > 0 {
			without := hits.Sum()
			identity = append(append(identity, "\x00without "...), without[:]...)
		}
	}

	// Of a segment in columns, another filter may select other records.
	for _, part := range s.Parts {
		identity = fmt.Appendf(identity, "\x00%s %d %d %d", part.Dims, part.Group, part.Lo, part.Hi)
	}
	return sha256.Sum256(identity), nil
}
