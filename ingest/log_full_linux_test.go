package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// smallDisk mounts a disk of that many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("only root can mount a small disk")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskThatFillsUp submits to a disk of 4 MiB until it is full: 507, and
// nothing that was acknowledged is lost. When space returns so does 200.
func TestDiskThatFillsUp(t *testing.T) {
	for name, reserve := range map[string]int64{"to the last byte": 0, "to the reserve": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			dir := smallDisk(t, 4<<20)
			l := testLog(t, dir, func(o *LogOptions) { o.Reserve, o.MaxBytes = reserve, 1<<20 })
			h := NewHandler(l, DefaultHandlerOptions())
			n := 0
			post := func() (string, int) {
				n++
				id := fmt.Sprintf("id%04d", n)
				w := httptest.NewRecorder()
				r := httptest.NewRequest("POST", "/submit/telemetry/"+id, bytes.NewReader(bytes.Repeat([]byte{'x'}, 50_000)))
				h.ServeHTTP(w, r)
				return id, w.Code
			}
			var acked []string
			full := 0
			for full < 10 && n < 1000 {
				switch id, code := post(); code {
				case http.StatusOK:
					acked = append(acked, id)
				case http.StatusInsufficientStorage:
					full++
				default:
					t.Fatalf("status %d", code)
				}
			}
			if len(acked) < 40 || len(acked) > 84 || full < 10 {
				t.Errorf("%d of %d were acknowledged, %d refused", len(acked), n, full)
			}
			l.finishing.Wait()
			stored := func() []string {
				var ids []string
				for _, s := range all(readTorn(t, dir)) {
					ids = append(ids, s[:6])
				}
				return ids
			}
			if got := stored(); !slices.Equal(got, acked) {
				t.Errorf("acknowledged %d, stored %d", len(acked), len(got))
			}
			finished, _ := filepath.Glob(filepath.Join(dir, "*"+FinishedSuffix))
			if len(finished) < 2 {
				t.Errorf("no log was finished: %q", finished)
			}
			for _, name := range finished { // as if converted
				os.Remove(name)
			}
			l.checked = l.checked.Add(-spaceEvery)
			id, code := post()
			if code != http.StatusOK || !slices.Contains(stored(), id) {
				t.Errorf("with space again: status %d", code)
			}
			l.Close()
			if left, _ := os.ReadDir(dir); len(left) > 2 {
				t.Errorf("files pile up: %v", left)
			}
		})
	}
}
