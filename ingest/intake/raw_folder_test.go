package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

// converterFunc is a LogConverter.
type converterFunc func(ctx context.Context, name string) error

func (f converterFunc) ConvertLog(ctx context.Context, name string) (worker.Stats, error) {
	return worker.Stats{}, f(ctx, name)
}

// newData returns a data folder with empty raw logs of these names.
func newData(t *testing.T, names ...string) *layout.Data {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

// removing is a LogConverter that fails the first time, then only removes raw logs. It
// cancels a context after the second of them.
type removing struct {
	raw    string
	cancel func()

	mu     sync.Mutex // protects what follows
	failed bool
	got    []string
}

func (r *removing) ConvertLog(_ context.Context, name string) (worker.Stats, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed {
		r.failed = true
		return worker.Stats{}, errors.New("the revision server is down")
	}
	r.got = append(r.got, name)
	if len(r.got) == 2 {
		r.cancel()
	}
	return worker.Stats{}, os.Remove(filepath.Join(r.raw, name))
}

func TestRawFolder(t *testing.T) {
	data := newData(t,
		"telemetry.log.v4.h.1.30.finished",
		"telemetry.log.v1.h.1.20",
		".new.telemetry.log.v4.h.1.10",
		"telemetry.log.v4.h.1.40",
	)
	raw := filepath.Join(data.Dir(), layout.RawDir)
	live, err := os.Open(filepath.Join(raw, "telemetry.log.v4.h.1.40"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(live.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	converter := &removing{raw: raw, cancel: cancel}
	folder := NewRawFolder(data.Root(), converter, RawFolderOptions{})
	earliest := time.Now().Add(minRetry)
	folder.Run(ctx)
	if time.Now().Before(earliest) {
		t.Error("a failed conversion was tried again at once")
	}
	slices.Sort(converter.got)
	want := []string{"telemetry.log.v1.h.1.20", "telemetry.log.v4.h.1.30.finished"}
	if !slices.Equal(converter.got, want) {
		t.Errorf("converted %q, want %q", converter.got, want)
	}

	live.Close()
	if err := folder.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := converter.got; len(got) != 3 || got[2] != "telemetry.log.v4.h.1.40" {
		t.Errorf("after the server's end: %q", got)
	}
}

// TestRetryPauses checks the pauses between attempts at one raw log.
func TestRetryPauses(t *testing.T) {
	data := newData(t, "log.1.finished")
	folder := NewRawFolder(data.Root(), converterFunc(func(context.Context, string) error {
		return errors.New("no space left")
	}), RawFolderOptions{})
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		folder.convert(t.Context(), "log.1.finished")
		pause := time.Until(folder.claims["log.1.finished"].next)
		if (pause - want*time.Second).Abs() > time.Second/2 {
			t.Errorf("pause %v, want %v", pause, want*time.Second)
		}
	}
}

// TestDrainLeavesWhatAnotherHas stops two servers of one data folder at the same time:
// what the other one converts is no failure.
func TestDrainLeavesWhatAnotherHas(t *testing.T) {
	data := newData(t, "busy", "bad")
	bad := errors.New("no space left")
	folder := NewRawFolder(data.Root(), converterFunc(func(_ context.Context, name string) error {
		if name == "busy" {
			return fmt.Errorf("convert: %w", layout.ErrBusy)
		}
		return bad
	}), RawFolderOptions{})
	if err := folder.Drain(t.Context()); !errors.Is(err, bad) || errors.Is(err, layout.ErrBusy) {
		t.Errorf("Drain: %v, want only %v", err, bad)
	}
}
