package layout

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

const (
	// lockDir holds the locks of compaction in an object store: lock/<n>, each
	// made once, by a conditional write. The greatest n has the say.
	lockDir = StateDir + "/lock"
	// A lock that was not renewed for so long belongs to a process that died.
	lockStale = 15 * time.Minute
)

// CompactURL is Data.Compact for a data folder in an object store. Replaced
// objects stay where they are until the grace period is over; readers ignore them.
func CompactURL(ctx context.Context, name string, o CompactOptions) (st CompactStats, err error) {
	s, err := openBlob(name)
	if err != nil {
		return st, err
	}
	defer s.close()
	dir, err := os.MkdirTemp("", "compact-")
	if err != nil {
		return st, err
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return st, err
	}
	defer root.Close()
	return s.compact(ctx, &disk{root: root}, o)
}

// ExpireURL is Data.Expire for a data folder in an object store.
func ExpireURL(ctx context.Context, name string, before time.Time, dryRun bool) ([]Segment, error) {
	s, err := openBlob(name)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.expire(ctx, before.UTC().AddDate(0, 0, -1).Format("20060102"), dryRun)
}

// compact merges with the help of a folder of this machine. Nothing needs a
// commit file: an object appears whole, and what it replaces is ignored from then
// on. The names of replaced objects are kept, to remove them when grace is over.
func (s *blobStore) compact(ctx context.Context, scratch *disk, o CompactOptions) (st CompactStats, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return st, fmt.Errorf("compact: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := scratch.mkdirAll(CompactDir, map[string]bool{}); err != nil {
		return st, err
	}
	skip, err := s.purge(ctx, o)
	if err != nil {
		return st, fmt.Errorf("compact: %w", err)
	}
	c := compactor{t: newTree(s.url, s, true), disk: scratch, o: o, st: &st, skip: skip, commit: func(ctx context.Context, batch commit) error {
		for _, r := range batch.Rename {
			staged := path.Join(CompactDir, r[0])
			if err := s.upload(ctx, scratch, staged, r[1]); err != nil {
				return err
			}
			if err := scratch.remove(staged); err != nil {
				return err
			}
		}
		if o.Grace == 0 {
			return s.removeAll(ctx, batch.Remove)
		}
		b, err := json.Marshal(batch.Remove)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s/%d-%s", ReplacedDir, o.Now.Unix(), rand.Text())
		return s.put(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
	}}
	if err := c.run(ctx); err != nil {
		return st, fmt.Errorf("compact: %w", err)
	}
	return st, errors.Join(c.damage...)
}

// purge removes what was replaced longer ago than the grace period and returns
// what will be removed later.
func (s *blobStore) purge(ctx context.Context, o CompactOptions) (later map[string]bool, err error) {
	later = map[string]bool{}
	es, err := s.list(ctx, ReplacedDir)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		name := path.Join(ReplacedDir, e.name)
		var b []byte
		err := retry(ctx, func() (err error) { b, err = s.b.ReadAll(ctx, name); return err })
		if err != nil {
			return nil, err
		}
		var paths []string
		if err := json.Unmarshal(b, &paths); err != nil {
			return nil, &CorruptError{Path: name, Err: err}
		}
		sec, _, _ := strings.Cut(e.name, "-")
		at, err := strconv.ParseInt(sec, 10, 64)
		if err != nil || o.DryRun || at > o.Now.Add(-o.Grace).Unix() {
			for _, p := range paths {
				later[p] = true
			}
			continue
		}
		if err := s.removeAll(ctx, append(paths, name)); err != nil {
			return nil, err
		}
	}
	return later, nil
}

func (s *blobStore) removeAll(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// expire is Data.expire.
func (s *blobStore) expire(ctx context.Context, last string, dryRun bool) (gone []Segment, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w := walk{t: newTree(s.url, s, true), f: upTo(last)}
	if err := w.all(ctx); err != nil || dryRun {
		return w.found, err
	}
	for _, seg := range slices.Concat(w.hidden, w.found) {
		if err := s.remove(ctx, seg.Path); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

// lock takes the lock of compaction by making the object after the greatest one,
// if that is free or stale; of several that try, one succeeds. It is renewed
// until unlock is called. A holder that was suspended for longer than lockStale
// may meet another one.
func (s *blobStore) lock(ctx context.Context) (unlock func() error, err error) {
	es, err := s.list(ctx, lockDir)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, e := range es {
		if i, err := strconv.Atoi(e.name); err == nil {
			n = max(n, i)
		}
	}
	if n > 0 {
		a, err := s.b.Attributes(ctx, lockName(n))
		if err != nil {
			return nil, err
		}
		if a.Size > 0 && time.Since(a.ModTime) < lockStale {
			return nil, fmt.Errorf("lock %s: %w", s.url, ErrBusy)
		}
	}
	held := lockName(n + 1)
	write := func(content string, o *blob.WriterOptions) error {
		return s.b.WriteAll(context.WithoutCancel(ctx), held, []byte(content), o)
	}
	err = write("held", &blob.WriterOptions{IfNotExist: true})
	if c := gcerrors.Code(err); c == gcerrors.FailedPrecondition || c == gcerrors.AlreadyExists {
		return nil, fmt.Errorf("lock %s: %w", s.url, ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	for i := max(1, n-10); i < n; i++ { // long gone; the last one stays
		s.remove(ctx, lockName(i))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(lockStale / 5)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				write("held", nil) // tried again soon
			}
		}
	}()
	return func() error {
		close(stop)
		<-stopped
		return write("", nil) // free
	}, nil
}

func lockName(n int) string { return path.Join(lockDir, strconv.Itoa(n)) }
