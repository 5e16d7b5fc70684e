package worker

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

	"github.com/aitgithub/telemetry-server/layout"
)

func TestPickup(t *testing.T) {
	dir := t.TempDir()
	data, err := layout.OpenData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	raw := filepath.Join(dir, layout.RawDir)
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(raw, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	touch("telemetry.log.v3.h.1.30.finished")
	touch("telemetry.log.v1.h.1.20")
	touch(".new.telemetry.log.v3.h.1.10")
	touch("telemetry.log.v3.h.1.40")
	live, err := os.Open(filepath.Join(raw, "telemetry.log.v3.h.1.40"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(live.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	var got []string
	failures := 1
	ctx, cancel := context.WithCancel(t.Context())
	p := &Pickup{Data: data, Workers: 1, Convert: func(ctx context.Context, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if failures > 0 {
			failures--
			return errors.New("the revision server is away")
		}
		got = append(got, name)
		if len(got) == 2 {
			cancel()
		}
		return os.Remove(filepath.Join(raw, name))
	}}
	end := time.Now().Add(retryMin)
	p.Run(ctx)
	if time.Now().Before(end) {
		t.Error("a failed conversion was tried again at once")
	}
	slices.Sort(got)
	want := []string{"telemetry.log.v1.h.1.20", "telemetry.log.v3.h.1.30.finished"}
	if !slices.Equal(got, want) {
		t.Errorf("converted %q, want %q", got, want)
	}
	live.Close()
	if err := p.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[2] != "telemetry.log.v3.h.1.40" {
		t.Errorf("after the server's end: %q", got)
	}
}

// TestDrainLeavesWhatAnotherHas stops two servers of one data folder at the same
// time: what the other one converts is no failure.
func TestDrainLeavesWhatAnotherHas(t *testing.T) {
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for _, name := range []string{"busy", "bad"} {
		if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	bad := errors.New("no space left")
	p := &Pickup{Data: data, Workers: 1, Convert: func(_ context.Context, name string) error {
		if name == "busy" {
			return fmt.Errorf("convert: %w", layout.ErrBusy)
		}
		return bad
	}}
	if err := p.Drain(t.Context()); !errors.Is(err, bad) || errors.Is(err, layout.ErrBusy) {
		t.Errorf("Drain: %v, want only %v", err, bad)
	}
}
