package backend

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/aitgithub/telemetry-server/layout/backend/objects"
)

// IsURL says whether a tree's name is the URL of an object store:
// s3://bucket/prefix?region=…, file:///folder, or mem://name for tests.
func IsURL(name string) bool { return strings.Contains(name, "://") }

// blobTries is how often a request to an object store is made. The last one follows
// the first after nine seconds, if each fails at once.
const blobTries = 5

// Blob is a tree in an object store. Objects appear whole or not at all. It is
// safe for concurrent use.
type Blob struct {
	store objects.Store
	url   string
}

// URL is the name that OpenBlob was called with.
func (s *Blob) URL() string { return s.url }

// Close ends the use of the store.
func (s *Blob) Close() error { return s.store.Close() }

// OpenBlob opens an object store, see IsURL. The caller closes it.
func OpenBlob(name string) (*Blob, error) {
	store, err := objects.Open(name)
	if err != nil {
		return nil, err
	}
	return &Blob{store, name}, nil
}

// retry calls f until it succeeds, fails for good, or has failed blobTries times.
func retry(ctx context.Context, f func() error) error {
	pauses := &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 4, MaxInterval: time.Minute}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f()
		if objects.Final(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(blobTries), backoff.WithMaxElapsedTime(0))
	return err
}

// List implements Backend.
func (s *Blob) List(ctx context.Context, dir string) (es []Entry, err error) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var found []objects.Entry
	err = retry(ctx, func() (err error) {
		found, err = s.store.List(ctx, prefix)
		return err
	})
	if err != nil {
		return nil, err
	}

	for _, e := range found {
		es = append(es, Entry{Name: e.Name, Dir: e.Dir, Regular: !e.Dir, Size: e.Bytes})
	}
	slices.SortFunc(es, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return es, nil
}

// stat describes an object.
func (s *Blob) stat(ctx context.Context, name string) (info objects.Info, err error) {
	err = retry(ctx, func() error {
		info, err = s.store.Stat(ctx, name)
		return err
	})
	return info, err
}

// Open implements Backend.
func (s *Blob) Open(name string) (File, error) {
	info, err := s.stat(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return &object{s: s, name: name, bytes: info.Bytes}, nil
}

// Put stores the bytes that content returns. An error means that nothing can be said of
// the object: it is as it was, or new, or gone because the store damaged it.
func (s *Blob) Put(ctx context.Context, name string, content func() (io.ReadCloser, error)) error {
	return retry(ctx, func() error { return s.store.Put(ctx, name, content, false) })
}

// Upload stores a file of the disk.
func (s *Blob) Upload(ctx context.Context, d *Disk, from, to string) error {
	return s.Put(ctx, to, func() (io.ReadCloser, error) { return d.Root.Open(from) })
}

// ReadAll returns the bytes of a small object.
func (s *Blob) ReadAll(ctx context.Context, name string) (b []byte, err error) {
	err = retry(ctx, func() error {
		r, err := s.store.Get(ctx, name, 0, -1)
		if err != nil {
			return err
		}
		defer r.Close()
		if b, err = io.ReadAll(r); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return nil
	})
	return b, err
}

// Copy copies an object.
func (s *Blob) Copy(ctx context.Context, to, from string) error {
	return retry(ctx, func() error { return s.store.Copy(ctx, to, from) })
}

// EachVersion calls do with each earlier version that the store keeps of the objects below a
// folder, the removed ones too. old reads and removes that version.
func (s *Blob) EachVersion(ctx context.Context, dir string, do func(old *Blob, name string) error) error {
	var versions []objects.Version
	err := retry(ctx, func() (err error) {
		versions, err = s.store.Versions(ctx, dir+"/")
		return err
	})
	for _, version := range versions {
		if err == nil {
			err = do(&Blob{s.store.At(version), s.url}, version.Name)
		}
	}
	return err
}

// Remove removes an object; one that does not exist is fine.
func (s *Blob) Remove(ctx context.Context, name string) error {
	return retry(ctx, func() error { return s.store.Delete(ctx, name) })
}
