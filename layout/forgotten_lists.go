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
	"github.com/aitgithub/telemetry-server/layout/forget"
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
