package upkeep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// TreeStats counts what ImportTree imported.
type TreeStats struct {
	Files    int
	Records  int64
	BadLines int64 // lines that are not a record; they are in quarantine as "bad_line"
}

// ImportTree publishes the valid records of another tree, the predecessor's or
// an older data folder's, in the partitions that this folder's schema gives
// them. Records keep their storage version. Each file is imported as a whole or
// not at all. The names of its segments depend on its content, so that importing it
// again replaces its records. A damaged file is left out; the error then wraps a
// *CorruptError for each. done, if not nil, is called after each file.
func ImportTree(ctx context.Context, data *layout.Data, tree *layout.Tree, filter schema.Filter, done func(layout.Segment)) (TreeStats, error) {
	var total TreeStats
	filter.IncludeQuarantined = false
	segments, err := tree.Segments(ctx, filter)
	if err != nil {
		return total, err
	}

	var damage []error
	for _, seg := range segments {
		file, err := importFile(ctx, data, tree, seg)
		// Damage of one file does not stop the import of the others.
		if layout.IsDamage(err) {
			damage = append(damage, err)
			continue
		}
		if err != nil {
			return total, fmt.Errorf("import %s: %w", seg.Path, err)
		}

		total.Files++
		total.Records += file.Records
		total.BadLines += file.BadLines
		if done != nil {
			done(seg)
		}
	}
	return total, errors.Join(damage...)
}

// importFile publishes the records of one file, all or none.
func importFile(ctx context.Context, data *layout.Data, tree *layout.Tree, seg layout.Segment) (TreeStats, error) {
	source, times, err := identify(tree, seg)
	if err != nil {
		return TreeStats{}, err
	}
	defer times.close()

	w, err := data.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		return TreeStats{}, err
	}
	defer w.Abort()
	w.SetVersion(seg.Version)

	file := fileImport{w: w, path: seg.Path, schema: data.Schema(), times: times}
	if err := file.read(ctx, tree, seg); err != nil {
		return file.stats, err
	}

	_, err = w.Commit(ctx)
	return file.stats, err
}

// receipts are the times of receipt of a file's records, in their order. An old file has none.
type receipts struct {
	file   io.Closer
	reader *segment.IDReader // nil: there are none
	block  segment.IDs       // those that were read
	at     int               // the next one of block
}

// timesAtOnce is how many receipts are in memory.
const timesAtOnce = 4096

// next returns the milliseconds of the day of the next record.
func (r *receipts) next() (msOfDay uint32, known bool, err error) {
	if r.reader == nil {
		return 0, false, nil
	}
	if r.at == r.block.Len() {
		r.at = 0
		r.block, err = r.reader.Next(timesAtOnce)
		if err != nil || r.block.Len() == 0 {
			return 0, false, err
		}
	}

	_, msOfDay = r.block.At(r.at)
	r.at++
	return msOfDay, true, nil
}

func (r *receipts) close() error { return r.file.Close() }

// identify returns the name under which a file is published, made from its content, and the
// times of its records. The caller closes these.
func identify(tree *layout.Tree, seg layout.Segment) (source string, times *receipts, err error) {
	file, err := tree.OpenFile(seg)
	if err != nil {
		return "", nil, err
	}
	times = &receipts{file: file}
	defer func() {
		if err != nil {
			times.close()
		}
	}()

	// A second import of the same content gets the same name.
	sum := sha256.New()
	file.Ahead(0, file.Size())
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, file.Size())); err != nil {
		return "", nil, err
	}
	source = "tree-" + hex.EncodeToString(sum.Sum(nil)[:16])
	if !seg.Seekable() {
		return source, times, nil
	}

	// The ID index has the times of receipt, which the lines do not have.
	ix, err := segment.ReadIndex(file, file.Size())
	if err == nil {
		times.reader, err = ix.IDs(file)
	}
	if err != nil {
		return "", nil, layout.InFile(seg.Path, err)
	}
	return source, times, nil
}

// fileImport is the import of one file.
type fileImport struct {
	w         *layout.Writer
	path      string
	schema    *schema.Schema
	partition schema.Dims // of the records being read
	times     *receipts
	lines     int // so far
	stats     TreeStats
}

// read adds all records of the file.
func (f *fileImport) read(ctx context.Context, tree *layout.Tree, seg layout.Segment) error {
	// From the first frame to the last.
	reader, err := tree.Open(seg, 0, -1)
	if err != nil {
		return err
	}
	defer reader.Close()

	f.partition = f.schema.Repartition(seg.Dims)
	for {
		block, err := reader.NextBlock()
		if err == io.EOF {
			return nil
		}

		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}

		if block.Group != nil {
			err = f.addRows(block, seg.Parts[block.Part])
		} else {
			err = f.addLines(block.Lines)
		}
		if err != nil {
			return err
		}
	}
}

func (f *fileImport) addLines(lines []byte) error {
	for line := range bytes.Lines(lines) {
		if err := f.add(line); err != nil {
			return err
		}
	}
	return nil
}

// addRows adds records of a segment in columns.
func (f *fileImport) addRows(block layout.Block, part layout.Part) error {
	f.partition = f.schema.Repartition(part.Dims)
	var line []byte
	for _, row := range block.Rows {
		received, err := block.Group.Received(int(row))
		if err != nil {
			return err
		}
		f.w.SetTime(time.UnixMilli(int64(received)))

		line, err = block.Group.AppendLine(line[:0], int(row))
		if err != nil {
			return err
		}
		if err := f.add(line); err != nil {
			return err
		}
	}
	return nil
}

// add adds one line to the partition, or to the quarantine if it is not a record.
func (f *fileImport) add(line []byte) error {
	msOfDay, known, err := f.times.next()
	if err != nil {
		return err
	}
	if known {
		f.w.SetTime(time.UnixMilli(int64(msOfDay)))
	}
	f.lines++

	line = bytes.TrimRight(line, "\r\n")
	id, json, _ := bytes.Cut(line, []byte("\t"))
	err = f.w.Add(f.partition, id, json)
	if errors.Is(err, layout.ErrBadRecord) || errors.Is(err, layout.ErrRecordTooLarge) {
		f.stats.BadLines++
		return f.w.AddRejected(layout.Rejected{
			Class: "bad_line", Message: err.Error(), Origin: f.path, Offset: int64(f.lines), Body: line,
		})
	}

	f.stats.Records++
	return err
}
