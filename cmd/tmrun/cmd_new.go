package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/revisions"
)

// templates are what new scripts begin as, each with its test.
//
//go:embed templates/*.js
var templates embed.FS

// filterTemplate is the template that is a filter and no job, and so has no test.
const filterTemplate = "filter"

// newCmd starts a script.
type newCmd struct {
	File       string `arg:"" predictor:"file" help:"The script to make: job.js, or job.ts for TypeScript."`
	Template   string `short:"t" enum:"count,table,histogram,percentiles,list,median,main,glean,filter" default:"count" help:"count: records by key; table: aggregations that Go does; histogram: add one up; percentiles: of a histogram; list: map only; median: quantiles of a measure; main: the main pings of Firefox; glean: pings of the Glean SDK; filter: no job, but a filter for jobs."`
	Histograms string `predictor:"file" placeholder:"FILE" help:"A Histograms.json whose names editors complete."`
}

// Help is the long help.
func (c *newCmd) Help() string {
	return `Writes a script from a template, its test (a filter has none), and types.d.ts
for editors beside them. It overwrites neither scripts nor tests.

EXIT STATUS: 0 made; 1 failed; 2 usage, or one of the files exists.`
}

// Run implements the command.
func (c *newCmd) Run(_ context.Context, st *cli.State) error {
	// Check the arguments before anything is written.
	ext := filepath.Ext(c.File)
	if ext != ".js" && ext != ".ts" {
		return cli.Usage("%s: a script's name ends in .js or .ts", c.File)
	}

	histograms, err := c.histogramNames()
	if err != nil {
		return err
	}

	// The script, with type annotations in the way of its language, and its test.
	text, err := c.template(".js")
	if err != nil {
		return err
	}

	files := []newFile{{c.File, declare.Annotate(text, ext)}}
	if c.Template != filterTemplate {
		text, err := c.template(".test.js")
		if err != nil {
			return err
		}
		files = append(files, newFile{strings.TrimSuffix(c.File, ext) + ".test" + ext, text})
	}

	if err := writeNew(files); err != nil {
		return err
	}

	// The types are generated, so an old file is only an older version of them.
	types := filepath.Join(filepath.Dir(c.File), "types.d.ts")
	if err := os.WriteFile(types, []byte(declare.Types(histograms)), 0o666); err != nil {
		return err
	}

	// Print what to type next.
	if c.Template == filterTemplate {
		fmt.Fprintf(st.Stderr, "made %s and %s\n\ntmrun check %[1]s\ntmrun --data-dir DIR --input-filter %[1]s JOB\n", c.File, types)
		return nil
	}
	fmt.Fprintf(st.Stderr, "made %s, %s and %s\n\ntmrun test %[1]s\ntmrun --data-dir DIR %[1]s\n", c.File, files[1].name, types)
	return nil
}

// histogramNames returns the names in the Histograms.json of --histograms; none
// without the flag.
func (c *newCmd) histogramNames() (names []string, err error) {
	if c.Histograms == "" {
		return nil, nil
	}

	text, err := os.ReadFile(c.Histograms)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}

	spec, err := revisions.Parse(text)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.Histograms, err))
	}

	for definition := range spec.Definitions() {
		names = append(names, definition.Name)
	}
	return names, nil
}

// template returns the text of the chosen template; suffix says whether that of
// the script or of its test.
func (c *newCmd) template(suffix string) (string, error) {
	text, err := templates.ReadFile("templates/" + c.Template + suffix)
	return string(text), err
}

// newFile is a file to write.
type newFile struct{ name, text string }

// writeNew writes files into a folder that it makes if missing. It writes none if
// one of them exists.
func writeNew(files []newFile) error {
	// Look at all names first, so that nothing is half made.
	for _, f := range files {
		if _, err := os.Lstat(f.name); err == nil {
			return cli.Usage("%s is there already", f.name)
		}
	}

	if err := os.MkdirAll(filepath.Dir(files[0].name), 0o777); err != nil {
		return err
	}

	for _, f := range files {
		if err := create(f); err != nil {
			return err
		}
	}
	return nil
}

// create writes a file; it is an error if that exists.
func create(f newFile) error {
	file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}

	_, err = file.WriteString(f.text)
	return errors.Join(err, file.Close())
}
