// Package cache keeps map results in a folder, one file each, and forgets the
// least recently used when they grow beyond a bound. A file that is damaged or
// half written is as good as none.
package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

// suffix marks the files that are results; others are left alone.
const suffix = ".map"

// staleTemporary is the age at which an unfinished file is nobody's any more.
const staleTemporary = time.Hour

// Dir is a folder of results. It is safe for concurrent use, by several processes
// too.
type Dir struct {
	root  *os.Root
	limit int64
	now   func() time.Time

	mu  sync.Mutex // protects put
	put bool       // something was put: Close has to look at the size
}

var _ engine.Cache = (*Dir)(nil)

// Open opens a folder of results, made if missing, that may hold limit bytes. The
// caller closes it.
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

func name(key [sha256.Size]byte) string { return hex.EncodeToString(key[:]) + suffix }

// Get implements engine.Cache. What is found counts as used now.
func (d *Dir) Get(key [sha256.Size]byte) ([]byte, bool) {
	b, err := d.root.ReadFile(name(key))
	if err != nil {
		return nil, false
	}
	if len(b) < sha256.Size {
		return nil, false
	}
	sum := sha256.Sum256(b[sha256.Size:])
	if !bytes.Equal(sum[:], b[:sha256.Size]) {
		d.root.Remove(name(key))
		return nil, false
	}
	now := d.now()
	d.root.Chtimes(name(key), now, now)
	return b[sha256.Size:], true
}

// Put implements engine.Cache. It keeps nothing when it cannot write.
func (d *Dir) Put(key [sha256.Size]byte, data []byte) {
	if int64(len(data)) > d.limit {
		return
	}
	sum := sha256.Sum256(data)
	// Two processes may write the same result at the same time: each has a name
	// of its own until it is complete.
	tmp := name(key) + "." + hex.EncodeToString(sum[:4]) + "." + d.now().Format("150405.000000000") + ".tmp"
	if err := d.root.WriteFile(tmp, append(sum[:], data...), 0o644); err == nil {
		err = d.root.Rename(tmp, name(key))
		if err == nil {
			d.mu.Lock()
			d.put = true
			d.mu.Unlock()
			return
		}
	}
	d.root.Remove(tmp)
}

// Close forgets what is beyond the limit, the least recently used first.
func (d *Dir) Close() error {
	defer d.root.Close()
	if !d.put {
		return nil
	}
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		switch n := fi.Name(); {
		case len(n) > len(suffix) && n[len(n)-len(suffix):] == suffix:
			files = append(files, fi)
			total += fi.Size()
		case len(n) > 4 && n[len(n)-4:] == ".tmp" && d.now().Sub(fi.ModTime()) > staleTemporary:
			d.root.Remove(n)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, fi := range files {
		if total <= d.limit {
			break
		}
		if d.root.Remove(fi.Name()) == nil {
			total -= fi.Size()
		}
	}
	return nil
}
