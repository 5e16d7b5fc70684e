package dedup

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRepeatsInUse opens the index twice, as two processes would.
func TestRepeatsInUse(t *testing.T) {
	dir := t.TempDir()
	first, err := NewRepeats(dir, "seen.bolt", 3).Recorder("log.1")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	second := NewRepeats(dir, "seen.bolt", 3)
	second.wait = 10 * time.Millisecond
	_, err = second.Recorder("log.2")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("seen.bolt: process %d has it", os.Getpid())) {
		t.Errorf("Recorder: %v, want an error that names file and process", err)
	}
}

// TestRecord follows the submissions of several raw logs through the index.
func TestRecord(t *testing.T) {
	index := NewRepeats(t.TempDir(), "seen.bolt", 3)
	day := func(n int) time.Time { return time.Date(2013, 9, n, 23, 0, 0, 0, time.UTC) }

	for i, tt := range []struct {
		rawLog string
		day    int
		body   string
		undo   bool
		want   bool // repeated
	}{
		{rawLog: "log.1", day: 10, body: "1"},
		{rawLog: "log.1.finished", day: 10, body: "1"}, // the same raw log
		{rawLog: "log.2", day: 13, body: "1", want: true},
		{rawLog: "log.2", day: 14, body: "1"}, // received four days ago
		{rawLog: "log.3", day: 14, body: "2", undo: true},
		{rawLog: "log.4", day: 14, body: "2"},
		{rawLog: "log.3", day: 14, body: "2", want: true}, // log.4 has it now
	} {
		recorder, err := index.Recorder(tt.rawLog)
		if err != nil {
			t.Fatal(err)
		}

		got, err := recorder.Repeated([]byte("id"), []byte(tt.body), day(tt.day))
		if err == nil {
			err = recorder.Record()
		}
		if err == nil && tt.undo {
			err = recorder.Undo()
		}
		if err != nil || got != tt.want {
			t.Errorf("step %d: repeated %v, %v; want %v", i, got, err, tt.want)
		}
		recorder.Close()
	}
}
