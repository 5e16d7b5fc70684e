package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// SkipForgotten makes Readers leave out the records of the clients that the data folder
// forgets. Call it before anything else. A tree that is neither a data folder nor its
// published/ has none.
func (t *Tree) SkipForgotten(ctx context.Context) error {
	set, err := t.readForgotten(ctx)
	if err == nil {
		t.forgotten = set
	}
	return err
}

// readForgotten returns whom the data folder forgets.
func (t *Tree) readForgotten(ctx context.Context) (*forget.Set, error) {
	files := t.files
	if !t.data {
		// The list files lie beside published/, so they are none of the tree's files.
		dir := t.dataFolder()
		if dir == "" {
			return &forget.Set{}, nil
		}

		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		files = localBackend(root, true)
	}

	set := &forget.Set{}
	_, err := readForgotten(ctx, files, set)
	return set, err
}

// dataFolder returns the data folder whose published/, or a part of it or of the
// quarantine, is opened as a tree of its own; "" if there is none that forgets clients.
func (t *Tree) dataFolder() string {
	dir, err := filepath.Abs(t.name)
	if err != nil || backend.IsURL(t.name) {
		return ""
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}

	for above := filepath.Dir(dir); above != dir; dir, above = above, filepath.Dir(above) {
		if base := filepath.Base(dir); base != PublishedDir && base != QuarantineDir {
			continue
		}
		if info, err := os.Stat(filepath.Join(above, ForgottenDir)); err == nil && info.IsDir() {
			return above
		}
	}
	return ""
}

// ForgottenChanged says whether clients were added since SkipForgotten.
func (t *Tree) ForgottenChanged(ctx context.Context) (bool, error) {
	now, err := t.readForgotten(ctx)
	if err != nil {
		return false, err
	}
	return now.Sum() != t.forgotten.Sum(), nil
}

// SetForgotten is SkipForgotten for the clients that another data folder forgets.
func (t *Tree) SetForgotten(set *forget.Set) { t.forgotten = set }

// Forgotten is whose records Readers leave out.
func (t *Tree) Forgotten() *forget.Set { return t.forgotten }

// Clients returns the filter of a segment; nil if it has none, so that it must be read. A
// damaged segment has none.
func (t *Tree) Clients(s Segment) (*forget.Filter, error) {
	switch {
	case s.InColumns():
		info, err := t.columnsIndex(&s)
		if err != nil {
			return nil, unlessDamaged(err)
		}
		return forget.ParseFilter(info.Clients, info.Records), nil
	case s.Seekable() && !s.Quarantined:
		file, ix, err := t.Index(s)
		if err != nil {
			return nil, unlessDamaged(err)
		}
		file.Close()
		return forget.ParseFilter(ix.Clients, ix.Records), nil
	}
	return nil, nil
}

// unlessDamaged returns err unless reading the segment returns it too.
func unlessDamaged(err error) error {
	if IsDamage(err) || errors.Is(err, ErrNewer) {
		return nil
	}
	return err
}

// Hits returns those clients of a set that a segment may have, by its filter; all of them if
// it has none.
func (t *Tree) Hits(s Segment, set *forget.Set) (*forget.Set, error) {
	if set.Len() == 0 {
		return nil, nil
	}

	// Tasks open a segment again and again.
	key := fmt.Sprintf("%p %d %s", set, s.Size, s.Path)
	if hits, ok := t.hits.Load(key); ok {
		return hits.(*forget.Set), nil
	}
	filter, err := t.Clients(s)
	if err != nil {
		return nil, err
	}
	hits := filter.Hits(set)
	t.hits.Store(key, hits)
	return hits, nil
}

// Has says whether a segment has a record of one of the clients, by reading it; unless
// whatever is true, only if its filter says that it may.
func (t *Tree) Has(s Segment, set *forget.Set, whatever bool) (_ bool, err error) {
	hits := set
	if !whatever {
		hits, err = t.Hits(s, set)
	}
	if err != nil || hits.Len() == 0 {
		return false, err
	}

	if s.InColumns() {
		s.Parts, err = t.AllParts(s)
		if err != nil {
			return false, err
		}
	}
	reader, err := t.open(s, 0, -1)
	if err != nil {
		return false, err
	}
	defer reader.Close()
	if reader.columns != nil {
		return reader.columns.has(hits)
	}

	reader.leaveOut(hits, s.Quarantined)
	for {
		lines, err := reader.next.Next()
		for line := range bytes.Lines(lines) {
			if reader.isForgotten(line) {
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, InFile(s.Path, err)
		}
	}
}

// has says whether one of the clients is in the segment.
func (c *columnReader) has(set *forget.Set) (bool, error) {
	for {
		block, err := c.nextBlock()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, row := range block.Rows {
			found, err := rowIsForgotten(block.Group, int(row), set)
			if found || err != nil {
				return found, err
			}
		}
	}
}

// leaveOut makes the Reader leave out the records of clients.
func (r *Reader) leaveOut(set *forget.Set, quarantined bool) {
	r.forgotten = set
	r.quarantined = quarantined
	if r.columns != nil {
		r.columns.forgotten = set
	}
}

// isForgotten says whether a line is of a client that is left out.
func (r *Reader) isForgotten(line []byte) (forgotten bool) {
	if r.forgotten.Len() == 0 {
		return false
	}
	if r.quarantined {
		return RejectedIsForgotten(line, r.forgotten)
	}
	forgotten, r.clients = r.forgotten.Line(r.clients, line)
	return forgotten
}

// RejectedIsForgotten says whether the line of a quarantined submission is of one of the
// clients.
func RejectedIsForgotten(line []byte, set *forget.Set) bool {
	_, doc, _ := bytes.Cut(line, []byte{'\t'})
	rejected, err := ParseRejected(doc)
	if err != nil {
		return false
	}
	return SubmissionIsForgotten(rejected.Path, rejected.Body, set)
}

// SubmissionIsForgotten says whether a submission, as it was received, is of one of the
// clients.
func SubmissionIsForgotten(submissionPath string, body []byte, set *forget.Set) bool {
	if set.Len() == 0 {
		return false
	}
	ids, _ := forget.Clients(nil, forget.Unpack(body))
	submitted, ok := schema.ParseSubmissionPath(submissionPath)
	if !ok {
		submitted.Namespace = schema.TelemetryNamespace
	}
	return set.Has(ids, submitted.Namespace)
}

// FileSegment returns the Segment of a file by its path below a folder that keeps paths, such
// as a run in the trash, or, where that says nothing, by its first bytes.
func (t *Tree) FileSegment(name, origin string) (Segment, error) {
	file, err := t.files.Open(name)
	if err != nil {
		return Segment{}, err
	}
	defer file.Close()
	var head [4]byte
	if _, err := file.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return Segment{}, err
	}

	seg, named := parsePath(origin)
	if columnsSeg, ok := parseColumnsName(path.Base(origin)); ok {
		seg, named = columnsSeg, true
	}
	if !named {
		seg = Segment{Version: StorageVersion}
		switch {
		case string(head[:]) == "PAR1":
			seg.ext = columns.Extension
		case bytes.Equal(head[:], []byte{0x28, 0xb5, 0x2f, 0xfd}):
			seg.ext = "zst"
		case bytes.HasPrefix(head[:], []byte{0x1f, 0x8b}):
			seg.ext = "gz"
		}
	}
	seg.Path = name
	seg.Size = file.Size()
	return seg, nil
}
