package layout_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestSpillChangesNothing publishes the same records with room for all IDs and frames, and
// with room for hardly any: the segments have the same IDs, and the same bytes where only
// the IDs were spilled.
func TestSpillChangesNothing(t *testing.T) {
	publish := func(o layout.WriterOptions) (segments map[string]string, lines []string) {
		t.Helper()
		data := layouttest.Open(t)
		writer, err := data.NewWriter("source", o)
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Abort()

		for i := range 5000 {
			partition := layouttest.Channel([]string{"nightly", "beta", "release"}[i*i%7%3])
			if err := writer.Add(partition, fmt.Appendf(nil, "id%d", i), []byte(`{"a":1}`)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := writer.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := filesBelow(t, data, layout.StagingDir); len(left) > 0 {
			t.Errorf("%d files are left in staging", len(left))
		}
		return filesBelow(t, data, layout.PublishedDir), layouttest.ReadAll(t, data.Tree(), layouttest.Everything())
	}

	want, _ := publish(layout.WriterOptions{})
	for _, maxIDs := range []int{1, 2, 10, 777, 4999} {
		if got, lines := publish(layout.WriterOptions{MaxIDs: maxIDs}); !maps.Equal(got, want) || len(lines) != 5000 {
			t.Errorf("%d IDs in memory: other segments, of %d lines", maxIDs, len(lines))
		}
	}
}
