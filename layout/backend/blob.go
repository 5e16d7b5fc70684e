package backend

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	"gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"
)

// IsURL says whether a tree's name is the URL of an object store:
// s3://bucket/prefix?region=…, file:///folder, or mem://name for tests.
func IsURL(name string) bool { return strings.Contains(name, "://") }

// blobTries is how often a request to an object store is made; the AWS library
// repeats some by itself.
const blobTries = 4

// Blob is a tree in an object store. Objects appear whole or not at all. It is
// safe for concurrent use.
type Blob struct {
	b     *blob.Bucket
	url   string
	close func() error
}

// URL is the name that OpenBlob was called with.
func (s *Blob) URL() string { return s.url }

// Close ends the use of the store.
func (s *Blob) Close() error { return s.close() }

var (
	memMu   sync.Mutex // guards memBlob
	memBlob = map[string]*blob.Bucket{}
)

// OpenBlob opens an object store, see IsURL. The caller closes it.
func OpenBlob(name string) (*Blob, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	prefix := strings.Trim(u.Path, "/")
	q := u.Query()
	switch u.Scheme {
	case "mem":
		memMu.Lock()
		defer memMu.Unlock()
		if memBlob[u.Host] == nil {
			memBlob[u.Host] = memblob.OpenBucket(nil)
		}
		return &Blob{memBlob[u.Host], name, func() error { return nil }}, nil
	case "file":
		// Plain files, renamed into place in their own folder.
		prefix = ""
		q.Set("create_dir", "true")
		q.Set("no_tmp_dir", "true")
		q.Set("metadata", "skip")
	default:
		u.Path = ""
	}
	u.RawQuery = q.Encode()
	b, err := blob.OpenBucket(context.Background(), u.String())
	if err != nil {
		return nil, err
	}
	if prefix != "" {
		b = blob.PrefixedBucket(b, prefix+"/")
	}
	return &Blob{b, name, b.Close}, nil
}

// retry calls f until it succeeds, fails for good, or has failed blobTries times.
func retry(ctx context.Context, f func() error) error {
	pauses := &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 4, MaxInterval: time.Minute}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f()
		switch gcerrors.Code(err) {
		case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.FailedPrecondition, gcerrors.InvalidArgument:
			return struct{}{}, backoff.Permanent(err)
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
	err = retry(ctx, func() error {
		es = es[:0]
		it := s.b.List(&blob.ListOptions{Prefix: prefix, Delimiter: "/"})
		for { // pages of a thousand
			o, err := it.Next(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			e := Entry{Name: strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/"), Dir: o.IsDir, Regular: !o.IsDir, Size: o.Size}
			if e.Name != "" {
				es = append(es, e)
			}
		}
	})
	return es, err
}

// Open implements Backend.
func (s *Blob) Open(name string) (File, error) {
	var bytes int64
	err := retry(context.Background(), func() error {
		a, err := s.b.Attributes(context.Background(), name)
		if err == nil {
			bytes = a.Size
		}
		return err
	})
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return &object{s: s, name: name, bytes: bytes}, nil
}

// Put stores the bytes of r, of which there is a fresh one for each try.
func (s *Blob) Put(ctx context.Context, name string, content func() (io.ReadCloser, error)) error {
	return retry(ctx, func() error {
		r, err := content()
		if err != nil {
			return err
		}
		defer r.Close()
		return s.b.Upload(ctx, name, r, &blob.WriterOptions{ContentType: "application/zstd"})
	})
}

// Upload stores a file of the disk.
func (s *Blob) Upload(ctx context.Context, d *Disk, from, to string) error {
	return s.Put(ctx, to, func() (io.ReadCloser, error) { return d.Root.Open(from) })
}

// ReadAll returns the bytes of a small object.
func (s *Blob) ReadAll(ctx context.Context, name string) (b []byte, err error) {
	err = retry(ctx, func() error {
		b, err = s.b.ReadAll(ctx, name)
		return err
	})
	return b, err
}

// Copy copies an object.
func (s *Blob) Copy(ctx context.Context, to, from string) error {
	return retry(ctx, func() error { return s.b.Copy(ctx, to, from, nil) })
}

// Remove removes an object; one that does not exist is fine.
func (s *Blob) Remove(ctx context.Context, name string) error {
	err := retry(ctx, func() error { return s.b.Delete(ctx, name) })
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}
