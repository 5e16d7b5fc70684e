package rawlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recycledLogs returns the names of the raw logs whose space had been written before they began.
func recycledLogs(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, Prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		file, err := os.Open(name)
		if err != nil {
			continue // it is being finished
		}
		head := make([]byte, fileHeaderBytes)
		_, err = file.ReadAt(head, 0)
		file.Close()
		if err == nil && binary.LittleEndian.Uint32(head[12:])&flagRecycled != 0 {
			names = append(names, strings.TrimSuffix(filepath.Base(name), FinishedSuffix))
		}
	}
	return names
}

// filler appends submissions and knows what was appended.
type filler struct {
	t    *testing.T
	l    *Log
	want []string
}

// add appends a submission with a body of so many bytes.
func (f *filler) add(bodyBytes int) {
	f.t.Helper()
	s := Submission{Path: fmt.Sprintf("id%02d", len(f.want)), Body: bytes.Repeat([]byte{'x'}, bodyBytes), Time: time.Now()}
	if err := f.l.Append(f.t.Context(), s); err != nil {
		f.t.Fatal(err)
	}
	f.want = append(f.want, s.Path+"="+string(s.Body))
}

// requireStored compares the raw logs with what was appended.
func (f *filler) requireStored(dir string) {
	f.t.Helper()
	if got := all(readLogs(f.t, dir)); !slices.Equal(got, f.want) {
		f.t.Errorf("stored %d submissions, want %d", len(got), len(f.want))
	}
}

// TestLogPreparesTheNextFile: a file that was prepared is followed by another one.
func TestLogPreparesTheNextFile(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, func(o *Options) { o.MaxBytes = minPrepare })
	f := &filler{t: t, l: l}

	// The zeros follow the submissions, so these go on.
	for len(recycledLogs(t, dir)) < 2 {
		if len(f.want) > 80 {
			t.Fatalf("recycled are %q", recycledLogs(t, dir))
		}
		f.add(4 << 20)
	}
	f.add(10)

	l.Close()
	f.requireStored(dir)
	names, err := l.disk.list()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, FinishedSuffix) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestLogLeavesItsFirstFileSoon: the first file of a server has space that was never written.
// When the next one has been filled with zeros, it takes the first one's place at once.
func TestLogLeavesItsFirstFileSoon(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, func(o *Options) { o.MaxBytes = minPrepare })
	f := &filler{t: t, l: l}

	// A quarter of a file's bytes is enough to fill the next one, at the pace that it has.
	for range (soonBytes+(minPrepare+fillChunk)/soonPace)>>20 + 2 {
		f.add(1 << 20)
	}
	for end := time.Now().Add(2 * time.Minute); l.preparing.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the next file is not ready")
		}
	}

	// The committer notices it after this submission, at the latest; the next one is in the new file.
	f.add(1 << 20)
	f.add(10)
	if names := recycledLogs(t, dir); len(names) != 1 {
		t.Errorf("recycled are %q, want one", names)
	}
	l.Close()
	f.requireStored(dir)
}
