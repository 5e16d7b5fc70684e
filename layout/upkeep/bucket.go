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
	"strconv"
	"strings"

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

// replace leaves what is gone where it is until the grace period is over; the
// names are kept in state/replaced.
func (s *bucket) replace(ctx context.Context, put [][2]string, gone []string, o CompactOptions) error {
	if err := s.held.Held(ctx); err != nil {
		return err
	}
	for _, m := range put {
		staged := path.Join(layout.CompactDir, m[0])
		if err := s.b.Upload(ctx, s.scratch(), staged, m[1]); err != nil {
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
	later = map[string]bool{}
	es, err := s.b.List(ctx, layout.ReplacedDir)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		name := path.Join(layout.ReplacedDir, e.Name)
		b, err := s.b.ReadAll(ctx, name)
		if err != nil {
			return nil, err
		}
		var paths []string
		if err := json.Unmarshal(b, &paths); err != nil {
			return nil, &layout.CorruptError{Path: name, Err: err}
		}
		sec, _, _ := strings.Cut(e.Name, "-")
		at, err := strconv.ParseInt(sec, 10, 64)
		if err != nil || o.DryRun || at > o.Now.Add(-o.Grace).Unix() {
			for _, p := range paths {
				later[p] = true
			}
			continue
		}
		if err := s.remove(ctx, append(paths, name)); err != nil {
			return nil, err
		}
	}
	return later, nil
}

func (s *bucket) keep(ctx context.Context, name, second string) error {
	es, err := s.b.List(ctx, path.Dir(second))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(es, func(e backend.Entry) bool { return e.Name == path.Base(second) }) {
		return fmt.Errorf("%s: %w", second, fs.ErrExist)
	}
	return s.b.Copy(ctx, second, name)
}

func (s *bucket) remove(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.b.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
