package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
	"github.com/aitgithub/telemetry-server/scripts"
)

// tmrun runs a command in this process.
func tmrun(stdin string, args ...string) (stdout, stderr string, code int) {
	var out, said bytes.Buffer
	code = run(&cli.State{
		Args: args, Env: func(string) string { return "" }, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &said,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return out.String(), said.String(), code
}

// publishRecords publishes n real records in a data folder, in up to three segments of
// each partition; if url is not "", in that object store.
func publishRecords(t *testing.T, n int, url string) string {
	data := layouttest.Open(t)
	if url != "" {
		if err := data.PublishTo(url); err != nil {
			t.Fatal(err)
		}
	}

	const logs = 3
	for i := range logs {
		// The name is that of no other log in the object store.
		name := fmt.Sprintf("telemetry.log.v4.%s.%d.1380000000000", filepath.Base(data.Dir()), i)
		writer, err := data.NewWriter(name, layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		number := 0
		for record := range layouttest.Varied(t, n) {
			if number++; number%logs == i {
				if err := writer.Add(record.Partition, record.ID, record.JSON); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := writer.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return data.Dir()
}

// toColumns compacts a data folder, or an object store, into segments in columns.
func toColumns(t *testing.T, place string) {
	opened, err := upkeep.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if _, err := opened.Compact(t.Context(), upkeep.CompactOptions{Filter: schema.All(), Now: time.Now(), Columns: true}); err != nil {
		t.Fatal(err)
	}
}

// shippedJobs calls do with the arguments of each shipped script: with each table, if it
// has several.
func shippedJobs(t *testing.T, do func(t *testing.T, args ...string)) {
	names, err := fs.Glob(scripts.FS, "*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		compiled, err := loadScript(name)
		if err != nil {
			t.Fatal(err)
		}
		tables, err := compiled.Tables(t.Context(), script.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}

		t.Run(strings.TrimSuffix(name, ".js"), func(t *testing.T) {
			if len(tables) < 2 || tables.Written() {
				do(t, name)
				return
			}
			for _, table := range tables {
				do(t, "--table", table.Name, name)
			}
		})
	}
}

// files returns the paths of all files below dir, as find prints them.
func files(t *testing.T, dir string) (names []string) {
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// sorted sorts the lines of texts by bytes.
func sorted(texts ...string) string {
	lines := strings.SplitAfter(strings.Join(texts, ""), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestPairsOfShippedScripts: find | tmrun map | sort | tmrun reduce prints what tmrun does,
// for rows and columns, however the names are split, and if tasks run twice.
func TestPairsOfShippedScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every shipped script several times")
	}
	dir := publishRecords(t, 60, "")
	for _, form := range []string{"rows", "columns"} {
		if form == "columns" {
			toColumns(t, dir)
		}
		names := files(t, dir)
		random := rand.New(rand.NewPCG(1, 1))
		random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })

		t.Run(form, func(t *testing.T) {
			shippedJobs(t, func(t *testing.T, args ...string) {
				// Some scripts reject records whose definitions are not there.
				args = append([]string{"--max-errors", "-1"}, args...)
				want, said, code := tmrun("", append([]string{"-d", dir, "--no-cache", "--progress", "none"}, args...)...)
				if code != 0 && code != cli.ExitRejected {
					t.Fatalf("tmrun ended with %d: %s", code, said)
				}

				// Three processes, of which two map the same half.
				script := args[len(args)-1]
				var pairs []string
				half := len(names) / 2
				for _, part := range [][]string{names[half:], names[:half], names[:half]} {
					lines, said, code := tmrun(strings.Join(part, "\n")+"\n", "map", "--max-errors", "-1", script)
					if code != 0 {
						t.Fatalf("map ended with %d: %s", code, said)
					}
					pairs = append(pairs, lines)
				}
				got, said, code := tmrun(sorted(pairs...), append([]string{"reduce"}, args...)...)
				if code != 0 || got != want {
					t.Errorf("reduce ended with %d: %s\n%s\nwant\n%s", code, said, got, want)
				}
			})
		})
	}
}

// TestNamedSegments: what map reads of the names that it gets.
func TestNamedSegments(t *testing.T) {
	dir := publishRecords(t, 20, "")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("ids.js", []byte("export function map(id, dims, ping, ctx) { ctx.write(id, dims.reason) }"), 0o666); err != nil {
		t.Fatal(err)
	}
	records := func(names []string, args ...string) int {
		t.Helper()
		lines, said, code := tmrun(strings.Join(names, "\n"), append(append([]string{"map"}, args...), "ids.js")...)
		if code != 0 {
			t.Fatalf("map ended with %d: %s", code, said)
		}
		return strings.Count(lines, "\n") - strings.Count(lines, "!end")
	}
	rows := files(t, filepath.Join(dir, layout.PublishedDir))

	// Rows that a column segment replaces count once, whether that is named or not.
	kept := map[string][]byte{}
	for _, name := range rows {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kept[name] = text
	}
	toColumns(t, dir)
	columns := files(t, filepath.Join(dir, layout.PublishedDir))
	for name, text := range kept {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for what, tt := range map[string]struct {
		names []string
		args  []string
		want  int
	}{
		"columns and the rows they replace": {append(slices.Clone(rows), columns...), nil, 20},
		"replaced rows only":                {rows, nil, 0},
		"columns":                           {columns, nil, 20},
		"everything in the data folder":     {files(t, dir), nil, 20},
		"nothing":                           {nil, nil, 0},
		"another reason":                    {columns, []string{"--where", "reason=no_such"}, 0},
		"relative to --data-dir":            {[]string{strings.TrimPrefix(columns[0], dir+"/")}, []string{"-d", dir}, -1},
	} {
		got := records(tt.names, tt.args...)
		if got != tt.want && tt.want >= 0 || tt.want < 0 && got == 0 {
			t.Errorf("%s: %d records, want %d", what, got, tt.want)
		}
	}

	// Rows of a group would come in several shards.
	if _, said, code := tmrun("", "reduce", "--shard", "1", "histogram_aggregates"); code != cli.ExitUsage || !strings.Contains(said, "all keys") {
		t.Errorf("a shard of a table that is grouped: %d, %s", code, said)
	}

	// One that is gone is an error.
	if _, said, code := tmrun(columns[0]+"x\n"+filepath.Dir(columns[0])+"/20130101.v2.columns.none.parquet\n", "map", "ids.js"); code != cli.ExitUsage || !strings.Contains(said, "there is no such segment") {
		t.Errorf("a segment that is gone: %d, %s", code, said)
	}
}

// TestIncompletePairs: reduce finds out when the pairs of a task are not all there.
func TestIncompletePairs(t *testing.T) {
	dir := publishRecords(t, 20, "")
	lines, said, code := tmrun(strings.Join(files(t, dir), "\n"), "map", "record_count")
	if code != 0 {
		t.Fatal(said)
	}
	if !strings.Contains(said, "reporter:counter:tmrun,records,20\n") {
		t.Errorf("counters: %s", said)
	}

	all := strings.SplitAfter(sorted(lines), "\n")
	for i, line := range all {
		if line == "" {
			continue
		}
		without := strings.Join(slices.Delete(slices.Clone(all), i, i+1), "")
		if _, said, code := tmrun(without, "reduce", "record_count"); code != cli.ExitCorrupt || !strings.Contains(said, "is not complete") {
			t.Fatalf("without %q: %d, %s", line, code, said)
		}
		if _, said, code := tmrun(without, "reduce", "--shard", "0", "record_count"); code != 0 {
			t.Fatalf("a shard: %d, %s", code, said)
		}
	}
}
