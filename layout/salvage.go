package layout

import (
	"bytes"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/cespare/xxhash/v2"
)

// Salvage hands out what can be read of a segment, block by block with the ID
// index of its records, and returns the first damage, a *CorruptError, or an
// error of the disk or of emit. With strict it stops at the damage.
func (t *Tree) Salvage(s Segment, strict bool, emit func(lines []byte, ids segment.IDs) error) error {
	f, err := t.files.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if !s.Seekable() {
		f.Ahead(0, f.Size())
		return inFileIf(s.Path, salvageText(f, s.ext, emit))
	}
	var first error
	damage := func(err error) bool {
		if !IsDamage(err) {
			return false
		}
		if first == nil {
			first = err
		}
		return !strict
	}
	ix, err := segment.ReadIndex(f, f.Size())
	if err != nil {
		if !damage(err) {
			return inFileIf(s.Path, err)
		}
		ix = &segment.Index{Frames: segment.FindFrames(f, f.Size())}
	}
	ids, err := ix.ReadIDs(f)
	if err != nil && !damage(err) {
		return inFileIf(s.Path, err)
	}
	if first == nil {
		f.Ahead(ix.Span(0, len(ix.Frames)))
	}
	record := 0
	for i, e := range ix.Frames {
		fr := segment.NewFrames(f, ix.Frames[i:i+1])
		b, err := fr.Next()
		var of segment.IDs
		if ids.Len() > 0 {
			of = ids.Slice(record, record+int(ix.PerFrame[i]))
			record += int(ix.PerFrame[i])
		}
		if err == nil && ix.PerFrame != nil && uint32(xxhash.Sum64(b)) != e.Checksum {
			err = &CorruptError{Offset: f.Size(), Err: fmt.Errorf("the seek table has another checksum of frame %d", i)}
			if damage(err) {
				err = nil
			}
		}
		if err == nil {
			of, err = checkLines(b, of, int64(e.CompressedOffset), ids.Len() > 0)
		}
		if err == nil {
			err = emit(b, of)
		}
		if err != nil && !damage(err) {
			return inFileIf(s.Path, err)
		}
	}
	return inFileIf(s.Path, first)
}

func inFileIf(name string, err error) error {
	if err == nil {
		return nil
	}
	return InFile(name, err)
}

// checkLines checks that each line is id \t something, and that the ID index
// agrees; where there is none it makes one, without times.
func checkLines(b []byte, ids segment.IDs, offset int64, indexed bool) (segment.IDs, error) {
	n := 0
	for l := range bytes.Lines(b) {
		id, doc, ok := bytes.Cut(l, []byte("\t"))
		if !ok || len(id) == 0 || len(doc) < 2 {
			return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("line %d of the frame is no record", n+1)}
		}
		if !indexed {
			ids.Add(segment.IDOf(id), 0)
		} else if n >= ids.Len() {
			break
		} else if got, _ := ids.At(n); got != segment.IDOf(id) {
			return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("the ID index does not have the ID of line %d of the frame", n+1)}
		}
		n++
	}
	if got := bytes.Count(b, []byte("\n")); got != ids.Len() {
		return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("the frame has %d records, the trailer says %d", got, ids.Len())}
	}
	return ids, nil
}

// SalvageText reads an old file up to its damage.
func salvageText(f backend.File, ext string, emit func([]byte, segment.IDs) error) error {
	l, err := segment.OpenText(f, f.Size(), ext)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		at := l.Offset()
		b, err := l.Next()
		if err == io.EOF {
			return nil
		}
		var ids segment.IDs
		if err == nil {
			ids, err = checkLines(b, ids, at, false)
		}
		if err == nil {
			err = emit(b, ids)
		}
		if err != nil {
			return err
		}
	}
}
