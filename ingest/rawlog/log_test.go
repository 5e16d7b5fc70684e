package rawlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func testLog(t testing.TB, dir string, change func(*Options)) *Log {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}

	o := DefaultOptions()
	if change != nil {
		change(&o)
	}

	l, err := Open(root, o)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		l.Close()
		root.Close()
	})

	return l
}

// readLogs returns what is in each raw log of dir, by name.
func readLogs(t testing.TB, dir string) map[string][]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "telemetry*"))
	if err != nil {
		t.Fatal(err)
	}

	got := map[string][]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}

		r := NewReader(bytes.NewReader(b), VersionOf(name))
		got[filepath.Base(name)] = readAll(t, r)
		if r.BytesLost() > 0 {
			t.Errorf("%s: %d bytes lost", name, r.BytesLost())
		}
	}

	return got
}

// all joins the submissions of all logs, sorted.
func all(logs map[string][]string) []string {
	var a []string
	for _, l := range logs {
		a = append(a, l...)
	}
	slices.Sort(a)
	return a
}

func TestLogKeepsEverySubmission(t *testing.T) {
	for _, size := range []int64{1, 1000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			l := testLog(t, dir, func(o *Options) { o.MaxBytes = size })
			var wg sync.WaitGroup
			var want []string
			for i := range 200 {
				path, body := fmt.Sprintf("id%03d", i), strings.Repeat("x", i*10)
				want = append(want, path+"="+body)
				wg.Go(func() {
					if err := l.Append(t.Context(), Submission{Path: path, Body: []byte(body), Time: time.Now()}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			l.Close()
			logs := readLogs(t, dir)
			if got := all(logs); !slices.Equal(got, want) {
				t.Errorf("got %d submissions, want %d", len(got), len(want))
			}
			for name := range logs {
				if !strings.HasSuffix(name, FinishedSuffix) {
					t.Errorf("%s is not finished", name)
				}
			}
			if err := l.Append(t.Context(), Submission{}); !errors.Is(err, ErrClosed) {
				t.Errorf("Append after Close: %v, want ErrClosed", err)
			}
		})
	}
}

func TestLogOfACrashEndsInZeros(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, nil)
	if err := l.Append(t.Context(), Submission{Path: "a", Body: []byte("1"), Time: time.Now()}); err != nil {
		t.Fatal(err)
	}

	logs := readLogs(t, dir) // the log is still open, as a crash would leave it
	if got := all(logs); !slices.Equal(got, []string{"a=1"}) {
		t.Errorf("got %q", got)
	}

	for name := range logs {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() != allocateStep {
			t.Logf("%s is not preallocated: %d bytes", name, info.Size())
		}
		if _, err := l.disk.open(name); !errors.Is(err, errLocked) {
			t.Errorf("open a live log: %v, want errLocked", err)
		}
	}
}

func TestLogRotatesByAge(t *testing.T) {
	dir := t.TempDir()
	finished := make(chan struct{}, 1)
	l := testLog(t, dir, func(o *Options) {
		o.MaxAge = time.Millisecond
		o.Finished = func() { finished <- struct{}{} }
	})
	if err := l.Append(t.Context(), Submission{Path: "a", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}

	<-finished
	for name := range readLogs(t, dir) {
		if !strings.HasSuffix(name, FinishedSuffix) {
			t.Errorf("%s is not finished", name)
		}
	}
}

func TestLogRecyclesWhatHasBeenConverted(t *testing.T) {
	dir := t.TempDir()
	finished := make(chan struct{}, 9)
	l := testLog(t, dir, func(o *Options) {
		o.MaxBytes = minSpare
		o.Finished = func() { finished <- struct{}{} }
	})

	big := bytes.Repeat([]byte("old"), minSpare/3)
	if err := l.Append(t.Context(), Submission{Path: "big", Body: big, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}

	<-finished
	for name := range readLogs(t, dir) {
		if strings.HasSuffix(name, FinishedSuffix) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Append(t.Context(), Submission{Path: "new", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := all(readLogs(t, dir)); !slices.Equal(got, []string{"new="}) {
		t.Errorf("the recycled log holds %.100q", got)
	}

	l.Close()
	logs := readLogs(t, dir)
	if got := all(logs); !slices.Equal(got, []string{"new="}) || len(logs) != 1 {
		t.Errorf("after Close there are %.100q", logs)
	}
}

// TestLogWokenWithoutEntries wakes the committer all the time while calls append: a
// batch that is still empty when the committer looks must go on gathering. Otherwise
// a call joins a batch that has been committed, and returns before its submission is
// written.
func TestLogWokenWithoutEntries(t *testing.T) {
	dir := t.TempDir()
	l := testLog(t, dir, nil)

	stop := make(chan struct{})
	var waker sync.WaitGroup
	waker.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond): // so that it also waits between two looks
				signal(l.wake)
			}
		}
	})

	const clients, each = 8, 100
	var appending sync.WaitGroup
	for client := range clients {
		appending.Go(func() {
			for i := range each {
				s := Submission{Time: time.UnixMilli(1), Path: fmt.Sprint(client, "-", i), Body: []byte("x")}
				if err := l.Append(t.Context(), s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	appending.Wait()
	close(stop)
	waker.Wait()
	l.Close()

	if got := len(all(readLogs(t, dir))); got != clients*each {
		t.Errorf("%d submissions are in the logs, want %d", got, clients*each)
	}
}
