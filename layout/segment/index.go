package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
)

const (
	// FrameBytes is the uncompressed size at which a frame of a freshly published
	// segment is closed: small enough to stay in the cache while it is decoded.
	FrameBytes = 1 << 20
	// MaxRecordBytes bounds one line, so that a frame always fits in memory.
	MaxRecordBytes = 64 << 20
	// maxFrameBytes is what a reader accepts as the uncompressed size of a frame.
	maxFrameBytes = 2 * MaxRecordBytes

	// maxRatio is more than zstd can reach: a block of at most 128 KiB takes four bytes.
	maxRatio = 1 << 15

	trailerMagic   = 0x184D2A57 // a skippable frame that only we write
	trailerVersion = 1
	fixedBytes     = 48 // of the trailer, at its end
	idBytes        = 16
	entryBytes     = idBytes + 4 // of the ID index, per record
	tailBytes      = 16 << 10    // read at once from a segment's end
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Trailer is what a segment says about itself besides the seek table.
type Trailer struct {
	Records  int64
	RawBytes int64    // uncompressed
	PerFrame []uint32 // records in each frame
	Replaces []string // unique parts of the names of the segments it was merged from
	idsCRC   uint32
	idsAt    int64 // offset of the ID index in the file
}

// Index is everything in a segment that is not data, except its IDs.
type Index struct {
	Trailer
	Frames []Frame
}

// Span returns the offsets in the file of the frames lo up to, not including, hi:
// where they begin, and where they end.
func (ix *Index) Span(lo, hi int) (from, to int64) {
	for _, f := range ix.Frames[:hi] {
		to += int64(f.CompressedSize)
	}
	if lo == hi {
		return to, to
	}
	return int64(ix.Frames[lo].CompressedOffset), to
}

// ReadIndex reads and checks the end of a segment. Every count and size is
// checked against the file's size before anything is allocated for it. Errors
// are *CorruptError with an empty Path, or come from r.
func ReadIndex(r io.ReaderAt, size int64) (*Index, error) {
	bad := func(at int64, format string, args ...any) (*Index, error) {
		return nil, &CorruptError{Offset: max(at, 0), Err: fmt.Errorf(format, args...)}
	}
	n := min(size, tailBytes)
	tail := make([]byte, n)
	if _, err := r.ReadAt(tail, size-n); err != nil && err != io.EOF {
		return nil, err
	}
	// upTo returns the last n bytes before the offset end of the file.
	upTo := func(end, n int64) ([]byte, error) {
		if from := end - n - (size - int64(len(tail))); from >= 0 {
			return tail[from : from+n], nil
		}
		b := make([]byte, n)
		_, err := r.ReadAt(b, end-n)
		if err == io.EOF {
			err = nil
		}
		return b, err
	}
	le := binary.LittleEndian
	const footer = 9
	if size < footer || le.Uint32(tail[n-4:]) != 0x8F92EAB1 {
		return bad(size, "no seek table at the end: the segment is torn or no segment")
	}
	tableBytes := 8 + 12*int64(le.Uint32(tail[n-footer:])) + footer
	if tableBytes > size || tail[n-5] != 0x80 {
		return bad(size-footer, "bad seek table footer")
	}
	b, err := upTo(size, tableBytes)
	if err != nil {
		return nil, err
	}
	table, err := seekable.NewSeekTable(b)
	if err != nil {
		return bad(size-tableBytes, "seek table: %w", err)
	}
	ix := &Index{Frames: make([]Frame, table.NumFrames())}
	dataBytes, rawBytes := int64(0), int64(0)
	for i := range ix.Frames {
		ix.Frames[i], _ = table.EntryByID(int64(i))
		packed, raw := int64(ix.Frames[i].CompressedSize), int64(ix.Frames[i].DecompressedSize)
		if raw == 0 || raw > maxFrameBytes || raw > packed*maxRatio {
			return bad(size-tableBytes, "frame %d claims %d bytes from %d", i, raw, packed)
		}
		dataBytes += packed
		rawBytes += raw
	}
	end := size - tableBytes
	if dataBytes > end-8-fixedBytes {
		return bad(end, "frames and trailer do not fit: %d bytes of frames", dataBytes)
	}
	if b, err = upTo(end, fixedBytes); err != nil {
		return nil, err
	}
	if le.Uint32(b[40:]) != trailerMagic {
		return bad(end-fixedBytes, "no trailer")
	}
	if v := le.Uint32(b[36:]); v != trailerVersion {
		return bad(end-fixedBytes, "trailer of unknown version %d", v)
	}
	records, idsLen := le.Uint64(b), le.Uint64(b[16:])
	frames, namesLen := int64(le.Uint32(b[28:])), int64(le.Uint32(b[32:]))
	body := end - dataBytes - 8
	if frames != int64(len(ix.Frames)) || le.Uint64(b[8:]) != uint64(rawBytes) ||
		idsLen > uint64(body) || int64(idsLen)+4*frames+namesLen+fixedBytes != body ||
		idsLen/entryBytes != records || idsLen%entryBytes != 0 {
		return bad(end-fixedBytes, "trailer does not fit the seek table")
	}
	ix.Records, ix.RawBytes, ix.idsCRC = int64(records), rawBytes, le.Uint32(b[24:])
	ix.idsAt = dataBytes + 8
	covered := 4*frames + namesLen + fixedBytes
	if b, err = upTo(end, covered); err != nil {
		return nil, err
	}
	if crc32.Checksum(b[:covered-4], crcTable) != le.Uint32(b[covered-4:]) {
		return bad(end-covered, "trailer checksum does not match")
	}
	sum := int64(0)
	ix.PerFrame = make([]uint32, frames)
	for i := range ix.PerFrame {
		ix.PerFrame[i] = le.Uint32(b[4*i:])
		sum += int64(ix.PerFrame[i])
	}
	if sum != ix.Records {
		return bad(end-covered, "trailer counts %d records, its frames %d", ix.Records, sum)
	}
	if namesLen > 0 {
		ix.Replaces = strings.Split(string(b[4*frames:4*frames+namesLen]), "\n")
	}
	return ix, nil
}

// ReadIDs reads the ID index.
func (ix *Index) ReadIDs(r io.ReaderAt) (IDs, error) {
	b := make([]byte, ix.Records*entryBytes)
	if n, err := r.ReadAt(b, ix.idsAt); n < len(b) && err != nil && err != io.EOF {
		return IDs{}, err
	}
	if crc32.Checksum(b, crcTable) != ix.idsCRC {
		return IDs{}, &CorruptError{Offset: ix.idsAt, Err: errors.New("checksum of the ID index does not match")}
	}
	return IDs{b[:ix.Records*idBytes], b[ix.Records*idBytes:]}, nil
}
