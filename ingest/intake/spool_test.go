package intake

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

func TestIsWhole(t *testing.T) {
	for name, want := range map[string]bool{
		"telemetry.log.v4.host.1.1391385600000.finished": true,
		"telemetry.log.v1.host.1.1391385600000":          false, // its server still writes it
		"telemetry.log.v1.100-pings":                     true,
		"from-elsewhere":                                 true,
		"log.part":                                       false,
		"log~":                                           false,
		".taken.1.log":                                   false,
		".log.finished":                                  false,
		"log.finished.tmp":                               false,
	} {
		if got := isWhole(name); got != want {
			t.Errorf("isWhole(%q) is %v", name, got)
		}
	}
}

// spoolBed is a spool folder, and the FileConverter that converts what is in it.
type spoolBed struct {
	dir string
	*Spool
	before func() // runs before each conversion; nil: nothing

	mu   sync.Mutex     // protects what follows
	ids  map[string]int // how often each ID was converted
	fail error          // of all conversions
}

func newSpoolBed(t *testing.T) *spoolBed {
	b := &spoolBed{dir: t.TempDir(), ids: map[string]int{}}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	b.Spool = NewSpool(root, b, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return b
}

// ImportFile implements FileConverter.
func (b *spoolBed) ImportFile(_ context.Context, f worker.File) (stats worker.Stats, err error) {
	if b.before != nil {
		b.before()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return stats, b.fail
	}

	entries := rawlog.NewReader(f.Content, rawlog.VersionOf(f.Name))
	for {
		s, err := entries.Next()
		if err == io.EOF {
			stats.BytesLost = entries.BytesLost()
			return stats, nil
		}
		if err != nil {
			return stats, err
		}
		b.ids[s.Path]++
	}
}

// put renames a raw log with these IDs into the folder.
func (b *spoolBed) put(t *testing.T, name string, ids ...string) {
	t.Helper()
	text := rawlog.AppendHead(nil, 7)
	for _, id := range ids {
		text = rawlog.AppendEntry(text, &rawlog.Submission{Path: id, Body: []byte("{}"), Time: time.UnixMilli(1391385600000)}, 7)
	}
	b.putText(t, name, text)
}

func (b *spoolBed) putText(t *testing.T, name string, text []byte) {
	t.Helper()
	temp := filepath.Join(b.dir, "."+name)
	if err := errors.Join(os.WriteFile(temp, text, 0o644), os.Rename(temp, filepath.Join(b.dir, name))); err != nil {
		t.Fatal(err)
	}
}

func (b *spoolBed) list(t *testing.T, sub string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.dir, sub))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *spoolBed) want(t *testing.T, ids ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if b.ids[id] != 1 {
			t.Errorf("%s was converted %d times", id, b.ids[id])
		}
	}
	if len(b.ids) != len(ids) {
		t.Errorf("converted %v, want %v", b.ids, ids)
	}
}

func TestSpoolConvertsWholeFiles(t *testing.T) {
	b := newSpoolBed(t)
	b.put(t, "a.finished", "1", "2")
	b.put(t, strings.Repeat("b", 250), "3")
	b.put(t, "c.part", "4")
	b.putText(t, "noise", []byte("this is no raw log"))
	b.putText(t, "old.v1.torn", []byte("\x1e cut"))
	if err := os.Mkdir(filepath.Join(b.dir, "folder.finished"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.sweep(t.Context())
	b.want(t, "1", "2", "3")
	if got := b.list(t, "."); !slices.Equal(got, []string{"c.part", damagedDir, "folder.finished"}) {
		t.Errorf("left: %v", got)
	}
	damaged := strings.Join(b.list(t, damagedDir), " ")
	if !strings.Contains(damaged, ".noise") || !strings.Contains(damaged, ".old.v1.torn") {
		t.Errorf("set aside: %v", damaged)
	}
}

func TestSpoolTriesAgain(t *testing.T) {
	b := newSpoolBed(t)
	b.put(t, "a.finished", "1")
	b.fail = errors.New("the revision server is down")
	b.sweep(t.Context())
	b.want(t)
	// Another file of that name must not take the first one's place.
	b.put(t, "a.finished", "2")
	b.sweep(t.Context())
	if left := b.list(t, "."); len(left) != 2 {
		t.Errorf("kept: %v", left)
	}
	b.fail = nil
	b.sweep(t.Context())
	b.want(t, "1", "2")
	if left := b.list(t, "."); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSpoolLeavesWhatAnotherServerHas looks through the folder while another Spool
// converts a file.
func TestSpoolLeavesWhatAnotherServerHas(t *testing.T) {
	b := newSpoolBed(t)
	b.put(t, "a.finished", "1")
	other := newSpoolBed(t)
	other.Spool.dir = b.Spool.dir
	b.before = func() { other.sweep(t.Context()) }

	b.sweep(t.Context())
	b.want(t, "1")
	other.want(t)
}

func TestSpoolRun(t *testing.T) {
	b := newSpoolBed(t)
	b.put(t, "before", "1")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	waitFor := func(n int) {
		ingesttest.Wait(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.ids) >= n
		})
	}
	waitFor(1)
	b.put(t, "after", "2")
	waitFor(2)
	cancel()
	wg.Wait()
	b.want(t, "1", "2")
}
