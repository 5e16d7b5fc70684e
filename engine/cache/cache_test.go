package cache

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string, limit int64) *Dir {
	t.Helper()
	d, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	d := open(t, dir, 1000)
	k1 := sha256.Sum256([]byte("1"))
	k2 := sha256.Sum256([]byte("2"))
	if _, ok := d.Get(k1); ok {
		t.Error("found what was never put")
	}

	d.Put(k1, []byte("one"))
	d.Put(k2, nil)
	d.Put(k1, []byte("uno"))
	if b, ok := d.Get(k1); !ok || string(b) != "uno" {
		t.Errorf("Get = %q, %v", b, ok)
	}
	if b, ok := d.Get(k2); !ok || len(b) != 0 {
		t.Errorf("Get = %q, %v", b, ok)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	// Damaged files count as missing.
	d = open(t, dir, 1000)
	defer d.Close()
	path := filepath.Join(dir, fileName(k1))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range [][]byte{b[:len(b)-1], b[:3], nil, append(b[:len(b)-1:len(b)-1], 'x')} {
		if err := os.WriteFile(path, broken, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok := d.Get(k1); ok {
			t.Errorf("a file of %q gave %q", broken, got)
		}
	}
}

func TestDirRemovesTheLeastRecentlyUsed(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 250)
	now := time.Unix(1e9, 0)
	d.now = func() time.Time {
		now = now.Add(time.Minute)
		return now
	}

	// Four results of 92 bytes, of which the limit leaves two: the last, and the first
	// because it is used again.
	keys := make([][32]byte, 4)
	for i := range keys {
		keys[i] = sha256.Sum256([]byte{byte(i)})
		d.Put(keys[i], make([]byte, 60)) // 92 with its sum
		os.Chtimes(filepath.Join(dir, fileName(keys[i])), d.now(), now)
	}
	d.Get(keys[0])

	old := filepath.Join(dir, "x.tmp")
	os.WriteFile(old, nil, 0o644)
	os.Chtimes(old, time.Unix(0, 0), time.Unix(0, 0))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = open(t, dir, 250)
	defer d.Close()
	for i, want := range []bool{true, false, false, true} {
		if _, ok := d.Get(keys[i]); ok != want {
			t.Errorf("result %d is there: %v, want %v", i, ok, want)
		}
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a stale temporary file is still there")
	}
}

// TestRenamedResult: a file that has the name of another one is no result of that.
func TestRenamedResult(t *testing.T) {
	folder := t.TempDir()
	d, err := Open(folder, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	one, other := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("other"))
	d.Put(one, []byte("result of one"))
	if err := os.Rename(filepath.Join(folder, fileName(one)), filepath.Join(folder, fileName(other))); err != nil {
		t.Fatal(err)
	}
	if data, found := d.Get(other); found {
		t.Errorf("found %q", data)
	}
}
