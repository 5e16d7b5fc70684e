package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
)

// submitUntilDeath posts different submissions from 64 clients until the server
// is gone, and notes the IDs that were answered with 200.
func submitUntilDeath(ctx context.Context, s *ingesttest.Server, bodies [][]byte, round int, acked map[string]bool) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for k := range 64 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%08d-0000-4000-8000-%04d%08d", round, k, i)
				req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/submit/telemetry/"+id, bytes.NewReader(bodies[i%len(bodies)]))
				if err != nil {
					panic(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					mu.Lock()
					acked[id] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

// TestKilledServerLosesNothing kills a server in the middle of its work again
// and again. Whatever it answered with 200 is in the store exactly once. With
// SOAK=1 it does so 20 times, every three seconds.
func TestKilledServerLosesNothing(t *testing.T) {
	rounds, life := 5, 500*time.Millisecond
	switch {
	case os.Getenv("SOAK") != "":
		rounds, life = 20, 3*time.Second
	case testing.Short():
		rounds = 2
	}
	dir := t.TempDir()
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		t.Fatal(err)
	}
	g := gen.New(1)
	bodies := make([][]byte, 20)
	for i := range bodies {
		bodies[i] = gzipped(g.Ping(i).JSON)
	}

	acked := map[string]bool{} // answered with 200
	for round := range rounds {
		// Small logs, so that the kill hits rotation and conversion as well.
		s := ingesttest.Serve(t, "tmserver", dir, "--max-log-size", "1000000", "--workers", "2")
		timer := time.AfterFunc(life/2+rand.N(life), func() { s.Process.Kill() })
		submitUntilDeath(t.Context(), s, bodies, round, acked)
		timer.Stop()
		s.Kill()
	}

	// The last server converts what is left.
	s := ingesttest.Serve(t, "tmserver", dir, "--workers", "2")
	s.Stop(t)
	if out, err := exec.Command("tmserver", "check", "--data-dir", dir).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
	stored := ingesttest.Published(t, dir)
	for id := range acked {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged and is stored %d times", id, stored[id])
		}
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", id, n)
		}
	}

	t.Logf("%d rounds: %d acknowledged, %d stored", rounds, len(acked), len(stored))
	if len(acked) == 0 {
		t.Error("nothing was acknowledged")
	}
	if left, _ := os.ReadDir(filepath.Join(dir, layout.RawDir)); len(left) > 0 {
		t.Errorf("left in raw/: %v", left)
	}
}
