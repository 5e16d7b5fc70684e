package segment

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"
)

// Builder is one segment in the making. Its compressed frames are written as
// they fill up; only counts, IDs and the frame being filled are in memory. It
// belongs to one goroutine.
type Builder struct {
	Trailer // of the frames written; the owner sets Replaces and Origin
	out     io.Writer
	enc     *zstd.Encoder
	table   *seekable.Encoder
	packed  []byte // what preset returns to table
	ids     IDs    // those that were not spilled
	spill   Spill
	spilled int    // IDs in spill
	buf     []byte // lines of the frame being filled
	inBuf   uint32 // records in buf
	size    int64
}

// NewBuilder begins a segment. enc compresses its frames, and each is written to out
// by one Write. enc may be nil if all frames come by AddFrame, and several Builders
// of one goroutine may share it.
func NewBuilder(out io.Writer, enc *zstd.Encoder) (*Builder, error) {
	builder := &Builder{out: out, enc: enc}

	var err error
	builder.table, err = seekable.NewEncoder(preset{&builder.packed})
	return builder, err
}

// preset is a compressor for the seekable encoder that returns a frame that is
// compressed already.
type preset struct{ packed *[]byte }

func (p preset) EncodeAll(_, _ []byte) []byte { return *p.packed }

// NewEncoder returns a compressor of frames for one goroutine, which closes it.
func NewEncoder(level zstd.EncoderLevel, windowBytes int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(windowBytes), zstd.WithLowerEncoderMem(true))
}

// Size is how many bytes were written so far.
func (s *Builder) Size() int64 { return s.size }

// Spill is where a Builder puts the IDs of very many records until Finish: two files, for
// IDs and times. The owner removes them.
type Spill struct {
	IDs, Times io.Writer
	Open       func() (ids, times io.ReadCloser, err error)
}

// IDsInMemory returns how many IDs are in memory, at 20 bytes each.
func (s *Builder) IDsInMemory() int { return s.ids.Len() }

// SpillIDs moves the IDs from memory to files, the same ones each time. Finish reads them.
func (s *Builder) SpillIDs(to Spill) error {
	s.spill = to
	s.spilled += s.ids.Len()
	_, err := to.IDs.Write(s.ids.ids)
	if err == nil {
		_, err = to.Times.Write(s.ids.times)
	}

	s.ids = IDs{}
	return err
}

// Buffered is the memory that the frame being filled takes.
func (s *Builder) Buffered() int { return cap(s.buf) }

// Add appends a record, which is copied, to the frame being filled, and writes
// that when it is full. msOfDay is the time of receipt as in IDs.
func (s *Builder) Add(id, json []byte, msOfDay uint32) error {
	// A buffer that has come so far will fill a frame: grow it once.
	lineBytes := len(id) + len(json) + 2
	if len(s.buf) >= FrameBytes/8 && cap(s.buf)-len(s.buf) < lineBytes {
		s.buf = slices.Grow(s.buf, FrameBytes-len(s.buf)+lineBytes)
	}

	s.buf = append(s.buf, id...)
	s.buf = append(s.buf, '\t')
	s.buf = append(s.buf, json...)
	s.buf = append(s.buf, '\n')
	s.inBuf++
	s.ids.Add(IDOf(id), msOfDay)

	if len(s.buf) < FrameBytes {
		return nil
	}
	return s.Flush()
}

// Flush closes and writes the frame being filled.
func (s *Builder) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}

	err := s.writeFrame(s.buf, s.enc.EncodeAll(s.buf, nil), s.inBuf)
	s.buf = s.buf[:0]
	s.inBuf = 0
	return err
}

// Release is Flush, and frees the buffer.
func (s *Builder) Release() error {
	err := s.Flush()

	s.buf = nil
	return err
}

// AddFrame writes a frame that is compressed already, with the IDs of its records.
func (s *Builder) AddFrame(plain, packed []byte, ids IDs) error {
	s.ids.Append(ids)
	return s.writeFrame(plain, packed, uint32(ids.Len()))
}

func (s *Builder) writeFrame(plain, packed []byte, records uint32) error {
	// The table gets the compressed frame through preset, and its checksum from plain.
	s.packed = packed
	encoded, err := s.table.Encode(plain)
	s.packed = nil
	if err != nil {
		return err
	}

	s.Records += int64(records)
	s.RawBytes += int64(len(plain))
	s.PerFrame = append(s.PerFrame, records)
	s.Trailer.packed = crc32.Update(s.Trailer.packed, crcTable, encoded)
	return s.write(encoded)
}

func (s *Builder) write(data []byte) error {
	s.size += int64(len(data))
	_, err := s.out.Write(data)
	return err
}

// Finish writes the trailer and the seek table, after a Flush.
func (s *Builder) Finish() error {
	if err := s.Flush(); err != nil {
		return err
	}

	table, err := s.table.EndStream()
	if err != nil {
		return err
	}
	if s.spilled > 0 {
		return s.finishSpilled(table)
	}

	trailer := appendTrailer(nil, s.Trailer, s.ids)
	s.ids = IDs{}

	// Both in one Write: a segment that has its seek table has its trailer too.
	return s.write(append(trailer, table...))
}

// finishSpilled is the end of Finish for a segment some of whose IDs are in files. It
// writes the same bytes.
func (s *Builder) finishSpilled(table []byte) error {
	ids, times, err := s.spill.Open()
	if err != nil {
		return err
	}
	defer ids.Close()
	defer times.Close()

	idsLen := (s.spilled + s.ids.Len()) * idEntryBytes
	if err := s.write(appendTrailerHead(nil, s.Trailer, idsLen)); err != nil {
		return err
	}

	// All IDs come before all times.
	sum := crc32.New(crcTable)
	written := int64(0)
	block := make([]byte, 1<<20)
	for _, part := range []io.Reader{ids, bytes.NewReader(s.ids.ids), times, bytes.NewReader(s.ids.times)} {
		for {
			n, err := part.Read(block)
			if n > 0 {
				sum.Write(block[:n])
				written += int64(n)
				if err := s.write(block[:n]); err != nil {
					return err
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	if written != int64(idsLen) {
		return fmt.Errorf("%d bytes of IDs were spilled, want %d", written, idsLen)
	}

	s.ids = IDs{}
	return s.write(append(appendTrailerEnd(nil, s.Trailer, idsLen, sum.Sum32()), table...))
}

// appendTrailer appends the skippable frame; see FORMAT.md.
func appendTrailer(b []byte, t Trailer, x IDs) []byte {
	idsLen := len(x.ids) + len(x.times)
	b = appendTrailerHead(b, t, idsLen)

	b = append(b, x.ids...)
	b = append(b, x.times...)
	return appendTrailerEnd(b, t, idsLen, crc32.Checksum(b[len(b)-idsLen:], crcTable))
}

// appendTrailerHead appends what stands before the IDs: the header of a skippable frame of
// zstd, so that its decoders skip the trailer.
func appendTrailerHead(b []byte, t Trailer, idsLen int) []byte {
	size := idsLen + 4*len(t.PerFrame) + len(t.joinNames()) + fixedBytes
	b = le.AppendUint32(b, trailerMagic)
	return le.AppendUint32(b, uint32(size))
}

// appendTrailerEnd appends what stands behind the IDs. These have a checksum of their own:
// ReadIndex does not read them.
func appendTrailerEnd(b []byte, t Trailer, idsLen int, idsCRC uint32) []byte {
	names := t.joinNames()

	// The checksum covers what follows.
	start := len(b)
	for _, records := range t.PerFrame {
		b = le.AppendUint32(b, records)
	}
	b = append(b, names...)

	// The fixed part, fixedBytes long, which readers find from its end.
	b = le.AppendUint64(b, uint64(t.Records))
	b = le.AppendUint64(b, uint64(t.RawBytes))
	b = le.AppendUint64(b, uint64(idsLen))
	b = le.AppendUint32(b, idsCRC)
	b = le.AppendUint32(b, uint32(len(t.PerFrame)))
	b = le.AppendUint32(b, uint32(len(names)))
	b = le.AppendUint32(b, trailerVersion)
	b = le.AppendUint32(b, trailerMagic)
	return le.AppendUint32(b, crc32.Checksum(b[start:], crcTable))
}
