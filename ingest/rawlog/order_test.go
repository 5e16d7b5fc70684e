package rawlog

import (
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestLogStepsInOrder follows a raw log's life step by step. A killed process does
// not show whether syncs are there and in the right place, because the kernel
// keeps what was written; this does.
func TestLogStepsInOrder(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	defer root.Close()
	d := &faultDisk{rootDisk: rootDisk{root}, left: math.MaxInt}
	l, err := openLog(d, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}

	steps := func() []string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return slices.Clone(d.steps)
	}
	if err := l.Append(t.Context(), Submission{Path: "a", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}

	// "append" writes and syncs: first the head, and only then the name, then the batch.
	acked := []string{"create", "append", "rename", "sync directory", "append"}
	if got := steps(); !slices.Equal(got, acked) {
		t.Errorf("when it is acknowledged: %q, want %q", got, acked)
	}

	l.Close()
	want := append(acked, "truncate", "write", "sync", "rename", "sync directory")
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("when it is finished: %q, want %q", got, want)
	}
}

// slowDisk is the real disk, but each append says that it has begun, and waits
// for its release.
type slowDisk struct {
	rootDisk
	begun, release chan struct{}
}

func (d slowDisk) create(name string) (diskFile, error) {
	f, err := d.rootDisk.create(name)
	return slowFile{f, d}, err
}

type slowFile struct {
	diskFile
	d slowDisk
}

func (f slowFile) append(b []byte, off int64) error {
	f.d.begun <- struct{}{}
	<-f.d.release
	return f.diskFile.append(b, off)
}

// TestOneSyncServesAllWhoWait lets a hundred submissions come while the disk is
// busy with one: they become durable by one write and one sync.
func TestOneSyncServesAllWhoWait(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	defer root.Close()
	d := slowDisk{rootDisk{root}, make(chan struct{}), make(chan struct{})}
	var sizes []int
	o := DefaultOptions()
	o.Committed = func(n int, _ time.Duration, err error) { sizes = append(sizes, n) }
	l, err := openLog(d, o)
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	submit := func(i int) {
		wg.Go(func() {
			if err := l.Append(t.Context(), Submission{Path: fmt.Sprint("id", i), Time: time.Now()}); err != nil {
				t.Error(err)
			}
		})
	}

	submit(0)
	for range 2 { // the file's head, then the first batch
		<-d.begun
		if len(sizes) > 0 {
			t.Error("acknowledged before it was durable")
		}

		d.release <- struct{}{}
	}

	wg.Wait()
	submit(1)
	<-d.begun // the disk is busy with the second
	for i := range 100 {
		submit(2 + i)
	}

	for l.waiting.Load() < 101 {
		time.Sleep(time.Millisecond)
	}

	d.release <- struct{}{}
	<-d.begun
	d.release <- struct{}{}
	wg.Wait()
	l.Close()
	if !slices.Equal(sizes, []int{1, 1, 100}) {
		t.Errorf("commits of %v submissions, want 1, 1, 100", sizes)
	}
}
