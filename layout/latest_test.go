package layout_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// TestLatest compares random submissions of few documents with a map, with
// everything in memory and with everything on disk, before and after compaction.
func TestLatest(t *testing.T) {
	d := layouttest.Open(t)
	type doc struct{ id, kind string }
	type seen struct {
		saved bool
		at    time.Time
		json  string
	}
	want := map[doc]seen{}
	rnd := rand.New(rand.NewPCG(1, 2))
	reasons := []string{"idle_daily", "saved_session", "main"}
	for log := range 4 {
		w, err := d.NewWriter(fmt.Sprintf("log.%d", log), layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			p, id := layouttest.Partition, fmt.Sprintf("id-%d", rnd.IntN(150))
			p[schema.Reason], p[schema.Channel] = reasons[rnd.IntN(3)], fmt.Sprintf("c%d", rnd.IntN(3))
			at := time.Date(2013, 9, 10+rnd.IntN(3), 0, 0, 0, rnd.IntN(86_400_000)*1_000_000%1_000_000_000, time.UTC).Add(time.Duration(rnd.IntN(86_000)) * time.Second)
			p[schema.SubmissionDate] = string(schema.DateOf(at))
			json := fmt.Sprintf(`{"n":"%d-%d"}`, log, i)
			w.SetTime(at)
			if err := w.Add(p, []byte(id), []byte(json)); err != nil {
				t.Fatal(err)
			}
			k := doc{id, p[schema.Reason]}
			s := seen{p[schema.Reason] == "saved_session", at.Truncate(time.Millisecond), json}
			if s.saved {
				k.kind = "idle_daily"
			}
			old, ok := want[k]
			if !ok || s.saved && !old.saved || s.saved == old.saved && s.at.After(old.at) {
				want[k] = s
			}
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for k, s := range want {
		lines = append(lines, k.id+"\t"+s.json)
	}
	slices.Sort(lines)
	for _, tt := range []struct {
		name   string
		memory int
	}{{"in memory", 0}, {"on disk", 1000}, {"compacted", 0}, {"in columns", 0}, {"in columns, on disk", 1000}} {
		if tt.name == "compacted" || tt.name == "in columns" {
			options := upkeep.CompactOptions{Filter: schema.All(), Columns: tt.name == "in columns"}
			if _, err := upkeep.In(d).Compact(t.Context(), options); err != nil {
				t.Fatal(err)
			}
		}
		tree := d.Tree()
		segs, err := tree.Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}
		work := t.TempDir()
		x, err := tree.Latest(t.Context(), segs, dedup.Options{WorkDir: work, MemoryBytes: tt.memory})
		if err != nil {
			t.Fatal(err)
		}
		if es, _ := os.ReadDir(work); len(es) > 0 {
			t.Errorf("%s: left behind %v", tt.name, es)
		}
		var got []string
		for _, s := range segs {
			info, err := tree.Info(s)
			if err != nil {
				t.Fatal(err)
			}
			for lo := range info.Frames {
				r, err := tree.Open(s, lo, lo+1)
				if err != nil {
					t.Fatal(err)
				}
				r.Skip(x)
				for {
					b, err := r.Next()
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
				}
				r.Close()
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, lines) || x.Dropped != int64(1200-len(lines)) {
			t.Errorf("%s: %d records, %d dropped; want %d", tt.name, len(got), x.Dropped, len(lines))
		}
	}
}

func TestLatestReadsOldFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"idle_daily/a/c/1/b.20130911.log":    "x\t{\"n\":1}\ny\t{\"n\":2}\ny\t{\"n\":3}\n",
		"saved_session/a/c/1/b.20130910.log": "x\t{\"n\":4}\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	x, err := tree.Latest(t.Context(), segs, dedup.Options{})
	if err != nil || x.Dropped != 2 {
		t.Fatalf("Latest dropped %d, %v; want 2", x.Dropped, err)
	}
	r, err := tree.Open(segs[0], 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Skip(x)
	if b, err := r.Next(); err != nil || string(b) != "y\t{\"n\":3}\n" {
		t.Errorf("Next = %q, %v", b, err)
	}
}
