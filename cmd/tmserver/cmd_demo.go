package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
	"github.com/aitgithub/telemetry-server/scripts"
)

type demoCmd struct {
	Count   int    `default:"2000" help:"How many pings to submit."`
	Seed    uint64 `default:"1" help:"Which population of browsers."`
	DataDir string `short:"d" type:"path" placeholder:"DIR" help:"Data folder (default: a new temporary one)."`
}

func (c *demoCmd) Help() string {
	return `Starts a real server on a free port, submits made-up pings to it over HTTP, stops
it, which converts them, and runs two of the shipped jobs. The data stays, to go
on with; the last lines say where and how.

EXIT STATUS: 0 done, 1 failed, 130 interrupted.`
}

// Run plays the flow from left to right: submit, convert, ask.
func (c *demoCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.Count < 1 {
		return cli.Usage("--count %d: want at least 1", c.Count)
	}
	dir := c.DataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "telemetry-demo-"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				os.RemoveAll(dir)
			}
		}()
	}
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		return err
	}
	began := time.Now()
	if err := c.submit(ctx, st, dir); err != nil {
		return err
	}
	fmt.Fprintf(st.Stderr, "converted and published, %.1f s from the start\n", time.Since(began).Seconds())
	for _, job := range []struct{ name, title string }{
		{"os_distribution", "Records per operating system"},
		{"histogram_sum", "Some histograms, added up per channel and version (long lines are cut)"},
	} {
		fmt.Fprintf(st.Stdout, "\n%s: tmrun --data-dir %s %s\n\n", job.title, dir, job.name)
		if err := runShipped(ctx, dir, job.name, st.Stdout); err != nil {
			return err
		}
	}
	fmt.Fprintf(st.Stdout, `
The data lies in %s. To go on:

  go run ./cmd/tmrun --data-dir %[1]s channel_distribution
  go run ./cmd/tmrun --data-dir %[1]s --where appUpdateChannel=nightly scripts/os_distribution.js
  go run ./cmd/tmserver serve --data-dir %[1]s --offline
`, dir)
	return nil
}

// submit serves dir until all pings are submitted; stopping converts them.
func (c *demoCmd) submit(ctx context.Context, st *cli.State, dir string) error {
	var g grammar // parsed, so that everything else is as in a real start
	parser, err := kong.New(&g, kong.Name("tmserver"))
	if err != nil {
		return err
	}
	if _, err := parser.Parse([]string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", "", "--offline"}); err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	pr, pw := io.Pipe()
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		state := *st
		state.Stdout = pw
		err := g.Serve.Run(serving, &state)
		pw.CloseWithError(err)
		return err
	})
	eg.Go(func() error {
		defer stop()
		lines := bufio.NewScanner(pr)
		if !lines.Scan() {
			return nil // the server's own error says why
		}
		url := strings.TrimPrefix(lines.Text(), "listening ")
		go io.Copy(io.Discard, pr) // until the server closes it
		return c.post(ctx, st, url)
	})
	return eg.Wait()
}

// post submits all pings to the server at url, gzipped as browsers do.
func (c *demoCmd) post(ctx context.Context, st *cli.State, url string) error {
	fmt.Fprintf(st.Stderr, "submitting %d pings to %s\n", c.Count, url)
	visible := false
	if f, ok := st.Stderr.(*os.File); ok {
		visible = term.IsTerminal(int(f.Fd()))
	}
	bar := progressbar.NewOptions(c.Count,
		progressbar.OptionSetWriter(st.Stderr), progressbar.OptionSetVisibility(visible),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("pings"),
		progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(st.Stderr) }))
	const clients = 8 // per processor: each waits for its fsync
	var next atomic.Int64
	eg, ctx := errgroup.WithContext(ctx)
	transport := &http.Transport{MaxIdleConnsPerHost: clients * runtime.GOMAXPROCS(0)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for range clients * runtime.GOMAXPROCS(0) {
		eg.Go(func() error {
			g := gen.New(c.Seed)
			for {
				i := int(next.Add(1)) - 1
				if i >= c.Count {
					return nil
				}
				p := g.Ping(i)
				if err := postOne(ctx, client, url+"/submit/telemetry/"+p.Path(), gzipped(p.JSON)); err != nil {
					return err
				}
				bar.Add(1)
			}
		})
	}
	return eg.Wait()
}

func postOne(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("submit: the server answered %s: %s", resp.Status, answer)
	}
	return err
}

// maxColumns is where a line of a demo's table is cut.
const maxColumns = 110

// runShipped runs a shipped job over the data folder and prints its output.
func runShipped(ctx context.Context, dir, name string, out io.Writer) error {
	text, err := scripts.FS.ReadFile(name + ".js")
	if err != nil {
		return err
	}
	compiled, err := script.Compile(name+".js", string(text))
	if err != nil {
		return err
	}
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	src := engine.TreeSource{Tree: tree}
	plan, err := engine.NewPlan(ctx, src, schema.All(), nil)
	if err != nil {
		return err
	}
	o := revisions.DefaultOptions()
	o.Dir, o.Offline = filepath.Join(dir, layout.RevisionCacheDir), true
	definitions, err := revisions.NewCache(o)
	if err != nil {
		return err
	}
	defer definitions.Close()
	limits := script.DefaultLimits()
	limits.Definitions = definitions
	var result bytes.Buffer
	sink := format.NewTSV(&result)
	_, err = engine.Run(ctx, src, plan, &script.Job{Script: compiled, Limits: limits}, sink, engine.DefaultOptions())
	if err := errors.Join(err, sink.Close()); err != nil {
		return err
	}
	var table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	tw.Write(result.Bytes()) // a Buffer takes everything
	tw.Flush()
	for line := range strings.Lines(table.String()) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > maxColumns {
			line = line[:maxColumns-1] + "…"
		}
		if _, err := fmt.Fprintln(out, "  "+line); err != nil {
			return err
		}
	}
	return nil
}
