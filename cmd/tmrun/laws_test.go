package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/scripts"
)

// firstCounts are the shipped scripts whose output may depend on the order of the
// input: of documents stored twice the first counts.
var firstCounts = []string{"fxos_usage", "loop_failures"}

// TestShippedScriptsKeepTheLaws runs every shipped script over its fixture in all
// the ways that must not change its output.
func TestShippedScriptsKeepTheLaws(t *testing.T) {
	entries, err := scripts.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".js")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiled, err := loadScript(name)
			if err != nil {
				t.Fatal(err)
			}

			// The output that every law is compared with.
			tc := script.TestCase{Name: name, Records: fixture(t, name), Ordered: slices.Contains(firstCounts, name)}
			job := &script.Job{Script: compiled, Limits: script.DefaultLimits()}
			base, err := runCase(t.Context(), job, oneSegment(tc.Records), 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(base) == 0 {
				t.Error("no output")
			}

			for _, l := range laws(job, tc) {
				rows, err := l.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if d := differ(rows, base, l.shuffled); d != "" {
					t.Errorf("%s: %s", l.name, d)
				}
			}
		})
	}
}

// fixture reads the records of scripts/testdata/<name>.txtar.
func fixture(t *testing.T, name string) (records []script.TestRecord) {
	t.Helper()
	ar, err := txtar.ParseFile(filepath.Join("..", "..", "scripts", "testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range ar.Files {
		at := strings.LastIndexByte(f.Name, '/')
		if at < 0 || strings.HasPrefix(f.Name, "definitions/") {
			continue // the wanted output, which the script's own test compares
		}

		dims, err := schema.ParseDims(f.Name[:at])
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		if err := json.Compact(&line, f.Data); err != nil {
			t.Fatal(err)
		}

		records = append(records, script.TestRecord{ID: f.Name[at+1:], Dims: dims, JSON: line.Bytes()})
	}
	return records
}

func TestDiffer(t *testing.T) {
	parse := func(s string) []any { return parseJSON([]byte(s)).([]any) }
	for _, tt := range []struct {
		got, want string
		anyOrder  bool
		diff      string
	}{
		{`[["a",1]]`, `[["a",1]]`, false, ""},
		{`[["a",0.30000000000000004]]`, `[["a",0.3]]`, false, ""},
		{`[["a",0.3001]]`, `[["a",0.3]]`, false, `row 1: got ["a",0.3001], want ["a",0.3]`},
		{`[{"x":1,"y":[2]}]`, `[{"y":[2],"x":1}]`, false, ""},
		{`[{"x":1}]`, `[{"x":1,"y":null}]`, false, `row 1: got {"x":1}, want {"x":1,"y":null}`},
		{`[1,2]`, `[2,1]`, false, "row 1: got 1, want 2"},
		{`[1,2]`, `[2,1]`, true, ""},
		{`[1]`, `[1,"x"]`, false, `row 2 is missing: "x"`},
		{`[1,null]`, `[1]`, false, "row 2 is too much: null"},
		{`["1"]`, `[1]`, false, `row 1: got "1", want 1`},
	} {
		if d := differ(parse(tt.got), parse(tt.want), tt.anyOrder); d != tt.diff {
			t.Errorf("%s, %s: %q, want %q", tt.got, tt.want, d, tt.diff)
		}
	}
}
