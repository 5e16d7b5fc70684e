package columns

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// decoder decodes for all readers, as package segment's does.
var decoder = func() *zstd.Decoder {
	shared, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPageBytes))
	if err != nil {
		panic("columns: zstd decoder: " + err.Error())
	}
	return shared
}()

// readIndex reads the index of a file.
func readIndex(r io.ReaderAt, size int64) (*index, error) {
	damaged := func(at int64, format string, args ...any) (*index, error) {
		return nil, &segment.CorruptError{Offset: max(at, 0), Err: fmt.Errorf(format, args...)}
	}
	if size < tailBytes {
		return damaged(size, "too short for a column segment")
	}

	// The tail has a fixed size and says where the index is.
	tailAt := size - tailBytes
	tail := make([]byte, tailBytes)
	if n, err := r.ReadAt(tail, tailAt); n < len(tail) {
		return nil, err
	}

	offset, packedBytes, plainBytes, crc, footerCRC, ok := parseTail(tail)
	if !ok || offset > tailAt || packedBytes > tailAt-offset || plainBytes > maxPageBytes {
		return damaged(tailAt, "no column segment, or a torn one: its end says nothing of an index")
	}

	// Read the index and compare its checksum before decompressing it.
	packed := make([]byte, packedBytes)
	if n, err := r.ReadAt(packed, offset); n < len(packed) {
		return nil, err
	}

	if crc32.Checksum(packed, crcTable) != crc {
		return damaged(offset, "checksum of the index does not match")
	}

	text, err := decoder.DecodeAll(packed, make([]byte, 0, plainBytes))
	if err != nil {
		return damaged(offset, "index: %w", err)
	}

	ix, err := decodeIndex(text)
	if err != nil {
		return damaged(offset, "%w", err)
	}

	// The pages lie before the index: no chunk may reach beyond its offset.
	for i := range ix.Groups {
		chunks := ix.Groups[i].chunks
		if last := chunks[len(chunks)-1]; last.offset+last.bytes() > offset {
			return damaged(offset, "pages beyond the index")
		}
	}
	ix.footer = footerCRC
	return ix, nil
}

// parseTail reads what tail and the end of the footer say.
func parseTail(tail []byte) (offset, packedBytes, plainBytes int64, crc, footerCRC uint32, ok bool) {
	// Five hexadecimal numbers, each after a fixed text.
	numbers := tail
	var values [5]uint64
	for i, field := range []struct {
		before string
		digits int
	}{{"tmcolumns; index at ", 16}, {", ", 8}, {" bytes, ", 8}, {" plain, CRC ", 8}, {", footer CRC ", 8}} {
		if len(numbers) < len(field.before)+field.digits || string(numbers[:len(field.before)]) != field.before {
			return
		}
		numbers = numbers[len(field.before):]

		n, err := strconv.ParseUint(string(numbers[:field.digits]), 16, 63)
		if err != nil {
			return
		}
		values[i] = n
		numbers = numbers[field.digits:]
	}

	// Parquet's magic closes the file.
	ok = len(numbers) == closeBytes && string(numbers[closeBytes-len(magic):]) == magic
	return int64(values[0]), int64(values[1]), int64(values[2]), uint32(values[3]), uint32(values[4]), ok
}

// The copy of the index lets repair find it where the index or the end of the file is
// damaged: behind this word stand its size, that of its content, its checksum, and itself.
const copyWord = "tmindex\x01"

// appendCopy appends the copy of an index to the index.
func appendCopy(packed, plain []byte) []byte {
	both := append(bytes.Clone(packed), copyWord...)
	both = le.AppendUint32(both, uint32(len(packed)))
	both = le.AppendUint32(both, uint32(len(plain)))
	both = le.AppendUint32(both, crc32.Checksum(packed, crcTable))
	return append(both, packed...)
}

// findIndex looks for the copy of an index from the end of a file on.
func findIndex(r io.ReaderAt, size int64) *index {
	const window = 1 << 20
	for end := size; end > 0; end -= window {
		// The word may lie across the border of two windows, so a window begins its length earlier.
		begin := max(0, end-window-int64(len(copyWord)))
		text := make([]byte, end-begin)
		if n, _ := r.ReadAt(text, begin); n < len(text) {
			return nil
		}

		// The copy is near the end of the file, so search backwards.
		for at := bytes.LastIndex(text, []byte(copyWord)); at >= 0; at = bytes.LastIndex(text[:at], []byte(copyWord)) {
			if ix := readCopy(r, begin+int64(at+len(copyWord)), size); ix != nil {
				return ix
			}
		}
	}
	return nil
}

// readCopy reads the copy whose sizes begin there, nil if there is no copy.
func readCopy(r io.ReaderAt, at, size int64) *index {
	// The sizes and the checksum come first.
	var head [12]byte
	if n, _ := r.ReadAt(head[:], at); n < len(head) {
		return nil
	}

	packedBytes, plainBytes := int64(le.Uint32(head[:])), int64(le.Uint32(head[4:]))
	if packedBytes > size-at || plainBytes > maxPageBytes {
		return nil
	}

	// The word may stand in data by chance: the checksum shows whether a copy follows.
	packed := make([]byte, packedBytes)
	if n, _ := r.ReadAt(packed, at+int64(len(head))); n < len(packed) || crc32.Checksum(packed, crcTable) != le.Uint32(head[8:]) {
		return nil
	}

	plain, err := decoder.DecodeAll(packed, make([]byte, 0, plainBytes))
	if err != nil {
		return nil
	}

	ix, err := decodeIndex(plain)
	if err != nil {
		return nil
	}
	return ix
}
