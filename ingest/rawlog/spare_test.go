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

// TestLogPreparesNothingWhileClientsWait: zeros would take the disk from those who wait.
func TestLogPreparesNothingWhileClientsWait(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, func(o *Options) { o.MaxBytes = minPrepare })
	f := &filler{t: t, l: l}

	l.waiting.Add(paceWaiting + 1)
	for range 2 * (minPrepare/(4<<20) + 1) {
		f.add(4 << 20)
	}
	if names := recycledLogs(t, dir); len(names) != 0 {
		t.Errorf("recycled are %q, want none", names)
	}

	// What waits for them to leave does not hold up the end.
	l.Close()
	f.requireStored(dir)
}
