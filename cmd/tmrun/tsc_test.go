package main

import (
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

// nodeModules returns the folder of the npm packages that .ci/node has fetched, or
// skips.
func nodeModules(t *testing.T) string {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI skips nothing: %s", what)
		}
		t.Skip(what)
	}

	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}

	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}

	// The script writes the file "complete" last.
	dir := filepath.Join(cache, "telemetry-server", "node")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		missing("DuckDB and TypeScript are not there; .ci/node fetches them")
	}
	return filepath.Join(dir, "node_modules")
}

// TestTypes: TypeScript's compiler, in its strictest mode, accepts what `tmrun new`
// makes, and finds a script's mistakes with types.d.ts.
func TestTypes(t *testing.T) {
	tsc := filepath.Join(nodeModules(t), "typescript", "bin", "tsc")
	dir := t.TempDir()

	// Every template, in JavaScript or TypeScript.
	for _, args := range [][]string{
		{"--template", "count", "count.js"}, {"--template", "count", "typed.ts"}, {"--template", "histogram", "histogram.js"},
		{"--template", "list", "list.ts"}, {"--template", "median", "median.ts"}, {"--template", "percentiles", "percentiles.ts"}, {"--template", "table", "table.ts"}, {"--template", "filter", "filter.js"},
		{"--template", "main", "main.ts"}, {"--template", "glean", "glean.ts"},
	} {
		args[2] = filepath.Join(dir, args[2])
		var stderr strings.Builder
		st := &cli.State{
			Args: append([]string{"new"}, args...), Env: func(string) string { return "" },
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		}
		if code := run(st); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, &stderr)
		}
	}

	compile := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "node", tsc, "-p", ".")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}

	write("tsconfig.json", `{"compilerOptions": {"strict": true, "noEmit": true, "allowJs": true, "target": "es2020", "lib": ["es2020"],
		"module": "es2022", "moduleResolution": "bundler", "types": []}}`)
	if out, err := compile(); err != nil {
		t.Fatalf("what tmrun new makes: %v\n%s", err, out)
	}

	// What is generic, and what data files are.
	write("rows.csv", "version,date\n28.0,2014-03-18\n")
	write("right.ts", `/// <reference path="./types.d.ts" />
import rows from "./rows.csv"
import { index } from "data"
import { sum } from "histogram"
const first: string = rows[0].version
const date: string | undefined = index(rows, "version")[first]?.date
export function map(id: string, dims: tm.Dims, ping: tm.Ping, ctx: tm.Context) {
  const h = ping.histogram("GC_MS")
  if (h) ctx.write(date ?? "", h)
}
export function reduce(key: any, values: tm.BoundHistogram[], ctx: tm.ReduceContext) { ctx.write(key, sum(values).percentile(50)) }
`)
	if out, err := compile(); err != nil {
		t.Fatalf("a right script: %v\n%s", err, out)
	}

	// Three mistakes that only the types show.
	write("wrong.ts", `/// <reference path="./types.d.ts" />
export function map(id: string, dims: tm.Dims, ping: tm.Ping, ctx: tm.Context) {
  ctx.wirte(dims.appName, 1)
  ctx.write({ id }, 1)
  ctx.write(dims.appChannel, 1)
}
`)
	out, err := compile()
	for _, want := range []string{"wrong.ts(3,7): error", "wrong.ts(4,", "wrong.ts(5,18): error"} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("tsc says %v, want %q in it:\n%s", err, want, out)
		}
	}
}
