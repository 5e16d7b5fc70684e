package layout

import (
	"context"
	"fmt"
	"path"
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
	Group  int    // number of the row group
	Lo, Hi int    // rows of the group
	Record int    // number of the first one in the segment
	Age    string // of the newest segment in rows that they come from, as Segment.Age; "" if unknown
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
			seg.Parts = selectedParts(info, seg.Version, w.f)
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
func selectedParts(info *columns.Info, version int, f schema.Filter) (parts []Part) {
	ages := newestReplaced(info)
	record := 0
	for number, group := range info.Groups {
		row := 0
		for _, part := range group.Parts {
			if f.Selects(part.Dims) {
				parts = append(parts, Part{
					Dims: part.Dims, Group: number, Lo: row, Hi: row + part.Rows, Record: record,
					Age: ages[partitionGroup(part.Dims, version)],
				})
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
	return selectedParts(info, s.Version, schema.All()), nil
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

// PartPath names a part of a segment for package dedup.
func PartPath(name string, part Part) string { return fmt.Sprintf("%s#%d", name, part.Record) }

// comparedParts is Compared for a segment in columns.
func (t *Tree) comparedParts(s Segment) (list []dedup.Segment) {
	for _, part := range s.Parts {
		list = append(list, dedup.Segment{Path: PartPath(s.Path, part), Dims: part.Dims, ReadIDs: func(use func(segment.IDs) error) error {
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
		}, Without: func() (dedup.Records, error) { return t.forgottenRows(s, part) }})
	}
	return list
}

// groupIDs returns the ID index of some rows.
func groupIDs(g *columns.Group, lo, hi int) (ids segment.IDs, err error) {
	err = appendIDs(&ids, g, lo, hi)
	return ids, err
}

// appendIDs adds the IDs of some rows.
func appendIDs(ids *segment.IDs, g *columns.Group, lo, hi int) error {
	for row := lo; row < hi; row++ {
		id, err := g.ID(row)
		if err != nil {
			return err
		}
		received, err := g.Received(row)
		if err != nil {
			return err
		}
		ids.Add(segment.IDOf(id), received)
	}
	return nil
}
