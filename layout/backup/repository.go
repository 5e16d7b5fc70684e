package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

const (
	objectsDir   = "objects"
	snapshotsDir = "snapshots"
	// snapshotVersion is the version of the JSON of a snapshot.
	snapshotVersion = 1
)

// Repository is where snapshots are. It is safe for concurrent use.
type Repository struct {
	store *backend.Blob
	name  string

	mu     sync.Mutex
	stored map[string]map[string]bool // objects, by folder; those folders that were listed
}

// Open opens a repository: a folder, or an object store if name is a URL. It is made when
// the first snapshot is. The caller closes it.
func Open(name string) (*Repository, error) {
	address := name
	if !backend.IsURL(name) {
		dir, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		address = (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	}

	store, err := backend.OpenBlob(address)
	if err != nil {
		return nil, fmt.Errorf("open backup %s: %w", name, err)
	}
	return &Repository{store: store, name: name, stored: map[string]map[string]bool{}}, nil
}

// Close releases the repository.
func (r *Repository) Close() error { return r.store.Close() }

// File is one file of a snapshot.
type File struct {
	Path     string    `json:"path"` // relative to the data folder
	Bytes    int64     `json:"bytes"`
	SHA256   string    `json:"sha256"` // 64 hex digits; the content is the object of that name
	Modified time.Time `json:"modified"`
}

// object is where the file's content is.
func (f File) object() string { return path.Join(objectsDir, f.SHA256[:2], f.SHA256) }

// Snapshot is what a data folder had.
type Snapshot struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"` // when the backup began
	Files   []File    `json:"files"`
}

// Bytes is the sum of the sizes of the files.
func (s *Snapshot) Bytes() (total int64) {
	for _, file := range s.Files {
		total += file.Bytes
	}
	return total
}

// Snapshots returns the names of the snapshots, the oldest first. They are numbered in
// the order in which they were made, whatever the clock said.
func (r *Repository) Snapshots(ctx context.Context) ([]string, error) {
	entries, err := r.store.List(ctx, snapshotsDir)
	if err != nil {
		return nil, err
	}

	var names []string
	for _, entry := range entries {
		if numberOf(entry.Name) > 0 {
			names = append(names, entry.Name)
		}
	}
	return names, nil
}

// numberOf returns the number of a snapshot; 0 for another name.
func numberOf(name string) int {
	number, _, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	if err != nil || strings.Count(name, "-") != 2 {
		return 0
	}
	return n
}

// ErrNoSnapshot is returned (wrapped) for a snapshot that is not there.
var ErrNoSnapshot = errors.New("no snapshot")

// Find returns the name of a snapshot: of the newest for "latest", else of the one with
// that number or name.
func (r *Repository) Find(ctx context.Context, which string) (string, error) {
	names, err := r.Snapshots(ctx)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s: %w", r.name, ErrNoSnapshot)
	}
	if which == "latest" {
		return names[len(names)-1], nil
	}

	for _, name := range names {
		if name == which || strconv.Itoa(numberOf(name)) == which {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: %w %q", r.name, ErrNoSnapshot, which)
}

// Load reads a snapshot. Damage is a *layout.CorruptError.
func (r *Repository) Load(ctx context.Context, name string) (*Snapshot, error) {
	file := path.Join(snapshotsDir, name)
	text, err := r.store.ReadAll(ctx, file)
	if err != nil {
		return nil, err
	}

	if !strings.HasSuffix(name, "-"+nameSum(text)) {
		return nil, &layout.CorruptError{Path: file, Err: fmt.Errorf("the content does not have the checksum in the name")}
	}
	var s Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, &layout.CorruptError{Path: file, Err: err}
	}
	if s.Version != snapshotVersion {
		return nil, fmt.Errorf("%s: version %d is newer than this program, which reads %d", file, s.Version, snapshotVersion)
	}
	for _, file := range s.Files {
		if len(file.SHA256) != sha256.Size*2 {
			return nil, &layout.CorruptError{Path: path.Join(snapshotsDir, name), Err: fmt.Errorf("%s has no checksum", file.Path)}
		}
	}
	return &s, nil
}

// nameSum is the part of a snapshot's name that its content gives.
func nameSum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// add stores a snapshot, whose objects are all there, and returns its name.
func (r *Repository) add(ctx context.Context, s *Snapshot) (string, error) {
	s.Version = snapshotVersion
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}

	names, err := r.Snapshots(ctx)
	if err != nil {
		return "", err
	}
	number := 1
	if len(names) > 0 {
		number = numberOf(names[len(names)-1]) + 1
	}

	// Eight digits, so that names sort by number.
	name := fmt.Sprintf("%08d-%s-%s", number, s.Time.UTC().Format("20060102T150405Z"), nameSum(text))
	err = r.store.Put(ctx, path.Join(snapshotsDir, name), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	})
	return name, err
}

// has says whether an object is stored.
func (r *Repository) has(ctx context.Context, f File) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	// One listing for each of 256 folders, instead of a request for each object.
	dir := path.Dir(f.object())
	if r.stored[dir] == nil {
		entries, err := r.store.List(ctx, dir)
		if err != nil {
			return false, err
		}
		r.stored[dir] = map[string]bool{}
		for _, entry := range entries {
			r.stored[dir][entry.Name] = true
		}
	}
	return r.stored[dir][f.SHA256], nil
}

// put stores the content of a file.
func (r *Repository) put(ctx context.Context, f File, content func() (io.ReadCloser, error)) error {
	if err := r.store.Put(ctx, f.object(), content); err != nil {
		return err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[path.Dir(f.object())][f.SHA256] = true
	return nil
}

// read copies the content of a file to w, and checks it. Damage is a
// *layout.CorruptError.
func (r *Repository) read(f File, w io.Writer) error {
	object, err := r.store.Open(f.object())
	if err != nil {
		return fmt.Errorf("%s (of %s): %w", f.object(), f.Path, err)
	}
	defer object.Close()

	sum := sha256.New()
	object.Ahead(0, object.Size())
	if _, err := io.Copy(io.MultiWriter(w, sum), io.NewSectionReader(object, 0, object.Size())); err != nil {
		return fmt.Errorf("%s (of %s): %w", f.object(), f.Path, err)
	}
	if object.Size() != f.Bytes || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return &layout.CorruptError{Path: f.object(), Err: fmt.Errorf("not the %d bytes that were stored of %s", f.Bytes, f.Path)}
	}
	return nil
}
