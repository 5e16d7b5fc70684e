package engine_test

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/memory"
)

// leakyCache is a Cache whose results tests delete and damage.
type leakyCache struct {
	mu      sync.Mutex
	results map[[sha256.Size]byte][]byte
}

func (m *leakyCache) Get(key [sha256.Size]byte) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.results[key]
	return b, ok
}

func (m *leakyCache) Put(key [sha256.Size]byte, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[key] = data
}

// TestCachedEqualsMapped: however segments are added and replaced, and results lost and
// damaged, the output is that of mapping everything.
func TestCachedEqualsMapped(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cache := &leakyCache{results: map[[sha256.Size]byte][]byte{}}
		var segs memory.Source
		job := concat{combine: rapid.Bool().Draw(rt, "combine")}
		for round := range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			var frames []string
			for f := range rapid.IntRange(1, 12).Draw(rt, "frames") {
				frames = append(frames, strings.Repeat(fmt.Sprintf("k%d\t%d;\n", f%3, round), rapid.IntRange(1, 9).Draw(rt, "records")))
			}

			// A segment more, or another content of the first.
			s := memory.Segment{Path: fmt.Sprintf("seg%d", round), Dims: enginetest.Dims, Frames: frames}
			if len(segs) > 0 && rapid.Bool().Draw(rt, "replace") {
				segs[0].Frames = frames
			} else {
				segs = append(segs, s)
			}

			// Some results are lost, some damaged.
			cache.mu.Lock()
			for k, b := range cache.results {
				switch rapid.IntRange(0, 9).Draw(rt, "fate") {
				case 0:
					delete(cache.results, k)
				case 1:
					cache.results[k] = b[:len(b)/2]
				}
			}
			cache.mu.Unlock()

			o := engine.DefaultOptions().WithSizes(300, 1<<20, 512)
			o.Cache = cache
			o.CacheKey = fmt.Append(nil, job.combine)
			got, st, err := runJob(t.Context(), segs, job, o)
			if err != nil {
				rt.Fatal(err)
			}
			if want := sequential(segs); got != want {
				rt.Fatalf("round %d: got %q, want %q", round, got, want)
			}

			// What was mapped is in the cache now.
			_, again, err := runJob(t.Context(), segs, job, o)
			if err != nil || again.Cached != again.Tasks || !reflect.DeepEqual(again.TaskStats, st.TaskStats) {
				rt.Fatalf("again: %+v, %v; first %+v", again, err, st)
			}
		}
	})
}
