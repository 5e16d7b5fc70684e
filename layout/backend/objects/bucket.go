package objects

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// maxPutBytes is what S3 takes in one request, and so the greatest object.
const maxPutBytes = 5 << 30

// bucket is a Store in an S3 bucket.
type bucket struct {
	client     *minio.Core
	transport  *http.Transport
	name       string
	prefix     string             // of all names; "" or ends with "/"
	encryption encrypt.ServerSide // nil: as the bucket says
	// trailing sends a checksum after the content of an upload, instead of before it.
	trailing bool
	version  Version // that is read and deleted; zero: the latest of each object
}

func (s *bucket) key(name string) string { return s.prefix + name }

func (s *bucket) Get(ctx context.Context, name string, from, to int64) (io.ReadCloser, error) {
	if to >= 0 && from >= to { // HTTP has no range of no bytes
		return io.NopCloser(strings.NewReader("")), nil
	}

	opts := minio.GetObjectOptions{VersionID: s.version.ID}
	ranged := from > 0 || to >= 0
	if ranged {
		if err := opts.SetRange(from, max(0, to-1)); err != nil {
			return nil, s.failure("get", name, err)
		}
	}

	body, _, header, err := s.client.GetObject(ctx, s.name, s.key(name), opts)
	if err != nil {
		return nil, s.failure("get", name, err)
	}
	// A store that ignores the range would send the whole object as if it were the part.
	if ranged && header.Get("Content-Range") == "" {
		body.Close()
		return nil, &Error{Op: "get", Name: name, Err: errors.New("the store does not serve ranges"), Final: true}
	}

	return body, nil
}

func (s *bucket) List(ctx context.Context, prefix string) (entries []Entry, err error) {
	full := s.key(prefix)
	for o := range s.client.ListObjectsIter(ctx, s.name, minio.ListObjectsOptions{Prefix: full}) {
		if o.Err != nil {
			return nil, s.failure("list", full, o.Err)
		}

		rest := strings.TrimPrefix(o.Key, full)
		name, dir := strings.CutSuffix(rest, "/")
		if name != "" { // else the mark of a folder, which some tools make
			entries = append(entries, Entry{Name: name, Dir: dir, Bytes: o.Size})
		}
	}

	return entries, failure("list", full, ctx.Err()) // the iterator ends silently then
}

func (s *bucket) Stat(ctx context.Context, name string) (Info, error) {
	// Of a version of an object that was removed, some stores say that there is no object.
	if s.version.Name == name && name != "" {
		return Info{Bytes: s.version.Bytes}, nil
	}

	o, err := s.client.StatObject(ctx, s.name, s.key(name), minio.StatObjectOptions{})
	if err != nil {
		return Info{}, s.failure("stat", name, err)
	}

	return Info{Bytes: o.Size, Modified: o.LastModified}, nil
}

func (s *bucket) Copy(ctx context.Context, to, from string) error {
	_, err := s.client.Client.CopyObject(ctx,
		minio.CopyDestOptions{Bucket: s.name, Object: s.key(to), Encryption: s.encryption},
		minio.CopySrcOptions{Bucket: s.name, Object: s.key(from)})
	return s.failure("copy", path.Join(from, " to ", to), err)
}

func (s *bucket) Delete(ctx context.Context, name string) error {
	err := s.failure("delete", name, s.client.RemoveObject(ctx, s.name, s.key(name), minio.RemoveObjectOptions{VersionID: s.version.ID}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

func (s *bucket) Versions(ctx context.Context, prefix string) (versions []Version, err error) {
	full := s.key(prefix)
	options := minio.ListObjectsOptions{Prefix: full, Recursive: true, WithVersions: true}
	for o := range s.client.ListObjectsIter(ctx, s.name, options) {
		if minio.ToErrorResponse(o.Err).Code == minio.NotImplemented {
			return nil, nil
		}
		if o.Err != nil {
			return nil, s.failure("list versions", full, o.Err)
		}

		// A mark says that an object was removed, and has no content.
		if !o.IsLatest && !o.IsDeleteMarker && o.VersionID != "" {
			versions = append(versions, Version{Name: strings.TrimPrefix(o.Key, s.prefix), Bytes: o.Size, ID: o.VersionID})
		}
	}
	return versions, failure("list versions", full, ctx.Err())
}

func (s *bucket) At(version Version) Store {
	of := *s
	of.version = version
	return &of
}

func (s *bucket) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// failure is the *Error for an error of the client; nil if that is nil.
func (s *bucket) failure(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Name: name, Err: err}

	answer := minio.ToErrorResponse(err)
	switch {
	case answer.StatusCode == 0:
		// No answer: the network, the credentials, or what the client itself rejects.
		var certificate *tls.CertificateVerificationError
		e.Final = errors.As(err, &certificate) || errors.Is(err, errNoCredentials) || answer.Code == minio.InvalidArgument
	case answer.StatusCode == http.StatusNotFound:
		if answer.Code != minio.NoSuchBucket {
			e.Kind = fs.ErrNotExist
		}
		e.Final = true
	case answer.StatusCode == http.StatusPreconditionFailed:
		e.Kind = fs.ErrExist
		e.Final = true
	case answer.StatusCode == http.StatusForbidden:
		e.Kind = fs.ErrPermission
		e.Final = true
	case passing[answer.Code]:
	default:
		e.Final = answer.StatusCode/100 == 4 && answer.StatusCode != http.StatusTooManyRequests ||
			answer.StatusCode == http.StatusNotImplemented
	}

	return e
}

// passing are the codes of answers, of the kind that blames the client, after which the
// same request may succeed.
var passing = map[string]bool{
	"BadDigest":                   true, // the content was changed on its way
	"ConditionalRequestConflict":  true, // somebody else creates the object
	"ExpiredToken":                true,
	"IncompleteBody":              true,
	"OperationAborted":            true,
	"RequestTimeout":              true,
	"SlowDown":                    true,
	"XAmzContentSHA256Mismatch":   true,
	"XAmzContentChecksumMismatch": true,
}
