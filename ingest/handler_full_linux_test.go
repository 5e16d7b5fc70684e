package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"bytes"
	"errors"
	"fmt"
	"io/fs"
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
	if errors.Is(err, fs.ErrPermission) {
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
			finished := make(chan struct{}, 100)
			l := ingesttest.Log(t, dir, func(o *rawlog.Options) {
				o.Reserve, o.MaxBytes = reserve, 1<<20
				o.Finished = func() { finished <- struct{}{} }
			})
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
			for range 2 {
				<-finished
			}
			stored := func() []string {
				var ids []string
				for _, s := range ingesttest.Stored(t, dir) {
					ids = append(ids, s[:6])
				}
				return ids
			}
			if got := stored(); !slices.Equal(got, acked) {
				t.Errorf("acknowledged %d, stored %d", len(acked), len(got))
			}
			logs, _ := filepath.Glob(filepath.Join(dir, "*"+rawlog.FinishedSuffix))
			if len(logs) < 2 {
				t.Errorf("no log was finished: %q", logs)
			}
			for _, name := range logs { // as if converted
				os.Remove(name)
			}
			var id string
			var code int
			ingesttest.Wait(t, func() bool {
				id, code = post()
				return code != http.StatusInsufficientStorage
			})
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
