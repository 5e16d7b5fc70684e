package scripts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
	"github.com/aitgithub/telemetry-server/revisions"
	"github.com/aitgithub/telemetry-server/scripts"
)

// record is one fixture: a stored record and where it lies.
type record struct {
	dims schema.Dims
	id   string
	json []byte
}

// TestScripts runs every shipped script over testdata/<script>.txtar, whose files
// are records, named <dimensions>/<id>, histogram definitions, named
// definitions/<revision>, and the output, named "want". The output
// must not depend on how the records are spread over segments and workers, nor on the
// form of the segments.
// UPDATE_SCRIPTS=1 rewrites it; review the diff.
func TestScripts(t *testing.T) {
	names, err := scripts.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range names {
		t.Run(strings.TrimSuffix(e.Name(), ".js"), func(t *testing.T) {
			text, err := scripts.FS.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			compiled, err := script.Compile(e.Name(), string(text))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n >= 60 {
				t.Errorf("%d lines, want under 60", n)
			}
			fixture := filepath.Join("testdata", strings.TrimSuffix(e.Name(), ".js")+".txtar")
			ar, err := txtar.ParseFile(fixture)
			if err != nil {
				t.Fatal(err)
			}
			records, want, specs := parse(t, ar)
			got := run(t, compiled, records, specs, whole, 1)
			if os.Getenv("UPDATE_SCRIPTS") != "" {
				want.Data = []byte(got)
				if err := os.WriteFile(fixture, txtar.Format(ar), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(want.Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want.Data)
			}
			for _, stored := range []string{split, merged, inColumns, lateRows} {
				if other := run(t, compiled, records, specs, stored, 3); other != got {
					t.Errorf("%s and three workers:\n%s\nwant:\n%s", stored, other, got)
				}
			}
		})
	}
}

func compact(t *testing.T, data *layout.Data, columns bool) {
	t.Helper()
	options := upkeep.CompactOptions{Filter: schema.All(), Now: time.UnixMilli(1_391_385_600_000), Columns: columns}
	if _, err := upkeep.In(data).Compact(t.Context(), options); err != nil {
		t.Fatal(err)
	}
}

// definitions are those of some revisions.
type definitions map[string]*revisions.Spec

func (d definitions) Spec(_ context.Context, ref revisions.Ref) (*revisions.Spec, error) {
	if s := d[ref.Revision]; s != nil {
		return s, nil
	}
	return nil, revisions.ErrNotFound
}

func parse(t *testing.T, ar *txtar.Archive) (records []record, want *txtar.File, specs definitions) {
	t.Helper()
	specs = definitions{}
	for i := range ar.Files {
		f := &ar.Files[i]
		if f.Name == "want" {
			want = f
			continue
		}
		if rev, ok := strings.CutPrefix(f.Name, "definitions/"); ok {
			spec, err := revisions.Parse(f.Data)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			specs[rev] = spec
			continue
		}
		at := strings.LastIndexByte(f.Name, '/')
		dims, err := schema.ParseDims(f.Name[:max(at, 0)])
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		if err := json.Compact(&line, f.Data); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		records = append(records, record{dims, f.Name[at+1:], line.Bytes()})
	}
	if want == nil {
		t.Fatal("the fixture has no file \"want\"")
	}
	return records, want, specs
}

// Ways to store the records.
const (
	whole     = "published at once"
	split     = "with one segment per record"
	merged    = "with one segment per record, merged"
	inColumns = "with one segment per record, brought into columns"
	lateRows  = "in columns, but for the last records"
)

// run publishes the records, stored in one of these ways, and returns the script's output
// over them.
func run(t *testing.T, s *script.Script, records []record, specs definitions, stored string, workers int) string {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for i := 0; i < len(records); {
		n := len(records)
		if stored != whole {
			n = i + 1
		}
		if stored == lateRows && i == len(records)/2 {
			compact(t, data, true)
		}
		w, err := data.NewWriter(fmt.Sprintf("raw%04d", i), layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for ; i < n; i++ {
			if err := w.Add(records[i].dims, []byte(records[i].id), records[i].json); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if stored == merged || stored == inColumns {
		compact(t, data, stored == inColumns)
	}
	src := engine.TreeSource{Tree: data.Tree()}
	plan, err := engine.NewPlan(t.Context(), src, schema.All(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sink := format.NewTSV(&out)
	opts := engine.DefaultOptions()
	opts.Mappers, opts.Reducers = workers, workers
	limits := script.DefaultLimits()
	limits.Definitions = specs
	job := &script.Job{Script: s, Limits: limits, Console: func(_, text string) { t.Log(text) }}
	stats, err := engine.Run(t.Context(), src, plan, job, sink, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if stats.Records != int64(len(records)) || stats.Rejected != 0 {
		t.Errorf("%d records read, %d rejected, want %d and 0", stats.Records, stats.Rejected, len(records))
	}
	return out.String()
}
