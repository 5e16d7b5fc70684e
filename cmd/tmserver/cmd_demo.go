package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/layout"
)

// demoCmd shows the whole flow.
type demoCmd struct {
	Count   int    `default:"2000" help:"How many pings to submit."`
	Seed    uint64 `default:"1" help:"Which population of browsers."`
	DataDir string `short:"d" type:"path" placeholder:"DIR" help:"Data folder (default: a new temporary one)."`
	Exit    bool   `help:"End when the jobs have run. Default: on a terminal, show the web page over the data until Ctrl-C."`
}

func (c *demoCmd) Help() string {
	return `Starts a real server on a free port, submits made-up pings to it over HTTP, stops
it, so that it converts them, and runs two of the shipped jobs. The data stays; the
last lines say where, and how to go on. On a terminal it then serves the web page over
the data, prints its address and stays until Ctrl-C; --exit ends at once.

EXIT STATUS: 0 done; 1 failed; 2 usage; 130 interrupted.`
}

// demoJobs are the shipped jobs that the demo runs.
var demoJobs = []struct{ name, title string }{
	{"os_distribution", "Records per operating system"},
	{"histogram_sum", "Some histograms, added up per channel and version (long lines are cut)"},
}

// Run shows the flow from left to right: submit, convert, run jobs.
func (c *demoCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.Count < 1 {
		return cli.Usage("--count %d: want at least 1", c.Count)
	}

	// A temporary folder stays for the user, but not if the demo fails.
	dir := c.DataDir
	if dir == "" {
		dir, err = os.MkdirTemp("", "telemetry-demo-")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				os.RemoveAll(dir)
			}
		}()
	}

	// The server finds the definitions of the made-up pings here, without network.
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		return err
	}

	start := time.Now()
	if err := c.serveAndSubmit(ctx, st, dir); err != nil {
		return err
	}
	fmt.Fprintf(st.Stderr, "converted and published, %.1f s from the start\n", time.Since(start).Seconds())

	// Each job is printed with the command that runs it.
	for _, job := range demoJobs {
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
	if c.Exit || !isTerminal(st.Stdout) {
		return nil
	}
	return c.showPage(ctx, st, dir)
}

// isTerminal says whether people read what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// showPage serves the page over the data until ctx ends, which is no failure.
func (c *demoCmd) showPage(ctx context.Context, st *cli.State, dir string) error {
	return runServer(ctx, st, dir, "127.0.0.1:0", func(ctx context.Context, lines *bufio.Scanner) error {
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "admin "); ok {
				fmt.Fprintf(st.Stdout, "\nThe web page over this data: %s/\nCtrl-C ends it.\n", url)
				break
			}
		}
		<-ctx.Done()
		return nil
	})
}

// serveAndSubmit runs a server for dir until all pings are submitted. The server
// converts them when it is stopped.
func (c *demoCmd) serveAndSubmit(ctx context.Context, st *cli.State, dir string) error {
	return runServer(ctx, st, dir, "", func(ctx context.Context, lines *bufio.Scanner) error {
		if !lines.Scan() {
			return nil // the server failed, and its error says why
		}
		return c.submit(ctx, st, strings.TrimPrefix(lines.Text(), "listening "))
	})
}

// runServer runs a server for dir until use, which gets the lines that it prints, returns.
// Port 0 is a free port, so that a server that runs already does not matter.
func runServer(ctx context.Context, st *cli.State, dir, adminListen string, use func(context.Context, *bufio.Scanner) error) error {
	// Parsing a command line sets every other flag to its default.
	commands := program()
	server := commands.Grammar.(*grammar)
	parser, err := commands.Parser()
	if err != nil {
		return err
	}
	if _, err := parser.Parse([]string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", adminListen, "--offline"}); err != nil {
		return err
	}

	serving, stop := context.WithCancel(ctx)
	defer stop()

	stdout, serverStdout := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		state := *st
		state.Stdout = serverStdout
		err := server.Serve.Run(serving, &state)
		serverStdout.CloseWithError(err)
		return err
	})
	group.Go(func() error {
		defer stop()
		defer func() { go io.Copy(io.Discard, stdout) }() // until the server closes it
		return use(ctx, bufio.NewScanner(stdout))
	})
	return group.Wait()
}
