package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Deletion requests lie in ForgottenDir: list files (package forget), which never change. The
// commit of a raw log adds one with the requests in it, so they are durable exactly when the
// raw log goes. With --publish-to, the object store gets the same file before.

// forgottenSuffix ends the names of list files; others are left alone.
const forgottenSuffix = ".tsv"

// readForgotten adds the list files of a backend to a set, and returns their names.
func readForgotten(ctx context.Context, files backend.Backend, set *forget.Set) (names []string, err error) {
	names, err = listForgotten(ctx, files)
	if err != nil {
		return nil, err
	}

	for _, name := range names {
		doc, err := readSmall(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			return readForgotten(ctx, files, set) // they were merged meanwhile
		}
		if err == nil {
			err = set.ParseList(doc)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return names, nil
}

// listForgotten returns the names of the list files.
func listForgotten(ctx context.Context, files backend.Backend) (names []string, err error) {
	entries, err := files.List(ctx, ForgottenDir)
	for _, entry := range entries {
		if entry.Regular && strings.HasSuffix(entry.Name, forgottenSuffix) {
			names = append(names, path.Join(ForgottenDir, entry.Name))
		}
	}
	return names, err
}

// ReadForgotten returns the clients that a data folder forgets.
func ReadForgotten(ctx context.Context, files backend.Backend) (*forget.Set, error) {
	set := &forget.Set{}
	_, err := readForgotten(ctx, files, set)
	return set, err
}

// readSmall reads a file.
func readSmall(files backend.Backend, name string) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
}

// SkipForgotten makes Readers leave out the records of the clients that the data folder
// forgets. Call it before anything else. A tree that is no data folder has none.
func (t *Tree) SkipForgotten(ctx context.Context) error {
	if !t.data {
		return nil
	}
	set := &forget.Set{}
	if _, err := readForgotten(ctx, t.files, set); err != nil {
		return err
	}
	t.forgotten = set
	return nil
}

// ForgottenChanged says whether clients were added since SkipForgotten.
func (t *Tree) ForgottenChanged(ctx context.Context) (bool, error) {
	now := &forget.Set{}
	if _, err := readForgotten(ctx, t.files, now); err != nil {
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

// forgottenRecords returns the records of a segment in rows that Readers leave out.
func (t *Tree) forgottenRecords(s Segment) (found dedup.Records, err error) {
	hits, err := t.Hits(s, t.forgotten)
	if err != nil || hits.Len() == 0 {
		return nil, err
	}

	reader, err := t.open(s, 0, -1)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	reader.forgotten = hits
	record := 0
	for {
		lines, err := reader.next.Next()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, InFile(s.Path, err)
		}
		for line := range bytes.Lines(lines) {
			if reader.isForgotten(line) {
				found = found.With(record)
			}
			record++
		}
	}
}

// forgottenRows returns the records of a part of a segment in columns that Readers leave out,
// numbered from the start of the part.
func (t *Tree) forgottenRows(s Segment, part Part) (found dedup.Records, err error) {
	hits, err := t.Hits(s, t.forgotten)
	if err != nil || hits.Len() == 0 {
		return nil, err
	}

	file, f, err := t.openColumnsFile(s)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	group := f.Group(part.Group)
	for row := part.Lo; row < part.Hi; row++ {
		forgotten, err := rowIsForgotten(group, row, hits)
		if err != nil {
			return nil, err
		}
		if forgotten {
			found = found.With(row - part.Lo)
		}
	}
	return found, nil
}

// idPaths are the paths below which records have the IDs that forget.Clients finds, and their
// namespace: so few columns are read.
var idPaths = [][]string{
	{"clientId"}, {"clientID"}, {"client_id"}, {"profileGroupId"}, {"profile_group_id"},
	{"client_info", "client_id"}, {"metrics", "uuid"}, {"metadata", "namespace"},
}

// rowIsForgotten says whether a record in columns is of one of the clients.
func rowIsForgotten(g *columns.Group, row int, set *forget.Set) (bool, error) {
	line, err := g.Odd(row)
	if err != nil {
		return false, err
	}
	if line != nil {
		forgotten, _ := set.Line(nil, line)
		return forgotten, nil
	}

	// A record of these members only.
	text := []byte{'{'}
	for _, names := range idPaths {
		text, err = appendPath(text, g, row, 0, names)
		if err != nil {
			return false, err
		}
	}
	forgotten, _ := set.HasText(nil, append(bytes.TrimSuffix(text, []byte{','}), '}'))
	return forgotten, nil
}

// appendPath appends the member of a record at a path, and a comma; nothing if there is none.
func appendPath(dst []byte, g *columns.Group, row int, node int32, names []string) ([]byte, error) {
	child := g.Child(node, names[0])
	if child < 0 {
		return dst, nil
	}
	kind, value, err := g.Kind(row, child)
	if err != nil || kind == columns.Absent {
		return dst, err
	}

	dst = append(append(append(dst, '"'), names[0]...), `":`...)
	switch {
	case kind == columns.Text:
		dst = append(dst, value...)
	case len(names) == 1:
		dst, err = g.AppendObject(dst, row, child)
	default:
		dst, err = appendPath(append(dst, '{'), g, row, child, names[1:])
		dst = append(bytes.TrimSuffix(dst, []byte{','}), '}')
	}
	return append(dst, ','), err
}

// SetClients says which IDs the record has that is added next, for a caller that knows them;
// otherwise Add looks for them.
func (w *Writer) SetClients(ids []forget.ID) {
	w.clients = append(w.clients[:0], ids...)
	w.clientsSet = true
}

// Forget makes the commit add deletion requests to those of the data folder.
func (w *Writer) Forget(requests ...forget.Request) { w.requests = append(w.requests, requests...) }

// attachRequests attaches a list file of the requests to the commit. The object store, if
// there is one, gets it now: it is not part of the commit.
func (w *Writer) attachRequests(ctx context.Context) error {
	if len(w.requests) == 0 {
		return nil
	}
	name, doc := listFile(strings.TrimSuffix(w.source, FinishedSuffix), w.requests)
	if err := w.d.uploadForgotten(ctx, name, doc); err != nil {
		return err
	}
	_, err := w.Attach(name).Write(doc)
	return err
}

// listFile returns the name and the content of a list file. Other requests get another name,
// because a raw log may come again and have less.
func listFile(source string, requests []forget.Request) (name string, doc []byte) {
	set := &forget.Set{}
	for _, request := range requests {
		set.Add(request)
	}
	doc = set.List()
	sum := sha256.Sum256(doc)
	return path.Join(ForgottenDir, source+"."+hex.EncodeToString(sum[:8])+forgottenSuffix), doc
}

func (d *Data) uploadForgotten(ctx context.Context, name string, doc []byte) error {
	if d.folder.Remote == nil {
		return nil
	}
	return d.folder.Remote.Put(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(doc)), nil })
}

// Forgotten returns the clients that the data folder forgets, with those of the object store
// that it publishes to.
func (d *Data) Forgotten(ctx context.Context) (*forget.Set, error) {
	places := []backend.Backend{backend.Local{Root: d.folder.Root}}
	if d.folder.Remote != nil {
		places = append(places, d.folder.Remote)
	}

	// List files never change, so their names say whether there is something new.
	var names []string
	for _, files := range places {
		more, err := listForgotten(ctx, files)
		if err != nil {
			return nil, err
		}
		names = append(append(names, more...), "")
	}
	d.forgotten.mu.Lock()
	defer d.forgotten.mu.Unlock()
	if d.forgotten.set != nil && slices.Equal(names, d.forgotten.names) {
		return d.forgotten.set, nil
	}

	set := &forget.Set{}
	for _, files := range places {
		if _, err := readForgotten(ctx, files, set); err != nil {
			return nil, err
		}
	}
	d.forgotten.names = names
	d.forgotten.set = set
	return set, nil
}

// forgottenCache is what was read last of the list files.
type forgottenCache struct {
	mu    sync.Mutex // protects both
	names []string
	set   *forget.Set
}

// Forget adds deletion requests to those of the data folder, durably, and to those of the
// object store that it publishes to.
func (d *Data) Forget(ctx context.Context, source string, requests ...forget.Request) error {
	name, doc := listFile(source, requests)
	if err := d.uploadForgotten(ctx, name, doc); err != nil {
		return err
	}
	return d.putForgotten(name, doc)
}

// putForgotten makes a list file.
func (d *Data) putForgotten(name string, doc []byte) error {
	disk := &d.folder.Disk
	touched := map[string]bool{ForgottenDir: true}
	if err := disk.MkdirAll(ForgottenDir, touched); err != nil {
		return err
	}

	// A former try may have left one.
	temporary := name + ".tmp"
	err := disk.Remove(temporary)
	if err == nil {
		err = disk.Append(temporary, doc)
	}
	if err == nil {
		err = disk.Sync(temporary)
	}
	if err == nil {
		err = disk.Rename(temporary, name)
	}
	if err == nil {
		err = disk.SyncDirs(touched)
	}
	return err
}

// LastForgotten returns when the data folder got its newest list file.
func (d *Data) LastForgotten() (newest time.Time, err error) {
	entries, err := fs.ReadDir(d.folder.Root.FS(), ForgottenDir)
	if errors.Is(err, fs.ErrNotExist) {
		return newest, nil
	}
	for _, entry := range entries {
		if info, infoErr := entry.Info(); infoErr == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, err
}

// maxListFiles is how many list files there may be before they become one.
const maxListFiles = 20

// MergeForgotten makes one list file of many, here and in the object store. The caller holds
// the lock of the data folder. All requests are in a file at any time.
func (d *Data) MergeForgotten(ctx context.Context) error {
	set := &forget.Set{}
	names, err := readForgotten(ctx, backend.Local{Root: d.folder.Root}, set)
	if err == nil && len(names) > maxListFiles {
		name, doc := listFile("merged", set.All())
		err = d.putForgotten(name, doc)
		names = slices.DeleteFunc(names, func(old string) bool { return old == name })
		for _, old := range names {
			if err == nil {
				err = d.folder.Remove(old)
			}
		}
	}
	if err != nil || d.folder.Remote == nil {
		return err
	}

	set = &forget.Set{}
	names, err = readForgotten(ctx, d.folder.Remote, set)
	if err != nil || len(names) <= maxListFiles {
		return err
	}
	name, doc := listFile("merged", set.All())
	err = d.uploadForgotten(ctx, name, doc)
	for _, old := range names {
		if err == nil && old != name {
			err = d.folder.Remote.Remove(ctx, old)
		}
	}
	return err
}

// Deletions are the kinds of deletion requests that the data folder knows.
func (d *Data) Deletions() *forget.Table { return d.deletions }

func (d *Data) readDeletions() (*forget.Table, error) {
	doc, err := d.folder.Root.ReadFile(DeletionFile)
	// A data folder needs no such file.
	if errors.Is(err, fs.ErrNotExist) {
		return forget.DefaultTable(), nil
	}
	if err != nil {
		return nil, err
	}
	return forget.ParseTable(doc)
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
