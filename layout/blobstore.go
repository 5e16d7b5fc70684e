package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

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

// blobStore is a tree in an object store. Objects appear whole or not at all.
type blobStore struct {
	b     *blob.Bucket
	url   string
	close func() error
}

var (
	memMu   sync.Mutex // guards memBlob
	memBlob = map[string]*blob.Bucket{}
)

func openBlob(name string) (*blobStore, error) {
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
		return &blobStore{memBlob[u.Host], name, func() error { return nil }}, nil
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
	return &blobStore{b, name, b.Close}, nil
}

// retry calls f until it succeeds, fails for good, or has failed blobTries times.
func retry(ctx context.Context, f func() error) error {
	wait := 100 * time.Millisecond
	for n := 1; ; n++ {
		err := f()
		if err == nil || n == blobTries || ctx.Err() != nil {
			return err
		}
		switch gcerrors.Code(err) {
		case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.FailedPrecondition, gcerrors.InvalidArgument:
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		wait *= 4
	}
}

func (s *blobStore) list(ctx context.Context, dir string) (es []entry, err error) {
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
			e := entry{name: strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/"), dir: o.IsDir, regular: !o.IsDir, size: o.Size}
			if e.name != "" {
				es = append(es, e)
			}
		}
	})
	return es, err
}

func (s *blobStore) open(name string) (file, error) {
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
	return &blobFile{s: s, name: name, bytes: bytes}, nil
}

// blobFile reads an object by range requests. Reads that follow each other
// share one request, which the store goes on sending ahead of the reader. It
// belongs to one goroutine.
type blobFile struct {
	s     *blobStore
	name  string
	bytes int64
	r     *blob.Reader // of the request in hand; nil: none
	at    int64        // offset that r is at
}

func (f *blobFile) size() int64 { return f.bytes }

func (f *blobFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = retry(context.Background(), func() error {
		if f.r == nil || f.at != off+int64(n) {
			f.stop()
			f.at = off + int64(n)
			if f.at >= f.bytes {
				return nil
			}
			if f.r, err = f.s.b.NewRangeReader(context.Background(), f.name, f.at, -1, nil); err != nil {
				f.r = nil
				return err
			}
		}
		m, err := io.ReadFull(f.r, b[n:min(int64(len(b)), f.bytes-off)])
		n += m
		f.at += int64(m)
		if err != nil {
			f.stop()
		}
		return err
	})
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

func (f *blobFile) stop() {
	if f.r != nil {
		f.r.Close()
		f.r = nil
	}
}

func (f *blobFile) Close() error {
	f.stop()
	return nil
}

// put stores the bytes of r, of which there is a fresh one for each try.
func (s *blobStore) put(ctx context.Context, name string, content func() (io.ReadCloser, error)) error {
	return retry(ctx, func() error {
		r, err := content()
		if err != nil {
			return err
		}
		defer r.Close()
		return s.b.Upload(ctx, name, r, &blob.WriterOptions{ContentType: "application/zstd"})
	})
}

// upload stores a file of the disk.
func (s *blobStore) upload(ctx context.Context, d *disk, from, to string) error {
	return s.put(ctx, to, func() (io.ReadCloser, error) { return d.root.Open(from) })
}

// remove removes an object; one that does not exist is fine.
func (s *blobStore) remove(ctx context.Context, name string) error {
	err := retry(ctx, func() error { return s.b.Delete(ctx, name) })
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}

// PublishTo makes Commit and Recover send segments to an object store instead of
// published/; quarantine stays here. Call it right after OpenData.
func (d *Data) PublishTo(name string) error {
	if !IsURL(name) {
		return fmt.Errorf("publish to %s: want a URL", name)
	}
	s, err := openBlob(name)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", name, err)
	}
	d.remote = s
	return nil
}

// uploadAll sends the published ones of the moves to the object store and
// returns the others. A file that is gone was sent before.
func (d *Data) uploadAll(moves [][2]string) (local [][2]string, err error) {
	for _, m := range moves {
		if !strings.HasPrefix(m[1], PublishedDir+"/") {
			local = append(local, m)
			continue
		}
		if _, err := d.root.Lstat(m[0]); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := d.disk.before(opRename, m[1]); err != nil {
			return nil, err
		}
		if err := d.remote.upload(context.Background(), &d.disk, m[0], m[1]); err != nil {
			return nil, fmt.Errorf("publish to %s: %w", d.remote.url, err)
		}
		if err := d.disk.remove(m[0]); err != nil {
			return nil, err
		}
	}
	return local, nil
}
