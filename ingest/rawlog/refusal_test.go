package rawlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestRefusalIsSaidOnce sends submissions while the disk fails, at any of its steps: the
// log has one line, Refusal the reason, and both say when it works again.
func TestRefusalIsSaidOnce(t *testing.T) {
	for err, want := range map[error]string{syscall.EIO: refusedDisk, syscall.ENOSPC: refusedFull} {
		for first := range 4 {
			t.Run(fmt.Sprint(err, " at step ", first+1), func(t *testing.T) {
				root, rootErr := os.OpenRoot(t.TempDir())
				if rootErr != nil {
					t.Fatal(rootErr)
				}
				defer root.Close()
				d := &faultDisk{rootDisk: rootDisk{root}, left: first + 1, err: err, stuck: true}
				var text bytes.Buffer
				o := DefaultOptions()
				o.Reserve = 0
				o.Log = slog.New(slog.NewTextHandler(&text, nil))
				l, openErr := openLog(d, o)
				if openErr != nil {
					t.Fatal(openErr)
				}

				refused := 0
				for range 30 {
					if l.Append(t.Context(), Submission{Path: "id", Body: []byte("{}")}) != nil {
						refused++
					}
				}
				if refused == 0 {
					t.Fatal("nothing was refused")
				}
				if got := l.Refusal(); got != want {
					t.Errorf("Refusal: %q, want %q", got, want)
				}

				d.mu.Lock()
				d.left, d.stuck = 1<<30, false
				d.mu.Unlock()
				if got := l.Refusal(); got != "" {
					t.Errorf("the disk works again: %q", got)
				}
				if err := l.Append(t.Context(), Submission{Path: "id", Body: []byte("{}")}); err != nil {
					t.Error(err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				if got := l.Refusal(); got != refusedClosed {
					t.Errorf("closed: %q", got)
				}

				lines := strings.Split(strings.TrimSpace(text.String()), "\n")
				if len(lines) != 2 || !strings.Contains(lines[0], "submissions are refused: "+want) || !strings.Contains(lines[1], "submissions are taken again") {
					t.Errorf("%d were refused, and the log has\n%s", refused, &text)
				}
			})
		}
	}
}
