package helperfile_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/layout/helperfile"
)

const name = "state.bolt"

// options are those of a database in dir; what is logged goes to log.
func options(t *testing.T, dir string, log *bytes.Buffer) helperfile.Options {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { root.Close() })
	return helperfile.Options{
		Root: root, Name: name, Lost: "what was counted", Wait: 30 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// fill makes a database of a few hundred pages, with free ones among them.
func fill(t *testing.T, o helperfile.Options) {
	t.Helper()
	db, err := helperfile.Open(o)
	if err != nil {
		t.Fatal(err)
	}

	for part := range 10 {
		err := db.Update(func(tx *bbolt.Tx) error { return putMany(tx, part*500, 500) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func putMany(tx *bbolt.Tx, from, count int) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte("numbers"))
	if err != nil {
		return err
	}

	for i := from; i < from+count; i++ {
		if err := bucket.Put(fmt.Appendf(nil, "%08x", i*2654435761), bytes.Repeat([]byte{'x'}, 100)); err != nil {
			return err
		}
	}
	return nil
}

// useAll reads and writes all of the database, and writes a key that it then reads.
func useAll(o helperfile.Options) error {
	db, err := helperfile.Open(o)
	if err != nil {
		return err
	}
	defer db.Close()

	err = db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("numbers"))
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			bytes.Count(value, key)
			return nil
		})
	})
	if err != nil {
		return err
	}

	for part := range 10 {
		if err := db.Update(func(tx *bbolt.Tx) error { return putMany(tx, 3+part*700, 700) }); err != nil {
			return err
		}
	}
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("numbers")).Get(fmt.Appendf(nil, "%08x", 3*2654435761)) == nil {
			return fmt.Errorf("what was written is missing")
		}
		return nil
	})
}

// TestDamage damages each page in turn, and the file as a whole. The program goes on
// each time, and says once what it set aside.
func TestDamage(t *testing.T) {
	source := t.TempDir()
	fill(t, options(t, source, &bytes.Buffer{}))
	whole, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		t.Fatal(err)
	}

	page := os.Getpagesize()
	type damage struct {
		what  string
		bytes []byte
		must  bool // it cannot stay unnoticed
	}
	damages := []damage{
		{"text", []byte("no database at all"), true},
		{"zeros", make([]byte, len(whole)), true},
		{"one byte", whole[:1], true},
		{"one page", whole[:page], true},
		{"half", whole[:len(whole)/2/page*page], true},
		{"half a page less", whole[:len(whole)/2-page/2], true},
		{"another version", newerVersion(whole, page), true},
	}
	for at := 0; at < len(whole)/page; at += max(1, len(whole)/page/16) {
		zeroed := bytes.Clone(whole)
		clear(zeroed[at*page : (at+1)*page])
		damages = append(damages, damage{fmt.Sprint("zeros in page ", at), zeroed, false})

		filled := bytes.Clone(whole)
		copy(filled[at*page:(at+1)*page], bytes.Repeat([]byte{0xff}, page))
		damages = append(damages, damage{fmt.Sprint("ones in page ", at), filled, false})
	}

	for _, d := range damages {
		t.Run(d.what, func(t *testing.T) {
			var log bytes.Buffer
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), d.bytes, 0o666); err != nil {
				t.Fatal(err)
			}

			o := options(t, dir, &log)
			if err := helperfile.Check(o, nil); d.must && err == nil || log.Len() > 0 {
				t.Errorf("Check: %v, and the log\n%s", err, &log)
			}
			for range 2 {
				if err := useAll(o); err != nil {
					t.Fatal(err)
				}
			}

			mark := "damaged"
			if d.what == "another version" {
				mark = "newer"
			}
			aside, _ := filepath.Glob(filepath.Join(dir, name+"."+mark+"-*"))
			if mark == "newer" && strings.Contains(log.String(), "damaged") {
				t.Errorf("a newer format is called damaged:\n%s", &log)
			}
			said := strings.Count(log.String(), "set aside and made anew")
			if said != len(aside) || said > 1 || d.must && said != 1 {
				t.Errorf("%d files are set aside, said %d times:\n%s", len(aside), said, &log)
			}
		})
	}
}

// newerVersion returns a database whose head names a later version of the format.
func newerVersion(whole []byte, page int) []byte {
	newer := bytes.Clone(whole)
	for _, meta := range []int{0, page} {
		newer[meta+16+4]++ // behind the page's head and the magic number
	}
	return newer
}

// TestCutWhileOpen cuts the file of an open database.
func TestCutWhileOpen(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		var log bytes.Buffer
		dir := t.TempDir()
		o := options(t, dir, &log)
		fill(t, o)

		o.ReadOnly = readOnly
		db, err := helperfile.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, name), int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}

		err = db.View(func(tx *bbolt.Tx) error {
			if bucket := tx.Bucket([]byte("numbers")); bucket != nil {
				return bucket.ForEach(func(_, _ []byte) error { return nil })
			}
			return nil
		})
		if err != nil || !strings.Contains(log.String(), "what was counted") {
			t.Errorf("read only %v: %v\n%s", readOnly, err, &log)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestInUse waits for a process that has the database, and then names it.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir, &bytes.Buffer{})
	first, err := helperfile.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	_, err = helperfile.Open(o)
	if want := fmt.Sprintf("open %s: process %d has it, still after 30ms", name, os.Getpid()); err == nil || err.Error() != want {
		t.Errorf("Open: %v, want %s", err, want)
	}
}
