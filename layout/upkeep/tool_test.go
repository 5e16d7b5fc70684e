package upkeep

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestCompactWithoutItsTool compacts with programs that do not do what zstd does: one
// that is stuck, with a child that keeps its output open, ends after its time.
func TestCompactWithoutItsTool(t *testing.T) {
	for name, script := range map[string]string{
		"stuck":              "sleep 1000",
		"stuck child":        "sleep 1000 & wait",
		"stuck after output": "echo x; exec sleep 1000",
		"fails":              "exit 1",
		"lies":               "echo hello",
		"says nothing":       "cat > /dev/null",
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "zstd")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			d := layouttest.Open(t)
			var want []string
			for i := range 6 {
				want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 5, layouttest.Channel("a"), layouttest.Channel(fmt.Sprint("b", i%3)))...)
			}
			slices.Sort(want)

			var log bytes.Buffer
			_, err := In(d).Compact(t.Context(), CompactOptions{
				Filter: schema.All(), Now: testNow, Zstd: program, ToolLimit: 100 * time.Millisecond,
				Log: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
				t.Errorf("%d records, want %d", len(got), len(want))
			}
			if said := strings.Count(log.String(), "is not used any more"); said != 1 {
				t.Errorf("said %d times:\n%s", said, &log)
			}
		})
	}
}
