// Package cache is an engine.Cache in a folder: a file for each map result. When they
// grow beyond a bound, Close removes the least recently used. A file that is damaged or
// half written counts as missing.
package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

const (
	// resultSuffix marks the files that are results; others are left alone.
	resultSuffix = ".map"
	// temporarySuffix marks the files that are being written.
	temporarySuffix = ".tmp"
	// staleTemporary is the age at which a file that is being written was abandoned.
	staleTemporary = time.Hour
)

// Dir is a folder of results. It is safe for concurrent use, by several processes
// too.
type Dir struct {
	root  *os.Root
	limit int64 // bytes
	now   func() time.Time

	changed atomic.Bool // something was put, so Close has to look at the size
	put     sync.Map    // names of the files that were put
}

var _ engine.Cache = (*Dir)(nil)

// Open opens a folder of results that may hold limit bytes, and creates it if it is
// missing. The caller closes it.
func Open(dir string, limit int64) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Dir{root: root, limit: limit, now: time.Now}, nil
}

// fileName returns the name of a result's file, which holds a SHA-256, see sumOf, and the
// result.
func fileName(key [sha256.Size]byte) string { return hex.EncodeToString(key[:]) + resultSuffix }

// sumOf returns the checksum of a result under its key: a file that got the name of
// another one has the checksum of neither.
func sumOf(key [sha256.Size]byte, data []byte) [sha256.Size]byte {
	hash := sha256.New()
	hash.Write(key[:])
	hash.Write(data)
	return [sha256.Size]byte(hash.Sum(nil))
}

// Get implements engine.Cache. A result that is found counts as used now.
func (d *Dir) Get(key [sha256.Size]byte) ([]byte, bool) {
	name := fileName(key)
	file, err := d.root.ReadFile(name)
	if err != nil || len(file) < sha256.Size {
		return nil, false
	}

	// A damaged result is removed, because it would only be read again.
	data := file[sha256.Size:]
	sum := sumOf(key, data)
	if !bytes.Equal(sum[:], file[:sha256.Size]) {
		d.root.Remove(name)
		return nil, false
	}

	// The time of the file says when the result was used last; see Close.
	now := d.now()
	d.root.Chtimes(name, now, now)
	return data, true
}

// Put implements engine.Cache. A result that cannot be written is dropped.
func (d *Dir) Put(key [sha256.Size]byte, data []byte) {
	if int64(len(data)) > d.limit {
		return
	}

	// Two processes may write the same result at the same time: each has a name
	// of its own until it is complete.
	name := fileName(key)
	sum := sumOf(key, data)
	temporary := name + "." + hex.EncodeToString(sum[:4]) + "." + d.now().Format("150405.000000000") + temporarySuffix

	err := d.root.WriteFile(temporary, append(sum[:], data...), 0o644)
	if err == nil {
		err = d.root.Rename(temporary, name)
	}
	if err != nil {
		d.root.Remove(temporary)
		return
	}

	d.changed.Store(true)
	d.put.Store(name, true)
}

// TakeBack removes what was put: it may have what it must not have, as was found since.
func (d *Dir) TakeBack() {
	d.put.Range(func(name, _ any) bool {
		d.root.Remove(name.(string))
		return true
	})
}

// Close removes what is beyond the limit, the least recently used first.
func (d *Dir) Close() error {
	defer d.root.Close()

	// Only a job that has put something looks at the size, at its end.
	if !d.changed.Load() {
		return nil
	}
	results, err := d.results()
	if err != nil {
		return err
	}
	var total int64
	for _, fi := range results {
		total += fi.Size()
	}

	// Get sets the time of a result that is used, so the oldest time is the longest unused.
	slices.SortFunc(results, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, fi := range results {
		if total <= d.limit {
			break
		}
		if d.root.Remove(fi.Name()) == nil {
			total -= fi.Size()
		}
	}
	return nil
}

// results returns the files of results, and removes temporary ones that were abandoned.
func (d *Dir) results() (results []fs.FileInfo, err error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}

	for _, entry := range entries {
		fi, err := entry.Info()
		if err != nil || !fi.Mode().IsRegular() {
			continue // removed by another process, or not a file of ours
		}

		stale := d.now().Sub(fi.ModTime()) > staleTemporary
		switch name := fi.Name(); {
		case strings.HasSuffix(name, resultSuffix):
			results = append(results, fi)
		case strings.HasSuffix(name, temporarySuffix) && stale:
			d.root.Remove(name)
		}
	}
	return results, nil
}
