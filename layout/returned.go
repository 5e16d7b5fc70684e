package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// withoutMerged deals with a raw log whose name was published before and whose
// segments were merged since. Readers would ignore segments under those names,
// because the merged segment names them as replaced. So records that the merged
// segment really has (the same ID, received in the same millisecond) are left out.
// The rest, of a raw log that came back with other content, gets a name of its own.
// It returns the parts that are left.
func (w *Writer) withoutMerged(ctx context.Context, parts []*part) ([]*part, error) {
	// Many parts share a folder, which is listed once.
	merged := map[string][]Segment{} // by folder
	var left []*part
	for _, p := range parts {
		dir := path.Dir(p.final)
		if _, listed := merged[dir]; !listed {
			segments, err := w.mergedIn(ctx, dir)
			if err != nil {
				return nil, err
			}
			merged[dir] = segments
		}

		for _, seg := range merged[dir] {
			if !strings.HasPrefix(p.final, seg.Group()) {
				continue
			}
			if err := w.leaveOut(p, seg); err != nil {
				return nil, err
			}
		}

		if p.Records > 0 {
			left = append(left, p)
		}
	}
	return left, nil
}

// mergedIn lists the merged segments of a folder.
func (w *Writer) mergedIn(ctx context.Context, dir string) ([]Segment, error) {
	entries, err := w.treeOf(dir).files.List(ctx, dir)
	if err != nil {
		return nil, err
	}

	var merged []Segment
	// Only the name matters here, not the dimensions.
	for _, entry := range entries {
		seg := Segment{Path: path.Join(dir, entry.Name)}
		if entry.Regular && seg.parseSegmentName(entry.Name) && seg.Merged() {
			merged = append(merged, seg)
		}
	}
	return merged, nil
}

// treeOf is where a folder is published: quarantine stays on this machine.
func (w *Writer) treeOf(dir string) *Tree {
	if strings.HasPrefix(dir, PublishedDir) {
		return w.d.Tree()
	}

	return w.d.localTree()
}

// receipt is what makes two records the same one.
type receipt struct {
	id      segment.ID
	msOfDay uint32
}

// leaveOut makes p anew without the records that the merged segment has, if that
// one replaces the segment that p would become.
func (w *Writer) leaveOut(p *part, merged Segment) error {
	file, ix, err := w.treeOf(merged.Path).Index(merged)
	if err != nil {
		return err
	}
	defer file.Close()

	unique := uniqueOf(w.source, nil)
	if !slices.Contains(ix.Replaces, unique) {
		return nil
	}

	// Compare with all records of the merged segment, whatever raw log they came from.
	ids, err := ix.ReadIDs(file)
	if err != nil {
		return InFile(merged.Path, err)
	}
	published := map[receipt]bool{}
	for record := range ids.Len() {
		id, msOfDay := ids.At(record)
		published[receipt{id, msOfDay}] = true
	}

	content, err := w.rewrite(p, published)
	if err != nil || p.Records == 0 {
		return err
	}

	// Under the old name, readers would ignore what is left.
	p.final = strings.Replace(p.final, unique, uniqueOf(w.source, content), 1)
	return w.d.folder.Sync(p.staged)
}

// rewrite stages p again without the published records. It returns a hash of the
// records that remain.
func (w *Writer) rewrite(p *part, published map[receipt]bool) (content []byte, err error) {
	old := p.Builder
	oldStaged := p.staged
	p.staged += ".rest"
	p.Builder, err = segment.NewBuilder(w.d.folder.Appender(p.staged), w.enc)
	if err != nil {
		return nil, err
	}

	// The IDs of a Builder are in the order of its lines.
	sum := sha256.New()
	ids := old.IDs()
	record := 0
	err = w.d.eachLine(oldStaged, func(id, json []byte) error {
		recordID, msOfDay := ids.At(record)
		record++
		if published[receipt{recordID, msOfDay}] {
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

// eachLine reads a staged segment. Its name is not a segment's, so Tree.Open would not
// read it by frames.
func (d *Data) eachLine(name string, do func(id, json []byte) error) error {
	tree := newTree(d.dir, localBackend(d.folder.Root, false), true)
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
