package layout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// TestRawLogThatReturns: a raw log comes back under its name after its segments
// were merged, with the same, with less, with more, with other records. Whatever
// was not published before is published now, and nothing twice.
func TestRawLogThatReturns(t *testing.T) {
	for _, into := range []struct {
		url     string
		columns bool
	}{{"", false}, {"mem://returns", false}, {"", true}, {"mem://returns_columns", true}} {
		url := into.url
		d := layouttest.Open(t)
		if url != "" {
			if err := d.PublishTo(url); err != nil {
				t.Fatal(err)
			}
		}
		publish := func(source string, ids ...string) {
			t.Helper()
			w, err := d.NewWriter(source, layout.WriterOptions{MemoryBytes: 1})
			if err != nil {
				t.Fatal(err)
			}
			w.SetTime(time.UnixMilli(1391385600000))
			for _, id := range ids {
				if err := w.Add(layouttest.Partition, []byte(id), []byte("{}")); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.AddRejected(layout.Rejected{Class: "bad", Path: source}); err != nil {
				t.Fatal(err)
			}
			pub, err := w.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pub {
				if p.Records == 0 {
					t.Errorf("an empty segment was published: %+v", p)
				}
			}
		}
		publish("log.1", "a", "b")
		publish("log.2", "c")
		for i, tt := range []struct {
			compact bool
			ids     []string
			want    []string
		}{
			{true, []string{"a", "b"}, []string{"a", "b", "c"}},
			{false, []string{"b"}, []string{"a", "b", "c"}},
			{false, []string{"a", "d", "b", "e"}, []string{"a", "b", "c", "d", "e"}},
			{false, []string{"a", "d", "b", "e"}, []string{"a", "b", "c", "d", "e"}}, // replaces its own
			{true, []string{"f"}, []string{"a", "b", "c", "d", "e", "f"}},
			{true, []string{"a", "b", "d", "e", "f"}, []string{"a", "b", "c", "d", "e", "f"}},
			{true, []string{"c"}, []string{"a", "b", "c", "d", "e", "f"}}, // merged too, from log.2
		} {
			if tt.compact {
				options := upkeep.CompactOptions{Filter: layouttest.Everything(), Columns: into.columns}
				if _, err := upkeep.In(d).Compact(t.Context(), options); err != nil {
					t.Fatal(err)
				}
			}
			publish("log.1", tt.ids...)
			var got []string
			for _, l := range layouttest.ReadAll(t, d.Tree(), schema.All()) {
				got = append(got, l[:1])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v step %d: records %q, want %q", into, i, got, tt.want)
			}
			if _, found, err := upkeep.In(d).Check(t.Context(), false); err != nil || len(found) > 0 {
				t.Errorf("%v step %d: check: %v, %v", into, i, found, err)
			}
		}
		if url == "" {
			if got := len(layouttest.ReadAll(t, d.Tree(), layouttest.Everything())); got != 6+2 {
				t.Errorf("%d records with quarantine, want 8", got)
			}
		}
	}
}
