package worker

import (
	"hash/crc32"
	"io"
)

// summedReader counts and sums what is read of a raw log: the origin of the segments
// that it becomes.
type summedReader struct {
	source io.Reader
	bytes  int64
	crc    uint32 // CRC32C
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Read implements io.Reader.
func (r *summedReader) Read(b []byte) (int, error) {
	n, err := r.source.Read(b)
	r.bytes += int64(n)
	r.crc = crc32.Update(r.crc, castagnoli, b[:n])
	return n, err
}
