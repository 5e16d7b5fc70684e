package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"github.com/aitgithub/telemetry-server/layout/backend/objects"
)

func text(s string) objects.Content {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func open(t *testing.T, url string) objects.Store {
	t.Helper()
	s, err := objects.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func read(t *testing.T, s objects.Store, name string, from, to int64) string {
	t.Helper()
	r, err := s.Get(t.Context(), name, from, to)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestStores runs what Store promises on every kind of store.
func TestStores(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"memory":      func(t *testing.T) string { return "mem://" + t.Name() },
		"folder":      func(t *testing.T) string { return "file://" + filepath.Join(t.TempDir(), "new", "folder") },
		"S3":          func(t *testing.T) string { return backendtest.S3(t, &backendtest.Faults{}) },
		"S3 with TLS": func(t *testing.T) string { return backendtest.S3(t, &backendtest.Faults{TLS: true}) },
		"S3 without a prefix": func(t *testing.T) string {
			return strings.Replace(backendtest.S3(t, &backendtest.Faults{}), "/some/prefix", "", 1)
		},
	} {
		t.Run(name, func(t *testing.T) { testStore(t, open(t, url(t))) })
	}
}

func testStore(t *testing.T, s objects.Store) {
	ctx := t.Context()
	long := strings.Repeat("0123456789", 300_000)
	for name, content := range map[string]string{"a/one": "1", "a/two+ ü%2F": long, "a/b/c/deep": "3", "top": "", "ab": "4"} {
		if err := s.Put(ctx, name, text(content), false); err != nil {
			t.Fatalf("put %s: %v", name, err)
		}
		if got := read(t, s, name, 0, -1); got != content {
			t.Errorf("%s: got %d bytes, want %d", name, len(got), len(content))
		}
	}
	if got := read(t, s, "a/two+ ü%2F", 1_000_003, 1_000_010); got != "3456789" {
		t.Errorf("a range: %q", got)
	}
	if got := read(t, s, "a/two+ ü%2F", 0, 1); got != "0" {
		t.Errorf("the first byte: %q", got)
	}

	for prefix, want := range map[string]string{
		"":     "[{a true 0} {ab false 1} {top false 0}]",
		"a/":   "[{b true 0} {one false 1} {two+ ü%2F false 3000000}]",
		"a/b/": "[{c true 0}]",
		"no/":  "[]",
	} {
		entries, err := s.List(ctx, prefix)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(entries, func(a, b objects.Entry) int { return strings.Compare(a.Name, b.Name) })
		if got := fmt.Sprint(entries); got != want {
			t.Errorf("list %q: %s, want %s", prefix, got, want)
		}
	}

	info, err := s.Stat(ctx, "a/one")
	if err != nil || info.Bytes != 1 || time.Since(info.Modified).Abs() > time.Minute {
		t.Errorf("stat: %+v, %v", info, err)
	}
	if err := s.Copy(ctx, "copied/x", "a/one"); err != nil || read(t, s, "copied/x", 0, -1) != "1" {
		t.Errorf("copy: %v", err)
	}
	if err := s.Put(ctx, "a/one", text("new"), false); err != nil || read(t, s, "a/one", 0, -1) != "new" {
		t.Errorf("replace: %v", err)
	}
	for range 2 {
		if err := s.Delete(ctx, "a/one"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}

	_, errGet := s.Get(ctx, "a/one", 0, -1)
	_, errStat := s.Stat(ctx, "a/one")
	for _, err := range []error{errGet, errStat, s.Copy(ctx, "y", "a/one")} {
		if !errors.Is(err, fs.ErrNotExist) || !objects.Final(err) {
			t.Errorf("of an object that is gone: %v, want ErrNotExist", err)
		}
	}
	testCreateOnce(t, s)
}

// testCreateOnce: of several that create an object at once, one succeeds, and it is its
// content that is there.
func testCreateOnce(t *testing.T, s objects.Store) {
	var wait sync.WaitGroup
	var won atomic.Int32
	for i := range 8 {
		wait.Go(func() {
			err := s.Put(t.Context(), "lock/1", text(fmt.Sprint(i)), true)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("create: %v, want ErrExist", err)
			}
		})
	}
	wait.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 created the same object", won.Load())
	}
	before := read(t, s, "lock/1", 0, -1)
	if err := s.Put(t.Context(), "lock/1", text("late"), true); !errors.Is(err, fs.ErrExist) || read(t, s, "lock/1", 0, -1) != before {
		t.Errorf("create again: %v, want ErrExist", err)
	}
}

func TestURLsThatAreErrors(t *testing.T) {
	for url, want := range map[string]string{
		"s3://bucket?regoin=x&zone=y":                        `unknown parameter "regoin", "zone"`,
		"s3://bucket?anonymous=maybe":                        `anonymous="maybe": want true or false`,
		"s3://bucket?request_checksum_calculation=sometimes": "want when_required or when_supported",
		"s3://bucket?ssetype=rot13":                          "want AES256, aws:kms or aws:kms:dsse",
		"s3://bucket?role=me":                                "want an ARN",
		"s3:///prefix":                                       "needs the name of a bucket",
		"mem://x?region=y":                                   `unknown parameter "region"`,
		"file:///tmp?create_dir=true":                        `unknown parameter "create_dir"`,
		"file://elsewhere/tmp":                               `the machine "elsewhere"`,
		"gs://bucket":                                        `no store is known for "gs://"`,
	} {
		s, err := objects.Open(url)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// TestNoCredentials: what is missing is said, and not asked for again.
func TestNoCredentials(t *testing.T) {
	url := backendtest.S3(t, &backendtest.Faults{})
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s := open(t, url)
	if _, err := s.Stat(t.Context(), "x"); err == nil || !objects.Final(err) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials: %v", err)
	}
	s = open(t, url+"&anonymous=true")
	if err := s.Put(t.Context(), "x", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("y"))), nil }, false); err != nil {
		t.Errorf("anonymous: %v", err)
	}
}
