package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Store keeps objects by name. An object appears whole or not at all. Names use "/".
// It is safe for concurrent use. Errors are of type *Error.
type Store interface {
	// Get returns the bytes from an offset to another one, which is at most the
	// object's size; to < 0 is the object's end. The caller closes the reader.
	Get(ctx context.Context, name string, from, to int64) (io.ReadCloser, error)
	// Put stores an object. With create, the error wraps fs.ErrExist when there is one
	// of that name already; of several that create it at once, one succeeds.
	Put(ctx context.Context, name string, content Content, create bool) error
	// List returns the objects whose names begin with the prefix and have no "/" after
	// it, and, as one entry, those that share their name up to a "/" after it. The
	// prefix is "", or ends with "/". The order is not defined.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Stat describes an object.
	Stat(ctx context.Context, name string) (Info, error)
	// Copy copies an object, replacing what has the name.
	Copy(ctx context.Context, to, from string) error
	// Delete removes an object; one that does not exist is fine.
	Delete(ctx context.Context, name string) error
	// Versions returns the earlier versions that the store keeps of the objects whose names
	// begin with the prefix, the removed ones too; none if it keeps no versions.
	Versions(ctx context.Context, prefix string) ([]Version, error)
	// At returns the store whose Get, Stat and Delete are of one version. It needs no Close.
	At(version Version) Store
	// Close ends the use of the store.
	Close() error
}

// Version is an earlier version of an object.
type Version struct {
	Name  string
	Bytes int64
	ID    string
}

// Content returns a fresh reader of the same bytes at each call.
type Content func() (io.ReadCloser, error)

// Entry is one name in a listing, without the prefix.
type Entry struct {
	Name  string // without the "/" at its end
	Dir   bool   // objects that have Name and "/" in common
	Bytes int64  // 0 for a Dir
}

// Info describes an object.
type Info struct {
	Bytes    int64
	Modified time.Time
}

// Error is a request that failed.
type Error struct {
	Op   string // "get", "put", …
	Name string // of the object
	Err  error
	// Kind is fs.ErrNotExist, fs.ErrExist or fs.ErrPermission, which the error wraps;
	// nil: another one.
	Kind error
	// Final means that the same request would fail again.
	Final bool
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Name, e.Err) }

// Unwrap gives errors.Is and errors.As both the cause and its kind.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}

	return []error{e.Err, e.Kind}
}

// Final says whether the same request would fail again.
func Final(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Final
}

// Open opens the store of a URL: s3://bucket/prefix?region=… (see s3Options for the
// parameters), file:///folder, which is made when it does not exist, or mem://name. A
// parameter that the kind of store does not know is an error. The caller closes it.
func Open(name string) (Store, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", u.Redacted(), err)
	}

	switch u.Scheme {
	case "s3":
		return openBucket(u.Host, strings.Trim(u.Path, "/"), params)
	case "file":
		if err := noParameters(params); err != nil {
			return nil, err
		}
		return openFolder(u)
	case "mem":
		if err := noParameters(params); err != nil {
			return nil, err
		}
		return openMemory(u.Host), nil
	}

	return nil, fmt.Errorf("no store is known for %q; there are s3://, file:// and mem://", u.Scheme+"://")
}

// noParameters rejects the parameters of a URL whose kind of store has none.
func noParameters(params url.Values) error {
	if len(params) == 0 {
		return nil
	}

	return fmt.Errorf("unknown parameter %s: this kind of URL has none", quotedKeys(params))
}

// quotedKeys lists the names of parameters for a message.
func quotedKeys(params url.Values) string {
	var names []string
	for name := range params {
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
