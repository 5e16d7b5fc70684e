package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/revisions"
)

// templates are what new scripts begin as, each with its test.
//
//go:embed templates/*.js
var templates embed.FS

// filterTemplate is the one that is no job, and so has no test.
const filterTemplate = "filter"

// newCmd starts a script.
type newCmd struct {
	File       string `arg:"" predictor:"file" help:"The script to make: job.js, or job.ts for TypeScript."`
	Template   string `short:"t" enum:"count,histogram,list,median,filter" default:"count" help:"count: records by key; histogram: add one up; list: map only; median: quantiles of a measure; filter: no job, but a filter for jobs."`
	Histograms string `predictor:"file" placeholder:"FILE" help:"A Histograms.json whose names editors complete."`
}

// Run implements the command: it writes the script, its test (a filter has none),
// and types.d.ts beside them. It overwrites no script and no test.
//
// EXIT STATUS: 0 made; 2 one of the files is there, or the name is no script's.
func (c *newCmd) Run(_ context.Context, st *cli.State) error {
	ext := filepath.Ext(c.File)
	if ext != ".js" && ext != ".ts" {
		return cli.Usage("%s: a script's name ends in .js or .ts", c.File)
	}
	var histograms []string
	if c.Histograms != "" {
		text, err := os.ReadFile(c.Histograms)
		if err != nil {
			return cli.Fail(cli.ExitUsage, err)
		}
		spec, err := revisions.Parse(text)
		if err != nil {
			return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.Histograms, err))
		}
		for d := range spec.Definitions() {
			histograms = append(histograms, d.Name)
		}
	}
	files := map[string]string{c.File: c.Template + ".js"} // the templates by what is made of them
	test := strings.TrimSuffix(c.File, ext) + ".test" + ext
	if c.Template != filterTemplate {
		files[test] = c.Template + ".test.js"
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, err := os.Lstat(name); err == nil {
			return cli.Usage("%s is there already", name)
		}
	}
	if err := os.MkdirAll(filepath.Dir(c.File), 0o777); err != nil {
		return err
	}
	for name, template := range files {
		text, err := templates.ReadFile("templates/" + template)
		if err != nil {
			return err // a bug
		}
		if name == c.File {
			text = []byte(declare.Annotate(string(text), ext))
		}
		if err := create(name, text); err != nil {
			return err
		}
	}
	types := filepath.Join(filepath.Dir(c.File), "types.d.ts")
	if err := os.WriteFile(types, []byte(declare.Types(histograms)), 0o666); err != nil {
		return err
	}
	if c.Template == filterTemplate {
		fmt.Fprintf(st.Stderr, "made %s and %s\n\ntmrun check %[1]s\ntmrun --data-dir DIR --input-filter %[1]s JOB\n", c.File, types)
		return nil
	}
	fmt.Fprintf(st.Stderr, "made %s, %s and %s\n\ntmrun test %[1]s\ntmrun --data-dir DIR %[1]s\n", c.File, test, types)
	return nil
}

// create writes a file that must not be there yet.
func create(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
