package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// TestSpoolSurvivesKills kills a server that publishes the files of a spool folder,
// again and again. Every record is stored exactly once, and no file is left.
func TestSpoolSurvivesKills(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	const files, perFile = 10, 200
	dir, spool := t.TempDir(), t.TempDir()
	sent := 0
	for round := range rounds {
		for i := range files {
			text := rawlog.AppendHead(nil, 1)
			for range perFile {
				text = rawlog.AppendEntry(text, &rawlog.Submission{
					Path: fmt.Sprint("id", sent), Body: []byte(`{"ver":2,"info":{"appName":"Firefox"}}`), Time: time.UnixMilli(1391385600000),
				}, 1)
				sent++
			}

			name := filepath.Join(spool, fmt.Sprintf("log%d.%d", round, i))
			if err := os.WriteFile(name+".tmp", text, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(name+".tmp", name+rawlog.FinishedSuffix); err != nil {
				t.Fatal(err)
			}
		}

		s := ingesttest.Serve(t, "tmserver", dir, "--spool", spool)
		time.Sleep(rand.N(60 * time.Millisecond)) // anywhere in its work
		s.Kill()
	}

	s := ingesttest.Serve(t, "tmserver", dir, "--spool", spool)
	ingesttest.Wait(t, func() bool {
		left, err := os.ReadDir(spool)
		if err != nil {
			t.Fatal(err)
		}

		return len(left) == 0
	})
	s.Stop(t)

	stored := ingesttest.Published(t, dir)
	for i := range sent {
		if n := stored[fmt.Sprint("id", i)]; n != 1 {
			t.Errorf("id%d is stored %d times", i, n)
		}
	}
}
