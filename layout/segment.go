package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
)

const (
	// frameBytes is the uncompressed size at which a frame of a freshly published
	// segment is closed: small enough to stay in the cache while it is decoded.
	frameBytes = 1 << 20
	// maxRecordBytes bounds one line, so that a frame always fits in memory.
	maxRecordBytes = 64 << 20
	// maxFrameBytes is what a reader accepts as the uncompressed size of a frame.
	maxFrameBytes = 2 * maxRecordBytes

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

// ID is a document ID as the ID index keeps it: a canonical lower-case UUID is
// its 16 bytes, anything else the first half of its SHA-256.
type ID [idBytes]byte

// IDOf returns the ID of a document ID as received.
func IDOf(id []byte) ID {
	var u ID
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		var digits [32]byte
		n := copy(digits[:], id[:8])
		n += copy(digits[n:], id[9:13])
		n += copy(digits[n:], id[14:18])
		n += copy(digits[n:], id[19:23])
		copy(digits[n:], id[24:])
		if _, err := hex.Decode(u[:], digits[:]); err == nil && !slices.ContainsFunc(digits[:], isUpper) {
			return u
		}
	}
	sum := sha256.Sum256(id)
	copy(u[:], sum[:])
	return u
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'F' }

// trailer is what a segment says about itself besides the seek table.
type trailer struct {
	records  int64
	rawBytes int64
	perFrame []uint32 // records in each frame
	replaces []string // unique parts of the names of the segments it was merged from
	idsCRC   uint32
	idsAt    int64 // offset of the ID index in the file
}

// index is everything in a segment that is not data.
type index struct {
	trailer
	frames []seekable.FrameOffsetEntry
}

// readIndex reads and checks the end of a segment. Every count and size is
// checked against the file's size before anything is allocated for it. Errors
// are *CorruptError with an empty Path, or come from r.
func readIndex(r io.ReaderAt, size int64) (*index, error) {
	bad := func(at int64, format string, args ...any) (*index, error) {
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
	ix := &index{frames: make([]seekable.FrameOffsetEntry, table.NumFrames())}
	dataBytes, rawBytes := int64(0), int64(0)
	for i := range ix.frames {
		ix.frames[i], _ = table.EntryByID(int64(i))
		packed, raw := int64(ix.frames[i].CompressedSize), int64(ix.frames[i].DecompressedSize)
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
	if frames != int64(len(ix.frames)) || le.Uint64(b[8:]) != uint64(rawBytes) ||
		idsLen > uint64(body) || int64(idsLen)+4*frames+namesLen+fixedBytes != body ||
		idsLen/entryBytes != records || idsLen%entryBytes != 0 {
		return bad(end-fixedBytes, "trailer does not fit the seek table")
	}
	ix.records, ix.rawBytes, ix.idsCRC = int64(records), rawBytes, le.Uint32(b[24:])
	ix.idsAt = dataBytes + 8
	covered := 4*frames + namesLen + fixedBytes
	if b, err = upTo(end, covered); err != nil {
		return nil, err
	}
	if crc32.Checksum(b[:covered-4], crcTable) != le.Uint32(b[covered-4:]) {
		return bad(end-covered, "trailer checksum does not match")
	}
	sum := int64(0)
	ix.perFrame = make([]uint32, frames)
	for i := range ix.perFrame {
		ix.perFrame[i] = le.Uint32(b[4*i:])
		sum += int64(ix.perFrame[i])
	}
	if sum != ix.records {
		return bad(end-covered, "trailer counts %d records, its frames %d", ix.records, sum)
	}
	if namesLen > 0 {
		ix.replaces = strings.Split(string(b[4*frames:4*frames+namesLen]), "\n")
	}
	return ix, nil
}

// idIndex says for every record of a segment, in record order, which document
// it is and when it was received.
type idIndex struct {
	ids   []byte // 16 bytes per record
	times []byte // 4 bytes per record: milliseconds since midnight UTC of the submission date
}

func (x *idIndex) add(id ID, msOfDay uint32) {
	x.ids = append(x.ids, id[:]...)
	x.times = binary.LittleEndian.AppendUint32(x.times, msOfDay)
}

func (x *idIndex) len() int { return len(x.times) / 4 }

func (x *idIndex) at(i int) (id ID, msOfDay uint32) {
	return ID(x.ids[i*idBytes:]), binary.LittleEndian.Uint32(x.times[4*i:])
}

// slice returns the records from lo to hi, sharing memory.
func (x *idIndex) slice(lo, hi int) idIndex {
	return idIndex{x.ids[lo*idBytes : hi*idBytes], x.times[4*lo : 4*hi]}
}

func (x *idIndex) append(y idIndex) {
	x.ids, x.times = append(x.ids, y.ids...), append(x.times, y.times...)
}

// readIDs reads the ID index.
func (ix *index) readIDs(r io.ReaderAt) (idIndex, error) {
	b := make([]byte, ix.records*entryBytes)
	if n, err := r.ReadAt(b, ix.idsAt); n < len(b) && err != nil && err != io.EOF {
		return idIndex{}, err
	}
	if crc32.Checksum(b, crcTable) != ix.idsCRC {
		return idIndex{}, &CorruptError{Offset: ix.idsAt, Err: errors.New("checksum of the ID index does not match")}
	}
	return idIndex{b[:ix.records*idBytes], b[ix.records*idBytes:]}, nil
}
