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
// segments were merged since: readers take what comes under their names for what
// the merged segment has. So records that it really has (the same ID, received in
// the same millisecond) are left out, and the rest, of a raw log that came back
// with other content, gets a name of its own. It returns the parts that are left.
func (w *Writer) withoutMerged(ctx context.Context, parts []*part) ([]*part, error) {
	merged := map[string][]Segment{} // by folder
	var left []*part
	for _, p := range parts {
		dir := path.Dir(p.final)
		if _, ok := merged[dir]; !ok {
			segs, err := w.mergedIn(ctx, dir)
			if err != nil {
				return nil, err
			}
			merged[dir] = segs
		}
		for _, s := range merged[dir] {
			if strings.HasPrefix(p.final, s.Group()) {
				if err := w.leaveOut(p, s); err != nil {
					return nil, err
				}
			}
		}
		if p.Records > 0 {
			left = append(left, p)
		}
	}
	return left, nil
}

// mergedIn lists the merged segments of a folder.
func (w *Writer) mergedIn(ctx context.Context, dir string) (segs []Segment, err error) {
	es, err := w.treeOf(dir).files.List(ctx, dir)
	for _, e := range es {
		s := Segment{Path: path.Join(dir, e.Name)}
		if e.Regular && s.parseSegmentName(e.Name) && s.Merged() {
			segs = append(segs, s)
		}
	}
	return segs, err
}

// treeOf is where a folder is published: quarantine stays here.
func (w *Writer) treeOf(dir string) *Tree {
	if w.d.folder.Remote != nil && !strings.HasPrefix(dir, PublishedDir) {
		return newTree(w.d.dir, localStore(w.d.folder.Root, true), true)
	}
	return w.d.Tree()
}

// leaveOut makes p anew without the records that the merged segment has, if that
// one replaces the segment that p would become.
func (w *Writer) leaveOut(p *part, merged Segment) error {
	f, ix, err := w.treeOf(merged.Path).Index(merged)
	if err != nil {
		return err
	}
	defer f.Close()
	unique := uniqueOf(w.source, nil)
	if !slices.Contains(ix.Replaces, unique) {
		return nil
	}
	ids, err := ix.ReadIDs(f)
	if err != nil {
		return InFile(merged.Path, err)
	}
	type record struct {
		id      segment.ID
		msOfDay uint32
	}
	has := map[record]bool{}
	for i := range ids.Len() {
		id, ms := ids.At(i)
		has[record{id, ms}] = true
	}
	staged := p.staged
	p.staged += ".rest"
	old, rest := p.Builder, (*segment.Builder)(nil)
	if rest, err = segment.NewBuilder(w.d.folder.Appender(p.staged), w.enc); err != nil {
		return err
	}
	p.Builder = rest
	content := sha256.New()
	all := old.IDs()
	n := 0
	err = w.d.eachLine(staged, func(id, json []byte) error {
		rid, ms := all.At(n)
		n++
		if has[record{rid, ms}] {
			return nil
		}
		content.Write(id)
		content.Write(json)
		return rest.Add(id, json, ms)
	})
	if err == nil {
		err = rest.Finish()
	}
	if err == nil && rest.Records > 0 {
		p.final = strings.Replace(p.final, unique, uniqueOf(w.source, content.Sum(nil)), 1)
		err = w.d.folder.Sync(p.staged)
	}
	return err
}

// eachLine reads a file in the form of a segment.
func (d *Data) eachLine(name string, do func(id, json []byte) error) error {
	t := newTree(d.dir, localStore(d.folder.Root, false), true)
	f, ix, err := t.Index(Segment{Path: name})
	if err != nil {
		return err
	}
	defer f.Close()
	for frames := segment.NewFrames(f, ix.Frames); ; {
		b, err := frames.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return InFile(name, err)
		}
		for l := range bytes.Lines(b) {
			id, json, _ := bytes.Cut(l[:len(l)-1], []byte("\t"))
			if err := do(id, json); err != nil {
				return err
			}
		}
	}
}
