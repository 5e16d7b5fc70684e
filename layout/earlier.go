package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// withoutEarlier deals with a raw log of which something was published before: it came
// back from a backup, whole, cut short because it was copied while it was written, or
// longer than the copy that was converted. What was published is never replaced. The
// records that it has are left out of the parts, and the rest gets names of its own:
//
//	published before            is left out
//	under the name of the part  records of the same ID, received in the same millisecond
//	merged from such a segment  the same, in rows or in columns
//	rest of the same raw log    the same
//	of a raw log that began in  records whose lines are equal, byte for byte: what waited
//	the same millisecond        for its definitions is in such a log (package worker)
//
// A source that is named after its content (ReplaceEarlier) was made from the same, so
// it does take the place of the segments that have its name.
//
// It returns the parts that are left.
func (w *Writer) withoutEarlier(ctx context.Context, parts []*part) ([]*part, error) {
	// Many parts share a folder, which is listed once.
	folders := map[string][]Segment{}
	var left []*part
	for _, p := range parts {
		dir := path.Dir(p.final)
		if _, listed := folders[dir]; !listed {
			segments, err := w.segmentsIn(ctx, dir)
			if err != nil {
				return nil, err
			}
			folders[dir] = segments
		}

		if err := w.leaveOut(p, folders[dir]); err != nil {
			return nil, err
		}
		if p.Records > 0 {
			left = append(left, p)
		}
	}
	return left, nil
}

// segmentsIn lists the segments of a folder that have an index.
func (w *Writer) segmentsIn(ctx context.Context, dir string) ([]Segment, error) {
	entries, err := w.treeOf(dir).files.List(ctx, dir)
	if err != nil {
		return nil, err
	}

	var segments []Segment
	// Only the name matters here, not the dimensions.
	for _, entry := range entries {
		seg := Segment{Path: path.Join(dir, entry.Name)}
		if entry.Regular && seg.parseSegmentName(entry.Name) && seg.Seekable() {
			segments = append(segments, seg)
		}
	}
	return segments, nil
}

// treeOf is where a folder is published: quarantine stays on this machine.
func (w *Writer) treeOf(dir string) *Tree {
	if strings.HasPrefix(dir, PublishedDir) {
		return w.d.Tree()
	}

	return w.d.localTree()
}

// receipt is what makes two records of a raw log the same one.
type receipt struct {
	id      segment.ID
	msOfDay uint32
}

// earlier is what was published before of a part's records, each as often as it was.
type earlier struct {
	receipts map[receipt]int
	lines    map[[sha256.Size]byte]int
	renames  bool // the part's own name is taken, or means something that was merged
}

// has says whether a record was published, and counts it as found.
func (e *earlier) has(id, json []byte, r receipt) bool {
	if e.receipts[r] > 0 {
		e.receipts[r]--
		return true
	}
	if len(e.lines) == 0 {
		return false
	}

	line := lineSum(id, json)
	if e.lines[line] == 0 {
		return false
	}
	e.lines[line]--
	return true
}

// lineSum identifies a line.
func lineSum(id, json []byte) [sha256.Size]byte {
	line := slices.Concat(id, []byte("\t"), json)
	return sha256.Sum256(line)
}

// leaveOut makes p anew without the records that the segments of its folder have.
func (w *Writer) leaveOut(p *part, segments []Segment) error {
	found := earlier{receipts: map[receipt]int{}, lines: map[[sha256.Size]byte]int{}}
	for _, seg := range segments {
		if !strings.HasPrefix(p.final, seg.Group()) {
			continue
		}

		err := w.findEarlier(&found, p, seg)
		// Retention, or a compaction whose segment comes in the next listing.
		if errors.Is(err, fs.ErrNotExist) {
			return w.leaveOutAgain(p)
		}
		if err != nil {
			return err
		}
	}
	err := w.findInColumns(&found, p)
	if errors.Is(err, fs.ErrNotExist) {
		return w.leaveOutAgain(p)
	}
	if err != nil {
		return err
	}
	if len(found.receipts)+len(found.lines) == 0 && !found.renames {
		return nil
	}

	content, err := w.rewrite(p, &found)
	if err != nil || p.Records == 0 {
		return err
	}

	// Under the own name it would replace another one, or readers would ignore it.
	if found.renames {
		p.final = strings.Replace(p.final, uniqueOf(w.source, nil), uniqueOf(w.source, content), 1)
	}
	return w.d.folder.Sync(p.staged)
}

// leaveOutAgain is leaveOut with a new listing.
func (w *Writer) leaveOutAgain(p *part) error {
	segments, err := w.segmentsIn(context.Background(), path.Dir(p.final))
	if err != nil {
		return err
	}
	return w.leaveOut(p, segments)
}

// findEarlier adds what a segment of the part's partition has of its raw log.
func (w *Writer) findEarlier(found *earlier, p *part, seg Segment) error {
	unique := uniqueOf(w.source, nil)
	begun, _, _ := strings.Cut(unique, "_")
	isKin := func(unique string) bool { return strings.HasPrefix(unique, begun+"_") && begun != noTime }

	// The names say which segments can have something of it.
	isOwn := seg.Unique == unique
	if !seg.Merged() && (w.replace || !isOwn && !isKin(seg.Unique)) {
		return nil
	}

	file, ix, err := w.treeOf(seg.Path).Index(seg)
	if err != nil {
		return err
	}
	defer file.Close()

	if seg.Merged() {
		isOwn = slices.Contains(ix.Replaces, unique)
		if !isOwn && !slices.ContainsFunc(ix.Replaces, isKin) {
			return nil
		}
	}
	found.renames = found.renames || isOwn

	// Another raw log may have a record that only looks the same.
	if !isOwn && strings.TrimSuffix(ix.Origin.Source, FinishedSuffix) != strings.TrimSuffix(w.source, FinishedSuffix) {
		return w.findLines(found, seg.Path)
	}

	ids, err := ix.IDs(file)
	if err != nil {
		return InFile(seg.Path, err)
	}
	return ids.Each(func(ids segment.IDs) error {
		for record := range ids.Len() {
			id, msOfDay := ids.At(record)
			found.receipts[receipt{id, msOfDay}]++
		}
		return nil
	})
}

// findLines adds the lines of a segment.
func (w *Writer) findLines(found *earlier, name string) error {
	return eachLine(w.treeOf(name), name, func(id, json []byte) error {
		found.lines[lineSum(id, json)]++
		return nil
	})
}

// findInColumns is findEarlier for the segments in columns of the part's day.
func (w *Writer) findInColumns(found *earlier, p *part) error {
	if !strings.HasPrefix(p.final, PublishedDir+"/") {
		return nil
	}
	unique := uniqueOf(w.source, nil)
	begun, _, _ := strings.Cut(unique, "_")
	group := BelowTop(strings.TrimSuffix(p.final, unique+".zst"))

	// Each part of each raw log asks, so that what is known stays known.
	tree := w.treeOf(PublishedDir)
	tree.indexes = &w.d.indexes
	segments, err := tree.columnsOf(p.dims[schema.SubmissionDate])
	if err != nil {
		return err
	}
	for _, seg := range segments {
		replaced, err := tree.ColumnReplaces(seg)
		if err != nil {
			return err
		}

		isOwn, isKin := false, false
		for _, name := range replaced {
			source, ofPart := strings.CutPrefix(name, group)
			isOwn = isOwn || ofPart && source == unique+".zst"
			isKin = isKin || ofPart && begun != noTime && strings.HasPrefix(source, begun+"_")
		}
		if !isOwn && !isKin {
			continue
		}
		found.renames = found.renames || isOwn
		if err := found.addColumns(tree, seg, p.dims, isOwn); err != nil {
			return err
		}
	}
	return nil
}

// addColumns adds the records that a segment in columns has of a partition: by their
// receipts, or by their lines.
func (e *earlier) addColumns(tree *Tree, seg Segment, dims schema.Dims, receipts bool) error {
	parts, err := tree.AllParts(seg)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if part.Dims != dims {
			continue
		}
		group, err := tree.ColumnGroup(seg, part.Group)
		if err != nil {
			return err
		}

		var line []byte
		for row := part.Lo; row < part.Hi; row++ {
			if receipts {
				ids, err := groupIDs(group, row, row+1)
				if err != nil {
					return err
				}
				id, msOfDay := ids.At(0)
				e.receipts[receipt{id, msOfDay}]++
				continue
			}
			line, err = group.AppendLine(line[:0], row)
			if err != nil {
				return err
			}
			e.lines[sha256.Sum256(line)]++
		}
	}
	return nil
}

// rewrite stages p again without the records that were published. It returns a hash of
// the records that remain.
func (w *Writer) rewrite(p *part, found *earlier) (content []byte, err error) {
	oldStaged := p.staged
	p.staged += ".rest"
	p.Builder, err = segment.NewBuilder(w.d.folder.Appender(p.staged), w.enc)
	if err != nil {
		return nil, err
	}
	p.Origin = w.origin

	// The IDs are in the order of the lines.
	sum := sha256.New()
	staged := newTree(w.d.dir, localBackend(w.d.folder.Root, false), true)
	file, ix, err := staged.Index(Segment{Path: oldStaged})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ids, err := ix.IDs(file)
	if err != nil {
		return nil, err
	}
	err = eachLine(staged, oldStaged, func(id, json []byte) error {
		next, err := ids.Next(1)
		if err != nil {
			return err
		}
		recordID, msOfDay := next.At(0)
		if found.has(id, json, receipt{recordID, msOfDay}) {
			return nil
		}

		sum.Write(id)
		sum.Write(json)
		return p.Add(id, json, msOfDay)
	})
	if err != nil {
		return nil, err
	}

	return sum.Sum(nil), p.Finish()
}

// eachLine reads a segment that has an index, whatever its name: the name of a staged
// one is not a segment's.
func eachLine(tree *Tree, name string, do func(id, json []byte) error) error {
	file, ix, err := tree.Index(Segment{Path: name})
	if err != nil {
		return err
	}
	defer file.Close()

	frames := segment.NewFrames(file, ix.Frames)
	for {
		lines, err := frames.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return InFile(name, err)
		}

		// Each line ends with a newline: Frames checked that.
		for line := range bytes.Lines(lines) {
			id, json, _ := bytes.Cut(line[:len(line)-1], []byte("\t"))
			if err := do(id, json); err != nil {
				return err
			}
		}
	}
}

// superseded says whether a file that was published, and is gone, was merged into
// another one or is in the trash. Files of state/ are no records: what has become of
// them does not matter.
func (d *Data) superseded(name string) (bool, error) {
	tree := d.Tree()
	switch {
	case strings.HasPrefix(name, StateDir+"/"):
		return true, nil
	case strings.HasPrefix(name, QuarantineDir+"/"):
		tree = d.localTree()
	case !strings.HasPrefix(name, PublishedDir+"/"):
		return false, nil
	}

	var gone Segment
	if !gone.parseSegmentName(path.Base(name)) {
		return false, nil
	}
	merged, err := tree.isMerged(name, gone)
	if err != nil || merged {
		return merged, err
	}
	inColumns, err := tree.isInColumns(name, gone)
	if err != nil || inColumns {
		return inColumns, err
	}
	return tree.isInTrash(name)
}

// isMerged says whether a merged segment of the same folder names one that is gone.
func (t *Tree) isMerged(name string, gone Segment) (bool, error) {
	dir := path.Dir(name)
	entries, err := t.files.List(context.Background(), dir)
	if err != nil {
		return false, err
	}

	for _, entry := range entries {
		merged := Segment{Path: path.Join(dir, entry.Name)}
		if !entry.Regular || !merged.parseSegmentName(entry.Name) || !merged.Merged() || merged.Dims != gone.Dims {
			continue
		}

		file, ix, err := t.Index(merged)
		if err != nil {
			return false, err
		}
		file.Close()
		if slices.Contains(ix.Replaces, gone.Unique) {
			return true, nil
		}
	}
	return false, nil
}

// isInTrash says whether retention removed a file, by any of its runs.
func (t *Tree) isInTrash(name string) (bool, error) {
	runs, err := t.files.List(context.Background(), TrashDir)
	if err != nil {
		return false, err
	}

	for _, run := range runs {
		file, err := t.files.Open(path.Join(TrashDir, run.Name, name))
		if err == nil {
			return true, file.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// isInColumns says whether a segment in columns names one that is gone.
func (t *Tree) isInColumns(name string, gone Segment) (bool, error) {
	segments, err := t.columnsOf(gone.Dims[schema.SubmissionDate])
	if err != nil {
		return false, err
	}
	for _, seg := range segments {
		replaced, err := t.ColumnReplaces(seg)
		if err != nil {
			return false, err
		}
		if slices.Contains(replaced, BelowTop(name)) {
			return true, nil
		}
	}
	return false, nil
}
