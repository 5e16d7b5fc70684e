package rawlog

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// scarceDisk has as much space as a test says.
type scarceDisk struct {
	rootDisk
	left *atomic.Int64
}

func (d scarceDisk) free() (int64, error) { return d.left.Load(), nil }

func TestLogKeepsItsReserve(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	defer root.Close()
	left := new(atomic.Int64)
	o := DefaultOptions()
	o.Reserve = 1000
	l, err := openLog(scarceDisk{rootDisk{root}, left}, o)
	if err != nil {
		t.Fatal(err)
	}

	defer l.Close()
	for _, step := range []struct {
		left int64
		want error
	}{{999, ErrReserve}, {1000, nil}, {0, ErrReserve}, {1 << 40, nil}} {
		left.Store(step.left)
		time.Sleep(spaceEvery + 10*time.Millisecond)
		if err := l.Append(t.Context(), Submission{Path: "i", Body: []byte("{}"), Time: time.Now()}); !errors.Is(err, step.want) {
			t.Errorf("%d bytes free: %v, want %v", step.left, err, step.want)
		}
	}
	if err := l.Append(t.Context(), Submission{Body: make([]byte, MaxBodyLimit+1)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("Append of a huge body: %v, want ErrTooLong", err)
	}
}
