package rawlog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLogPreparesTheNextFile(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, func(o *Options) { o.MaxBytes = minPrepare })
	var want []string
	add := func(n int) {
		t.Helper()
		s := Submission{Path: fmt.Sprintf("id%02d", len(want)), Body: bytes.Repeat([]byte{'x'}, n), Time: time.Now()}
		if err := l.Append(t.Context(), s); err != nil {
			t.Fatal(err)
		}

		want = append(want, s.Path+"="+string(s.Body))
	}

	for range 15 {
		add(4 << 20) // to 60 of 64 MiB
	}

	for l.preparing.Load() {
		time.Sleep(time.Millisecond)
	}
	if !l.hasFreeSpare() {
		t.Fatal("no file has been prepared")
	}

	for range 5 {
		add(4 << 20)
	}

	add(10)
	logs := readLogs(t, dir)
	if got := all(logs); !slices.Equal(got, want) {
		t.Errorf("stored %d submissions, want %d", len(got), len(want))
	}

	used := false
	for name := range logs {
		used = used || !strings.HasSuffix(name, FinishedSuffix) && l.file.head.flags == flagRecycled
	}
	if !used {
		t.Error("the prepared file is not used")
	}

	l.Close()
	if got := all(readLogs(t, dir)); !slices.Equal(got, want) {
		t.Errorf("after Close: stored %d submissions, want %d", len(got), len(want))
	}
	if names, _ := l.disk.list(); len(names) != 2 {
		t.Errorf("files are left: %q", names)
	}
}
