package layout

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Segments in columns have the records of several partitions of one day, so they lie at
// the top of the tree: <YYYYMMDD>.v<N>.columns.<unique>.parquet. Their index says which
// row segments they replace, wherever those lie.
//
// A reader lists rows first and columns after them, because compaction puts the column
// segment in place before it removes what that replaces:
//
//	listing     reads the folders of rows: R is there, or it is gone already
//	compaction  adds C, and then removes R
//	listing     reads the top of the tree: if R was gone, C is there
//
// With both in the list, R is hidden: C names it.

// columnsWord stands in the names of segments in columns.
const columnsWord = "columns"

// Part is a run of records of a segment in columns that have the same dimensions.
type Part struct {
	Dims   schema.Dims
	Group  int // number of the row group
	Lo, Hi int // rows of the group
	Record int // number of the first one in the segment
}

// InColumns says whether the segment has the column form.
func (s Segment) InColumns() bool { return s.ext == columns.Extension }

// Partitions calls do with the dimensions of each partition that the segment has
// selected records of.
func (s Segment) Partitions(do func(schema.Dims)) {
	if !s.InColumns() {
		do(s.Dims)
		return
	}
	for i, part := range s.Parts {
		if i == 0 || part.Dims != s.Parts[i-1].Dims {
			do(part.Dims)
		}
	}
}

// ColumnsPath is the path of a segment in columns, in a data folder.
func ColumnsPath(date string, storageVersion int, unique string) string {
	return fmt.Sprintf("%s/%s.v%d.%s.%s.%s", PublishedDir, date, storageVersion, columnsWord, unique, columns.Extension)
}

// BelowTop is the name of a published segment in Info.Replaces of one in columns: its
// path without published/, which a partition tree does not have.
func BelowTop(name string) string { return strings.TrimPrefix(name, PublishedDir+"/") }

// isColumnsName says whether a name has the shape of those of ColumnsPath.
func isColumnsName(name string) bool {
	_, ok := parseColumnsName(name)
	return ok
}

func parseColumnsName(name string) (Segment, bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 5 || parts[2] != columnsWord || parts[4] != columns.Extension || len(parts[1]) < 2 || parts[1][0] != 'v' {
		return Segment{}, false
	}

	version, err := strconv.Atoi(parts[1][1:])
	if err != nil || version < 0 {
		return Segment{}, false
	}
	seg := Segment{Version: version, Unique: parts[3], ext: columns.Extension}
	seg.Dims[schema.SubmissionDate] = parts[0]
	return seg, true
}

// columns lists the segments in columns, and hides what they replace.
func (w *walk) columns(ctx context.Context, top string) error {
	entries, err := w.settled(ctx, top)
	if err != nil {
		return err
	}

	var found []Segment
	replaced := map[string]bool{} // paths below top
	for _, entry := range entries {
		seg, ok := parseColumnsName(entry.Name)
		if !ok || !entry.Regular || !w.f.Matches(schema.SubmissionDate, seg.Dims[schema.SubmissionDate]) {
			continue
		}
		seg.Path = path.Join(top, entry.Name)
		seg.Size = entry.Size

		info, err := w.t.columnsIndex(&seg)
		if err != nil && !IsDamage(err) {
			return err
		}
		if err == nil {
			for _, name := range info.Replaces {
				replaced[name] = true
			}
			seg.Parts = selectedParts(info, w.f)
		}

		// One without selected records stays only if that cannot be known: reading it
		// returns the damage.
		if err != nil || len(seg.Parts) > 0 {
			found = append(found, seg)
		}
	}
	if len(replaced) == 0 {
		w.Segments = append(w.Segments, found...)
		return nil
	}

	var visible []Segment
	for _, seg := range append(w.Segments, found...) {
		if !seg.Quarantined && replaced[BelowTop(seg.Path)] {
			w.Hidden = append(w.Hidden, seg)
		} else {
			visible = append(visible, seg)
		}
	}
	w.Segments = visible
	return nil
}

// columnsOf lists the segments in columns of a date.
func (t *Tree) columnsOf(date string) ([]Segment, error) {
	top := "."
	if t.data {
		top = PublishedDir
	}
	entries, err := t.files.List(context.Background(), top)
	if err != nil {
		return nil, err
	}

	var found []Segment
	for _, entry := range entries {
		seg, ok := parseColumnsName(entry.Name)
		if ok && entry.Regular && seg.Dims[schema.SubmissionDate] == date {
			seg.Path = path.Join(top, entry.Name)
			seg.Size = entry.Size
			found = append(found, seg)
		}
	}
	return found, nil
}

// selectedParts returns the records that a filter selects.
func selectedParts(info *columns.Info, f schema.Filter) (parts []Part) {
	record := 0
	for number, group := range info.Groups {
		row := 0
		for _, part := range group.Parts {
			if f.Selects(part.Dims) {
				parts = append(parts, Part{part.Dims, number, row, row + part.Rows, record})
			}
			row += part.Rows
			record += part.Rows
		}
	}
	return parts
}

// maxColumnIndexes is how many indexes of segments in columns a Tree caches, of about
// 200 kB each: a job opens a segment once to plan, and once for each task.
const maxColumnIndexes = 64

// columnIndexes are the last ones that were read. Safe for concurrent use.
type columnIndexes struct {
	mu    sync.Mutex // protects all
	files map[string]*columns.File
}

// openColumnsFile opens a segment in columns. The caller closes the backend's file.
func (t *Tree) openColumnsFile(s Segment) (backend.File, *columns.File, error) {
	file, err := t.files.Open(s.Path)
	if err != nil {
		return nil, nil, err
	}

	// A repair may have changed the content under the name; hardly ever the size, too.
	key := fmt.Sprintf("%s %d", s.Path, file.Size())
	t.indexes.mu.Lock()
	known := t.indexes.files[key]
	t.indexes.mu.Unlock()

	if known == nil {
		known, err = columns.Open(file, file.Size())
		if err != nil {
			file.Close()
			return nil, nil, InFile(s.Path, err)
		}
		known = known.From(nil, s.Path)
		t.indexes.add(key, known)
	}
	return file, known.From(file, s.Path), nil
}

func (c *columnIndexes) add(key string, f *columns.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil || len(c.files) >= maxColumnIndexes {
		c.files = map[string]*columns.File{}
	}
	c.files[key] = f
}

// columnsIndex reads what a segment in columns says about itself.
func (t *Tree) columnsIndex(s *Segment) (*columns.Info, error) {
	file, f, err := t.openColumnsFile(*s)
	if err != nil {
		return nil, err
	}
	return f.Info(), file.Close()
}

// AllParts returns all parts of a segment in columns, whatever the filter selected that it
// was listed with.
func (t *Tree) AllParts(s Segment) ([]Part, error) {
	info, err := t.columnsIndex(&s)
	if err != nil {
		return nil, err
	}
	return selectedParts(info, schema.All()), nil
}

// ColumnReplaces returns the paths, below the top of the tree, of the segments that one in
// columns replaces.
func (t *Tree) ColumnReplaces(s Segment) ([]string, error) {
	info, err := t.columnsIndex(&s)
	if err != nil {
		return nil, err
	}
	return info.Replaces, nil
}

// ColumnGroup opens a row group of a segment in columns. The file is opened for each
// column that is read, so that there is nothing to close.
func (t *Tree) ColumnGroup(s Segment, number int) (*columns.Group, error) {
	file, f, err := t.openColumnsFile(s)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	return f.From(reopened{t, s.Path}, s.Path).Group(number), nil
}

// reopened is a file that is opened for each read.
type reopened struct {
	t    *Tree
	path string
}

// ReadAt implements io.ReaderAt.
func (r reopened) ReadAt(b []byte, at int64) (int, error) {
	file, err := r.t.files.Open(r.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.ReadAt(b, at)
}

// columnsInfo is Info of a segment in columns: of its selected records.
func (t *Tree) columnsInfo(s Segment) (Info, error) {
	info, err := t.columnsIndex(&s)
	if err != nil {
		return Info{}, err
	}

	made := Info{Frames: len(info.Groups)}
	for _, part := range s.Parts {
		group := &info.Groups[part.Group]
		rows := int64(part.Hi - part.Lo)
		made.Records += rows
		made.RawBytes += group.RawBytes * rows / int64(max(1, group.Rows))
	}
	return made, nil
}

// Block is what a Reader reads at once: lines, or some records of a row group.
type Block struct {
	Lines []byte // as Reader.Next returns them; nil: the records are in columns
	Group *columns.Group
	Part  int // index in the segment's Parts
	Rows  []int32
}

// columnReader reads the parts of a segment in columns.
type columnReader struct {
	f     *columns.File
	path  string
	parts []Part
	first int // index of the first of parts in the segment's
	next  int
	drop  *dedup.Duplicates

	number int // of group
	group  *columns.Group
	rows   []int32
	buf    []byte
	block  Block // whose rows columnLines has not returned yet
}

// openColumns opens row groups of a segment in columns.
func (t *Tree) openColumns(s Segment, lo, hi int) (*Reader, error) {
	file, f, err := t.openColumnsFile(s)
	if err != nil {
		return nil, err
	}

	if hi < 0 {
		hi = len(f.Info().Groups)
	}
	reader := &columnReader{f: f, path: s.Path, number: -1}
	for i, part := range s.Parts {
		if part.Group < lo || part.Group >= hi {
			continue
		}
		if len(reader.parts) == 0 {
			reader.first = i
		}
		reader.parts = append(reader.parts, part)
	}
	return &Reader{path: s.Path, file: file, columns: reader}, nil
}

// NextBlock returns the next block, valid until the next call, or io.EOF; see Next.
// Of a segment in columns it returns records that are not read yet.
func (r *Reader) NextBlock() (Block, error) {
	if r.columns == nil || r.err != nil {
		lines, err := r.Next()
		return Block{Lines: lines}, err
	}

	block, err := r.columns.nextBlock()
	if err != nil {
		r.err = err
	}
	return block, err
}

// nextBlock returns the records of the next part that has some.
func (c *columnReader) nextBlock() (Block, error) {
	for c.next < len(c.parts) {
		part := c.parts[c.next]
		number := c.first + c.next
		c.next++

		// The columns of a group are read once, for all its parts.
		if c.number != part.Group {
			c.number = part.Group
			c.group = c.f.Group(part.Group)
		}

		var dropped dedup.Records
		if c.drop != nil {
			dropped = c.drop.Of(partPath(c.path, part))
		}
		c.rows = c.rows[:0]
		for row := part.Lo; row < part.Hi; row++ {
			if !dropped.Has(row - part.Lo) {
				c.rows = append(c.rows, int32(row))
			}
		}
		if len(c.rows) > 0 {
			return Block{Group: c.group, Part: number, Rows: c.rows}, nil
		}
	}
	return Block{}, io.EOF
}

// columnLines is Next for a segment in columns.
func (r *Reader) columnLines() ([]byte, error) {
	c := r.columns
	c.buf = c.buf[:0]
	for len(c.buf) < segment.FrameBytes {
		if len(c.block.Rows) == 0 {
			block, err := c.nextBlock()
			if err == io.EOF && len(c.buf) > 0 {
				break
			}
			if err != nil {
				r.err = err
				return nil, err
			}
			c.block = block
			c.block.Rows = slices.Clone(block.Rows)
		}

		var err error
		c.buf, err = c.block.Group.AppendLine(c.buf, int(c.block.Rows[0]))
		if err != nil {
			r.err = err
			return nil, err
		}
		c.buf = append(c.buf, '\n')
		c.block.Rows = c.block.Rows[1:]
	}
	return c.buf, nil
}

// partPath names a part of a segment for package dedup.
func partPath(name string, part Part) string { return fmt.Sprintf("%s#%d", name, part.Record) }

// latestParts is what dedup.Latest compares of a segment in columns: each part by itself,
// because it has dimensions of its own.
func (t *Tree) latestParts(s Segment) (list []dedup.Segment) {
	for _, part := range s.Parts {
		list = append(list, dedup.Segment{Path: partPath(s.Path, part), Dims: part.Dims, ReadIDs: func(use func(segment.IDs) error) error {
			file, f, err := t.openColumnsFile(s)
			if err != nil {
				return err
			}
			defer file.Close()

			ids, err := groupIDs(f.Group(part.Group), part.Lo, part.Hi)
			if err != nil {
				return err
			}
			return use(ids)
		}})
	}
	return list
}

// groupIDs returns the ID index of some rows.
func groupIDs(g *columns.Group, lo, hi int) (ids segment.IDs, err error) {
	for row := lo; row < hi; row++ {
		id, err := g.ID(row)
		if err != nil {
			return ids, err
		}
		received, err := g.Received(row)
		if err != nil {
			return ids, err
		}
		ids.Add(segment.IDOf(id), received)
	}
	return ids, nil
}

// SalvageColumns calls emit with each line that can be read of a segment in columns,
// without its newline and valid until the next call. It returns what the segment
// replaces, as far as that can be read, and the first damage, or an error of the disk or
// of emit. With strict it stops at the damage.
func (t *Tree) SalvageColumns(s Segment, strict bool, emit func(dims schema.Dims, line []byte, msOfDay uint32) error) (replaces []string, err error) {
	file, err := t.files.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	f, first := columns.Recover(file, file.Size())
	if f == nil || first != nil && (strict || !IsDamage(first)) {
		return nil, InFile(s.Path, first)
	}
	v := columnSalvage{f: f.From(file, s.Path), strict: strict, emit: emit, first: first}
	for number := range f.Info().Groups {
		if err := v.group(number); err != nil {
			return nil, err
		}
	}

	if err := v.f.VerifyFooter(file.Size()); err != nil && !v.passes(err) {
		return nil, err
	}
	if v.first != nil {
		return f.Info().Replaces, InFile(s.Path, v.first)
	}
	return f.Info().Replaces, nil
}

// columnSalvage reads a segment in columns, record by record where it is damaged.
type columnSalvage struct {
	f      *columns.File
	strict bool
	emit   func(dims schema.Dims, line []byte, msOfDay uint32) error
	first  error // damage
	line   []byte
}

// passes says whether reading goes on after err, and notes the first damage.
func (v *columnSalvage) passes(err error) bool {
	if v.strict || !IsDamage(err) {
		return false
	}
	if v.first == nil {
		v.first = err
	}
	return true
}

// group reads a row group.
func (v *columnSalvage) group(number int) error {
	g := v.f.Group(number)
	if err := g.Verify(); err != nil && !v.passes(err) {
		return err
	}

	row := 0
	for _, part := range v.f.Info().Groups[number].Parts {
		for range part.Rows {
			if err := v.record(g, row, part.Dims); err != nil && !v.passes(err) {
				return err
			}
			row++
		}
	}
	return nil
}

func (v *columnSalvage) record(g *columns.Group, row int, dims schema.Dims) (err error) {
	v.line, err = g.AppendLine(v.line[:0], row)
	if err != nil {
		return err
	}

	// Without its time of receipt, a record is still a record.
	received, err := g.Received(row)
	if err != nil && !v.passes(err) {
		return err
	}
	return v.emit(dims, v.line, received)
}
