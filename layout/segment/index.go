package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

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

	// The end of the seek table, after its entries: their number, flags, magic.
	footerBytes = 9
	footerFlags = 0x80 // entries have checksums
	footerMagic = 0x8F92EAB1
)

// le is the byte order of all integers.
var le = binary.LittleEndian

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Trailer is what a segment says about itself besides the seek table.
type Trailer struct {
	Records  int64
	RawBytes int64    // uncompressed
	PerFrame []uint32 // records in each frame
	Replaces []string // unique parts of the names of the segments it was merged from
	Origin   Origin   // what it was made from; zero if it was merged, or is older than origins
	Clients  string   // filter of its clients' IDs, see package forget; "" in older segments
	idsCRC   uint32
	idsAt    int64 // offset of the ID index in the file

	namesBytes int    // of what follows the counts
	packed     uint32 // CRC32C of the compressed frames
	hasPacked  bool   // segments that are older than this sum have none
}

// Index is everything in a segment that is not data, except its IDs.
type Index struct {
	Trailer
	Frames []Frame
}

// Span returns the offsets in the file of the frames lo up to, not including, hi:
// where they begin, and where they end.
func (ix *Index) Span(lo, hi int) (from, to int64) {
	for _, frame := range ix.Frames[:hi] {
		to += int64(frame.CompressedSize)
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
	end, err := readTail(r, size)
	if err != nil {
		return nil, err
	}

	// The file is read backwards: the seek table, and the trailer before it.
	ix := &Index{}
	tableAt, err := ix.readTable(end)
	if err != nil {
		return nil, err
	}
	if err := ix.readTrailer(end, tableAt); err != nil {
		return nil, err
	}

	return ix, nil
}

func damaged(at int64, format string, args ...any) error {
	return &CorruptError{Offset: max(at, 0), Err: fmt.Errorf(format, args...)}
}

// readTable reads the seek table, which is at the end of the file, and returns where
// it begins.
func (ix *Index) readTable(end *tail) (tableAt int64, err error) {
	if end.size < footerBytes {
		return 0, errTorn(end.size)
	}

	footer, err := end.before(end.size, footerBytes)
	if err != nil {
		return 0, err
	}

	if le.Uint32(footer[5:]) != footerMagic {
		return 0, errTorn(end.size)
	}

	// The footer's number of entries gives the size of the table.
	tableBytes := 8 + 12*int64(le.Uint32(footer)) + footerBytes
	if tableBytes > end.size || footer[4] != footerFlags {
		return 0, damaged(end.size-footerBytes, "bad seek table footer")
	}

	tableAt = end.size - tableBytes
	text, err := end.before(end.size, tableBytes)
	if err != nil {
		return 0, err
	}
	table, err := seekable.NewSeekTable(text)
	if err != nil {
		return 0, damaged(tableAt, "seek table: %w", err)
	}

	return tableAt, ix.setFrames(table, tableAt)
}

// setFrames copies the entries of the seek table that begins at tableAt, and checks
// that no frame claims more than it can hold.
func (ix *Index) setFrames(table *seekable.SeekTable, tableAt int64) error {
	ix.Frames = make([]Frame, table.NumFrames())
	for i := range ix.Frames {
		ix.Frames[i], _ = table.EntryByID(int64(i))
		packed := int64(ix.Frames[i].CompressedSize)
		raw := int64(ix.Frames[i].DecompressedSize)

		// Readers allocate what a frame claims.
		if raw == 0 || raw > maxFrameBytes || raw > packed*maxRatio {
			return damaged(tableAt, "frame %d claims %d bytes from %d", i, raw, packed)
		}
		ix.RawBytes += raw
	}
	return nil
}

func errTorn(at int64) error {
	return damaged(at, "no seek table at the end: the segment is torn or no segment")
}

// readTrailer reads the trailer, which ends where the seek table begins. See FORMAT.md
// for the offsets in its fixed part.
func (ix *Index) readTrailer(end *tail, tableAt int64) error {
	_, dataBytes := ix.Span(0, len(ix.Frames))
	if dataBytes > tableAt-8-fixedBytes {
		return damaged(tableAt, "frames and trailer do not fit: %d bytes of frames", dataBytes)
	}

	fixed, err := end.before(tableAt, fixedBytes)
	if err != nil {
		return err
	}

	fixedAt := tableAt - fixedBytes
	if le.Uint32(fixed[40:]) != trailerMagic {
		return damaged(fixedAt, "no trailer")
	}
	if version := le.Uint32(fixed[36:]); version != trailerVersion {
		return ix.otherVersion(end, tableAt, version)
	}

	// Sizes must add up to the space between the frames and the seek table.
	records, rawBytes, idsBytes := le.Uint64(fixed), le.Uint64(fixed[8:]), le.Uint64(fixed[16:])
	frames, namesBytes := int64(le.Uint32(fixed[28:])), int64(le.Uint32(fixed[32:]))
	body := tableAt - dataBytes - 8
	if frames != int64(len(ix.Frames)) || rawBytes != uint64(ix.RawBytes) ||
		idsBytes > uint64(body) || int64(idsBytes)+4*frames+namesBytes+fixedBytes != body ||
		idsBytes/entryBytes != records || idsBytes%entryBytes != 0 {
		return damaged(fixedAt, "trailer does not fit the seek table")
	}

	ix.Records = int64(records)
	ix.idsCRC = le.Uint32(fixed[24:])
	ix.idsAt = dataBytes + 8

	return ix.readCounts(end, tableAt, 4*frames+namesBytes+fixedBytes)
}

// otherVersion returns the error for a trailer that claims another version: ErrNewer,
// unless the checksum says that its version is damaged.
func (ix *Index) otherVersion(end *tail, tableAt int64, version uint32) error {
	fixedAt := tableAt - fixedBytes
	if version < trailerVersion {
		return damaged(fixedAt, "trailer of unknown version %d", version)
	}

	fixed, err := end.before(tableAt, fixedBytes)
	if err != nil {
		return err
	}
	_, dataBytes := ix.Span(0, len(ix.Frames))
	covered := 4*int64(le.Uint32(fixed[28:])) + int64(le.Uint32(fixed[32:])) + fixedBytes
	if covered <= tableAt-dataBytes-8 {
		body, err := end.before(tableAt, covered)
		if err != nil {
			return err
		}

		ours := bytes.Clone(body[:covered-4])
		le.PutUint32(ours[covered-fixedBytes+36:], trailerVersion)
		if crc32.Checksum(ours, crcTable) == le.Uint32(body[covered-4:]) {
			return damaged(fixedAt, "the version of the trailer is damaged")
		}
	}
	return fmt.Errorf("trailer of version %d: %w", version, ErrNewer)
}

// PackedSum returns the CRC32C of all compressed frames; not ok for a segment that is
// older than this sum.
func (ix *Index) PackedSum() (sum uint32, ok bool) { return ix.packed, ix.hasPacked }

// CheckHead verifies the first bytes of the trailer, which readers do not need: its mark
// and its size.
func (ix *Index) CheckHead(r io.ReaderAt) error {
	var head [8]byte
	at := ix.idsAt - int64(len(head))
	n, err := r.ReadAt(head[:], at)
	if n < len(head) {
		return err
	}

	size := ix.Records*entryBytes + 4*int64(len(ix.PerFrame)) + int64(ix.namesBytes) + fixedBytes
	if le.Uint32(head[:]) != trailerMagic || int64(le.Uint32(head[4:])) != size {
		return damaged(at, "the head of the trailer does not fit it")
	}
	return nil
}

// readCounts reads the part of the trailer that its checksum covers, which ends where
// the seek table begins: the records of each frame, and what was merged.
func (ix *Index) readCounts(end *tail, tableAt, covered int64) error {
	body, err := end.before(tableAt, covered)
	if err != nil {
		return err
	}
	if crc32.Checksum(body[:covered-4], crcTable) != le.Uint32(body[covered-4:]) {
		return damaged(tableAt-covered, "trailer checksum does not match")
	}

	// The sum also bounds each count, so that readers may use it as an index.
	sum := int64(0)
	ix.PerFrame = make([]uint32, len(ix.Frames))
	for i := range ix.PerFrame {
		ix.PerFrame[i] = le.Uint32(body[4*i:])
		sum += int64(ix.PerFrame[i])
	}
	if sum != ix.Records {
		return damaged(tableAt-covered, "trailer counts %d records, its frames %d", ix.Records, sum)
	}

	names := body[4*len(ix.Frames) : covered-fixedBytes]
	ix.namesBytes = len(names)
	if len(names) > 0 {
		ix.parseNames(string(names))
	}
	return nil
}

// tail is a file whose last bytes are in memory.
type tail struct {
	r    io.ReaderAt
	size int64
	last []byte // of the file, tailBytes at most
}

func readTail(r io.ReaderAt, size int64) (*tail, error) {
	last := make([]byte, min(size, tailBytes))
	if _, err := r.ReadAt(last, size-int64(len(last))); err != nil && err != io.EOF {
		return nil, err
	}

	return &tail{r: r, size: size, last: last}, nil
}

// before returns the n bytes of the file before the offset end. They must not be
// changed.
func (t *tail) before(end, n int64) ([]byte, error) {
	from := end - n - (t.size - int64(len(t.last)))
	if from >= 0 {
		return t.last[from : from+n], nil
	}

	// A large seek table or trailer begins before the tail.
	piece := make([]byte, n)
	_, err := t.r.ReadAt(piece, end-n)
	if err == io.EOF {
		err = nil
	}
	return piece, err
}
