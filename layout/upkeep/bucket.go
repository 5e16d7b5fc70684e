package upkeep

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// bucket is the site of a data folder in an object store. Segments are made in a
// folder of this machine. Nothing needs a commit file: an object appears whole,
// and what it replaces is ignored from then on.
type bucket struct {
	b     *backend.Blob
	local *backend.Folder
	held  *backend.Lock // while locked
}

func (s *bucket) lock(ctx context.Context) (func() error, error) {
	// The folder for scratch files may be a data folder's, which other processes use.
	lock, err := s.local.Stage(layout.CompactDir)
	if err != nil {
		return nil, err
	}

	held, err := s.b.Lock(ctx, layout.LockDir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}

	s.held = held
	return func() error { return errors.Join(held.Unlock(), lock.Close()) }, nil
}

func (s *bucket) scratch() *backend.Disk { return &s.local.Disk }

// replace uploads the staged files. What is gone stays in its place until the grace
// period is over; state/replaced has a list of its names.
func (s *bucket) replace(ctx context.Context, put [][2]string, gone []string, o CompactOptions) error {
	// Another process may hold the lock by now, if this one was stopped for a while.
	if err := s.held.Held(ctx); err != nil {
		return err
	}

	for _, move := range put {
		staged := path.Join(layout.CompactDir, move[0])
		if err := s.b.Upload(ctx, s.scratch(), staged, move[1]); err != nil {
			return err
		}
		if err := s.scratch().Remove(staged); err != nil {
			return err
		}
	}
	if o.Grace == 0 {
		return s.remove(ctx, gone)
	}

	names, err := json.Marshal(gone)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s/%d-%s", layout.ReplacedDir, o.Now.Unix(), rand.Text())
	return s.b.Put(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(names)), nil })
}

func (s *bucket) purge(ctx context.Context, o CompactOptions) (later map[string]bool, err error) {
	entries, err := s.b.List(ctx, layout.ReplacedDir)
	if err != nil {
		return nil, err
	}

	// Each entry is the list of one replace call.
	later = map[string]bool{}
	for _, entry := range entries {
		list := path.Join(layout.ReplacedDir, entry.Name)
		replaced, err := s.readList(ctx, list)
		if err != nil {
			return nil, err
		}

		if o.DryRun || !o.graceIsOver(entry.Name) {
			for _, name := range replaced {
				later[name] = true
			}
			continue
		}

		// The list goes last, so that an interrupted purge is repeated.
		if err := s.remove(ctx, append(replaced, list)); err != nil {
			return nil, err
		}
	}
	return later, nil
}

// readList reads the names of replaced objects that replace wrote.
func (s *bucket) readList(ctx context.Context, name string) (names []string, err error) {
	doc, err := s.b.ReadAll(ctx, name)
	if err != nil {
		return nil, err
	}

	if err := json.Unmarshal(doc, &names); err != nil {
		return nil, &layout.CorruptError{Path: name, Err: err}
	}
	return names, nil
}

func (s *bucket) preserve(ctx context.Context, name, second string) error {
	entries, err := s.b.List(ctx, path.Dir(second))
	if err != nil {
		return err
	}

	// The lock is held, so no other process can add the object after this.
	if slices.ContainsFunc(entries, func(e backend.Entry) bool { return e.Name == path.Base(second) }) {
		return fmt.Errorf("%s: %w", second, fs.ErrExist)
	}
	return s.b.Copy(ctx, second, name)
}

func (s *bucket) move(ctx context.Context, moves [][2]string) error {
	// Another process may hold the lock by now, if this one was stopped for a while.
	if err := s.held.Held(ctx); err != nil {
		return err
	}

	for _, move := range moves {
		err := s.b.Copy(ctx, move[1], move[0])
		if err == nil {
			err = s.b.Remove(ctx, move[0])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *bucket) remove(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.b.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *bucket) files() backend.Backend { return s.b }

func (s *bucket) load(ctx context.Context, name string) ([]byte, error) {
	return s.b.ReadAll(ctx, name)
}

func (s *bucket) save(ctx context.Context, name string, doc []byte) error {
	return s.b.Put(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(doc)), nil })
}
