package layout

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/cespare/xxhash/v2"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Salvage calls emit with the lines that can be read of a segment, frame by frame,
// with the ID index of their records. It returns the first damage, a *CorruptError,
// or an error of the disk or of emit. With strict it stops at the damage.
func (t *Tree) Salvage(s Segment, strict bool, emit func(lines []byte, ids segment.IDs) error) error {
	if s.InColumns() {
		_, err := t.SalvageColumns(s, strict, func(_ schema.Dims, line []byte, msOfDay uint32) error {
			var ids segment.IDs
			id, _, _ := bytes.Cut(line, []byte("\t"))
			ids.Add(segment.IDOf(id), msOfDay)
			return emit(append(line, '\n'), ids)
		})
		return err
	}

	file, err := t.files.Open(s.Path)
	if err != nil {
		return err
	}
	defer file.Close()

	if s.Seekable() {
		frames := salvage{f: file, strict: strict, emit: emit}
		err = frames.run()
	} else {
		file.Ahead(0, file.Size())
		err = salvageText(file, s.ext, emit)
	}

	if err != nil {
		return InFile(s.Path, err)
	}
	return nil
}

// salvage reads one segment of ours.
type salvage struct {
	f      backend.File
	strict bool
	emit   func(lines []byte, ids segment.IDs) error
	packed uint32 // CRC32C of the compressed frames so far
	first  error  // damage
}

// run reads the whole segment.
func (v *salvage) run() error {
	ix, ids, err := v.index()
	if err != nil {
		return err
	}

	// Read ahead by the offsets of the index only if it is sound.
	if v.first == nil {
		v.f.Ahead(ix.Span(0, len(ix.Frames)))
	}

	for number := range ix.Frames {
		var frameIDs segment.IDs
		if ids != nil {
			frameIDs, err = ids.Next(int(ix.PerFrame[number]))
			if err != nil {
				return err
			}
		}

		err := v.frame(ix, number, frameIDs, ids != nil)
		if err != nil && !v.passes(err) {
			return err
		}
	}

	// zstd decodes some damage of a frame's head to the same text.
	if sum, ok := ix.PackedSum(); ok && v.first == nil && sum != v.packed {
		v.first = &CorruptError{Err: errors.New("the checksum of the compressed frames does not match")}
	}
	return v.first
}

// passes notes damage, and says whether reading goes on behind the error.
func (v *salvage) passes(err error) bool {
	if !IsDamage(err) {
		return false
	}
	if v.first == nil {
		v.first = err
	}

	return !v.strict
}

// index reads the index and the ID index. Without the first, frames are searched in
// the data; without the second, ids is nil.
func (v *salvage) index() (*segment.Index, *segment.IDReader, error) {
	ix, err := segment.ReadIndex(v.f, v.f.Size())
	if err != nil {
		if !v.passes(err) {
			return nil, nil, err
		}

		ix = &segment.Index{Frames: segment.FindFrames(v.f, v.f.Size())}
	}

	// Found frames have no trailer.
	if err == nil {
		if err := ix.CheckHead(v.f); err != nil && !v.passes(err) {
			return nil, nil, err
		}
	}

	// An index made of found frames has no records, and no IDs.
	ids, err := ix.IDs(v.f)
	if err != nil && !v.passes(err) {
		return nil, nil, err
	}
	if err != nil || ix.Records == 0 {
		ids = nil
	}
	return ix, ids, nil
}

// frame reads one frame and emits its lines. indexed says that ids are what the ID
// index has of it.
func (v *salvage) frame(ix *segment.Index, number int, ids segment.IDs, indexed bool) error {
	frames := segment.NewFrames(v.f, ix.Frames[number:number+1])
	defer frames.Close()

	lines, err := frames.Next()
	if err != nil {
		return err
	}
	v.packed = crc32.Update(v.packed, castagnoli, frames.Packed())

	// zstd's own checksum matched, so these lines are good and the seek table is
	// damaged.
	entry := ix.Frames[number]
	if ix.PerFrame != nil && uint32(xxhash.Sum64(lines)) != entry.Checksum {
		err := &CorruptError{Offset: v.f.Size(), Err: fmt.Errorf("the seek table has another checksum of frame %d", number)}
		if !v.passes(err) {
			return err
		}
	}

	ids, err = checkLines(lines, ids, int64(entry.CompressedOffset), indexed)
	if err != nil {
		return err
	}
	return v.emit(lines, ids)
}

// checkLines checks that each line is id \t something, and that the ID index
// agrees; where there is no ID index it makes one, without times.
func checkLines(lines []byte, ids segment.IDs, offset int64, indexed bool) (segment.IDs, error) {
	damaged := func(format string, args ...any) (segment.IDs, error) {
		return ids, &CorruptError{Offset: offset, Err: fmt.Errorf(format, args...)}
	}

	// Lines that the index does not have end the loop, and the counts below differ.
	record := 0
	for line := range bytes.Lines(lines) {
		id, doc, ok := bytes.Cut(line, []byte("\t"))
		if !ok || len(id) == 0 || len(doc) < 2 {
			return damaged("line %d of the frame is no record", record+1)
		}

		if !indexed {
			ids.Add(segment.IDOf(id), 0)
		} else if record >= ids.Len() {
			break
		} else if got, _ := ids.At(record); got != segment.IDOf(id) {
			return damaged("the ID index does not have the ID of line %d of the frame", record+1)
		}
		record++
	}

	if got := bytes.Count(lines, []byte("\n")); got != ids.Len() {
		return damaged("the frame has %d records, the trailer says %d", got, ids.Len())
	}
	return ids, nil
}

// salvageText reads an old file up to its damage.
func salvageText(f backend.File, ext string, emit func([]byte, segment.IDs) error) error {
	text, err := segment.OpenText(f, f.Size(), ext)
	if err != nil {
		return err
	}
	defer text.Close()

	for {
		// Damage of a line is reported at the beginning of the part that has it.
		offset := text.Offset()
		lines, err := text.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}

		ids, err := checkLines(lines, segment.IDs{}, offset, false)
		if err != nil {
			return err
		}
		if err := emit(lines, ids); err != nil {
			return err
		}
	}
}
