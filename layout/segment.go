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
	"github.com/klauspost/compress/zstd"
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
	tailBytes      = 16 << 10 // read at once from a segment's end
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

// appendTrailer appends the skippable frame; see FORMAT.md.
func appendTrailer(b []byte, t trailer, ids []byte) []byte {
	names := strings.Join(t.replaces, "\n")
	size := len(ids) + 4*len(t.perFrame) + len(names) + fixedBytes
	le := binary.LittleEndian
	b = le.AppendUint32(b, trailerMagic)
	b = le.AppendUint32(b, uint32(size))
	b = append(b, ids...)
	start := len(b)
	for _, n := range t.perFrame {
		b = le.AppendUint32(b, n)
	}
	b = append(b, names...)
	b = le.AppendUint64(b, uint64(t.records))
	b = le.AppendUint64(b, uint64(t.rawBytes))
	b = le.AppendUint64(b, uint64(len(ids)))
	b = le.AppendUint32(b, crc32.Checksum(ids, crcTable))
	b = le.AppendUint32(b, uint32(len(t.perFrame)))
	b = le.AppendUint32(b, uint32(len(names)))
	b = le.AppendUint32(b, trailerVersion)
	b = le.AppendUint32(b, trailerMagic)
	return le.AppendUint32(b, crc32.Checksum(b[start:], crcTable))
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
	if dataBytes+8+fixedBytes > end {
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
		idsLen/idBytes != records || idsLen%idBytes != 0 {
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

// readIDs reads the ID index: one ID per record, in record order.
func (ix *index) readIDs(r io.ReaderAt) ([]ID, error) {
	b := make([]byte, ix.records*idBytes)
	if _, err := r.ReadAt(b, ix.idsAt); err != nil && err != io.EOF {
		return nil, err
	}
	if crc32.Checksum(b, crcTable) != ix.idsCRC {
		return nil, &CorruptError{Offset: ix.idsAt, Err: errors.New("checksum of the ID index does not match")}
	}
	ids := make([]ID, ix.records)
	for i := range ids {
		copy(ids[i][:], b[i*idBytes:])
	}
	return ids, nil
}

// segment is one segment in the making. Its compressed frames are appended to a
// staging file as they fill up; only counts, IDs and the frame being filled are
// in memory.
type segment struct {
	staged   string // path of the staging file
	enc      *seekable.Encoder
	trailer  trailer
	ids      []byte
	buf      []byte // lines of the frame being filled
	inBuf    uint32 // records in buf
	size     int64  // bytes appended
	replaces []string
}

func newSegment(staged string, enc *zstd.Encoder) (*segment, error) {
	se, err := seekable.NewEncoder(enc)
	return &segment{staged: staged, enc: se}, err
}

func newEncoder(level zstd.EncoderLevel, windowBytes int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(windowBytes), zstd.WithLowerEncoderMem(true))
}

// add appends one line to the frame being filled.
func (s *segment) add(id, json []byte) {
	s.buf = append(append(append(append(s.buf, id...), '\t'), json...), '\n')
	s.inBuf++
	u := IDOf(id)
	s.ids = append(s.ids, u[:]...)
}

// flush closes the frame being filled and appends it to the staging file.
func (s *segment) flush(d *disk) error {
	if len(s.buf) == 0 {
		return nil
	}
	b, err := s.enc.Encode(s.buf)
	if err != nil {
		return err
	}
	s.trailer.records += int64(s.inBuf)
	s.trailer.rawBytes += int64(len(s.buf))
	s.trailer.perFrame = append(s.trailer.perFrame, s.inBuf)
	s.buf, s.inBuf = s.buf[:0], 0
	s.size += int64(len(b))
	return d.append(s.staged, b)
}

// finish appends the trailer and the seek table and makes the file durable.
func (s *segment) finish(d *disk) error {
	if err := s.flush(d); err != nil {
		return err
	}
	s.trailer.replaces = s.replaces
	b := appendTrailer(nil, s.trailer, s.ids)
	table, err := s.enc.EndStream()
	if err != nil {
		return err
	}
	b = append(b, table...)
	s.size += int64(len(b))
	if err := d.append(s.staged, b); err != nil {
		return err
	}
	return d.sync(s.staged)
}
