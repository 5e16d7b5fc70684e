package layout

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"
)

// segment is one segment in the making. Its compressed frames are appended to a
// staging file as they fill up; only counts, IDs and the frame being filled are
// in memory.
type segment struct {
	staged  string // path of the staging file
	zenc    *zstd.Encoder
	enc     *seekable.Encoder // keeps the seek table
	packed  []byte            // what EncodeAll gives to enc
	trailer trailer
	ids     idIndex
	buf     []byte // lines of the frame being filled
	inBuf   uint32 // records in buf
	size    int64  // bytes appended
}

// newSegment begins a segment whose frames enc compresses; enc may be nil if
// they come by addFrame.
func newSegment(staged string, enc *zstd.Encoder) (*segment, error) {
	s := &segment{staged: staged, zenc: enc}
	var err error
	s.enc, err = seekable.NewEncoder(s)
	return s, err
}

// EncodeAll gives the seekable encoder, which calls it, a frame that is already
// compressed.
func (s *segment) EncodeAll(_, _ []byte) []byte { return s.packed }

func newEncoder(level zstd.EncoderLevel, windowBytes int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(windowBytes), zstd.WithLowerEncoderMem(true))
}

// add appends one line to the frame being filled.
func (s *segment) add(id, json []byte, msOfDay uint32) {
	if need := len(id) + len(json) + 2; len(s.buf) >= frameBytes/8 && cap(s.buf)-len(s.buf) < need {
		s.buf = slices.Grow(s.buf, frameBytes-len(s.buf)+need) // it will fill a frame: grow once
	}
	s.buf = append(append(append(append(s.buf, id...), '\t'), json...), '\n')
	s.inBuf++
	s.ids.add(IDOf(id), msOfDay)
}

// flush closes the frame being filled and appends it to the staging file.
func (s *segment) flush(d *disk) error {
	if len(s.buf) == 0 {
		return nil
	}
	err := s.addFrame(d, s.buf, s.zenc.EncodeAll(s.buf, nil), s.inBuf)
	s.buf, s.inBuf = s.buf[:0], 0
	return err
}

// addFrame appends a compressed frame, whose IDs are in s.ids already, to the
// staging file.
func (s *segment) addFrame(d *disk, plain, packed []byte, records uint32) error {
	s.packed = packed
	b, err := s.enc.Encode(plain)
	s.packed = nil
	if err != nil {
		return err
	}
	s.trailer.records += int64(records)
	s.trailer.rawBytes += int64(len(plain))
	s.trailer.perFrame = append(s.trailer.perFrame, records)
	s.size += int64(len(b))
	return d.append(s.staged, b)
}

// finish appends the trailer and the seek table and makes the file durable.
func (s *segment) finish(d *disk) error {
	if err := s.flush(d); err != nil {
		return err
	}
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

// appendTrailer appends the skippable frame; see FORMAT.md.
func appendTrailer(b []byte, t trailer, x idIndex) []byte {
	names := strings.Join(t.replaces, "\n")
	idsLen := len(x.ids) + len(x.times)
	size := idsLen + 4*len(t.perFrame) + len(names) + fixedBytes
	le := binary.LittleEndian
	b = le.AppendUint32(b, trailerMagic)
	b = le.AppendUint32(b, uint32(size))
	b = append(append(b, x.ids...), x.times...)
	idsCRC := crc32.Checksum(b[len(b)-idsLen:], crcTable)
	start := len(b)
	for _, n := range t.perFrame {
		b = le.AppendUint32(b, n)
	}
	b = append(b, names...)
	b = le.AppendUint64(b, uint64(t.records))
	b = le.AppendUint64(b, uint64(t.rawBytes))
	b = le.AppendUint64(b, uint64(idsLen))
	b = le.AppendUint32(b, idsCRC)
	b = le.AppendUint32(b, uint32(len(t.perFrame)))
	b = le.AppendUint32(b, uint32(len(names)))
	b = le.AppendUint32(b, trailerVersion)
	b = le.AppendUint32(b, trailerMagic)
	return le.AppendUint32(b, crc32.Checksum(b[start:], crcTable))
}
