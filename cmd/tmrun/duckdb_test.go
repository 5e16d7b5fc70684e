package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// duckdbQuery prints the rows of a query as JSON.
const duckdbQuery = `(async () => {
  const { DuckDBInstance } = require("@duckdb/node-api")
  const c = await (await DuckDBInstance.create()).connect()
  console.log(JSON.stringify(await (await c.runAndReadAll(process.argv[1])).getRowsJson()))
})()`

// TestFormatsInDuckDB: DuckDB reads every format, and finds the same in each.
func TestFormatsInDuckDB(t *testing.T) {
	modules := nodeModules(t)
	dir := t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}

	// One record, and a job whose cells have all types and need quoting.
	tree := filepath.Join(dir, "saved_session/Firefox/nightly/26.0a1")
	if err := os.MkdirAll(tree, 0o777); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(tree, "1.20130910.v2.log"), "a\t{}\n")
	job := filepath.Join(dir, "job.js")
	write(job, `export const columns = ["name", "n", "share", "ok", "list"]
export function map(id, dims, ping, ctx) {
  ctx.write(["plain", 1, 0.5, true], [1, 2])
  ctx.write(["a \"quote\", comma", -7, 1e21, false], [])
  ctx.write(["ünï 😀", 9007199254740991, -0.25, true], ["x"])
}`)

	// JSON lines need their types spelled out, so that the rows compare equal.
	columns := "{'name': 'VARCHAR', 'n': 'BIGINT', 'share': 'DOUBLE', 'ok': 'BOOLEAN', 'list': 'VARCHAR'}"
	var want string
	for _, f := range []struct{ name, table string }{
		{"parquet", "read_parquet('%s')"},
		{"csv", "read_csv('%s')"},
		{"tsv", "read_csv('%s', delim='\t', quote='')"},
		{"jsonl", "read_json('%s', columns=" + columns + ")"},
	} {
		// Run the job.
		out := filepath.Join(dir, "out."+f.name)
		var stderr bytes.Buffer
		st := &cli.State{
			Args: []string{"-d", dir, "-o", out, job}, Env: func(string) string { return "" },
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		}
		if code := run(st); code != 0 {
			t.Fatalf("%s: exit %d: %s", f.name, code, &stderr)
		}

		// Read its output with DuckDB, which runs in node.
		query := exec.CommandContext(t.Context(), "node", "-e", duckdbQuery, "SELECT * FROM "+fmt.Sprintf(f.table, out))
		query.Env = append(os.Environ(), "NODE_PATH="+modules)
		got, err := query.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", f.name, err, got)
		}

		// The first format's rows are what the others must have.
		if want == "" {
			want = string(got)
		}
		if string(got) != want || strings.Count(want, "[") != 7 {
			t.Errorf("%s: DuckDB reads %s, want %s", f.name, got, want)
		}
	}
}
