package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/filters"
)

// tokenVariable is the environment variable with the token for --server. There is no flag
// for it: others on this machine see the flags.
const tokenVariable = "TMRUN_TOKEN"

// cancelTime is what cancelling a job on the server may take.
const cancelTime = 10 * time.Second

// runRemote runs the job on the server of --server: it sends the script with
// everything it imports, shows progress, and writes log and result here.
func (c *runCmd) runRemote(ctx context.Context, st *cli.State) error {
	if err := c.validateRemote(); err != nil {
		return err
	}

	client := &jobClient{server: strings.TrimSuffix(c.Server, "/"), token: st.Env(tokenVariable)}
	if c.Backfill != "" {
		return explainError(st, c.runBackfill(ctx, st, client), "")
	}

	request, err := c.remoteRequest()
	if err != nil {
		return explainError(st, err, "")
	}
	run, err := client.start(ctx, request)
	if err != nil {
		return err
	}
	run, err = client.follow(ctx, run, c.showRemote(st))

	// The server goes on unless it is told.
	if ctx.Err() != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer cancel()
		return cli.Fail(cli.ExitInterrupted, errors.Join(context.Canceled, client.cancel(ctx, run.ID)))
	}
	if err != nil {
		return err
	}

	// The log comes before the result, and also without one.
	if err := client.copy(ctx, "jobs/"+run.ID+"/log", st.Stderr); err != nil {
		return err
	}
	if run.State == api.Done {
		if err := c.fetchResults(ctx, st, client, run); err != nil {
			return err
		}
	}
	return remoteError(run)
}

// remoteError is how a job on a server ended, with the exit code that it has here.
func remoteError(run api.Run) error {
	switch {
	case run.State == api.Done && run.Code == cli.ExitOK:
		return nil
	case run.State == api.Cancelled:
		return cli.Fail(cli.ExitInterrupted, fmt.Errorf("job %s was cancelled on the server", run.ID))
	case run.State == api.Interrupted:
		return cli.Fail(cli.ExitFailed, fmt.Errorf("job %s: %s", run.ID, run.Error))
	}
	return cli.Fail(run.Code, errors.New(run.Error))
}

// validateRemote fails for flags that a server does not know.
func (c *runCmd) validateRemote() error {
	for flag, set := range map[string]bool{
		"--explain": c.Explain, "--profile": c.Profile != "", "--order-by": len(c.OrderBy) > 0, "--limit": c.Limit != 0, "--part-size": c.PartSize != 0,
		"--work-dir": c.WorkDir != "", "--timeout": c.Timeout != 0, "--revision-cache": c.RevisionCache != "", "--revision-server": c.RevisionServer != "",
	} {
		if set {
			return cli.Usage("%s cannot be used with --server", flag)
		}
	}
	return nil
}

// remoteRequest returns the request for the job, with the texts of all its files.
func (c *runCmd) remoteRequest() (api.Request, error) {
	request := api.Request{Where: c.Where, Table: c.Table, MaxErrors: int64(c.MaxErrors), Format: c.Format}
	if c.Sample < 100 {
		request.Sample = fmt.Sprint(float64(c.Sample))
	}
	if c.SampleClients < 100 {
		request.SampleClients = fmt.Sprint(float64(c.SampleClients))
	}
	if c.Dedup != "none" {
		request.Dedup = c.Dedup
	}

	if request.Format == "" {
		request.Format = format.Names()[0]
	}

	if !c.isFolder() {
		name, err := c.formatName()
		if err != nil {
			return request, err
		}
		request.Format = name
	}

	// The script, and a filter that is one, come with what they import.
	var sent sentFiles
	path, text, err := readScript(c.Script)
	if err != nil {
		return request, err
	}

	main, err := sent.add(path, text)
	if err != nil {
		return request, err
	}

	filter := ""
	if c.InputFilter != "" {
		path, text, err := readNamed(c.InputFilter, filters.FS, ".json", ".js")
		if err != nil {
			return request, err
		}
		if filepath.Ext(path) == ".json" {
			request.FilterDocument = []byte(text)
		} else if filter, err = sent.add(path, text); err != nil {
			return request, err
		}
	}

	// Names are relative to one folder, so that imports find each other on the server.
	request.Files = sent.relative()
	request.Main = sent.name(main)
	if filter != "" {
		request.Filter = sent.name(filter)
	}
	return request, nil
}

// sentFiles are the files that go with a request, by their absolute paths.
type sentFiles struct {
	texts map[string]string
	base  string // the folder that has all of them
}

// add adds a script with everything it imports, and returns its absolute path.
func (f *sentFiles) add(path, text string) (string, error) {
	compiled, err := script.Compile(path, text)
	if err != nil {
		return "", err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}

	if f.texts == nil {
		f.texts = map[string]string{}
	}
	f.texts[absolute] = text

	// The server has none of these files, so their texts are sent.
	imports, err := importsOf(compiled)
	if err != nil {
		return "", err
	}

	for _, imported := range imports {
		content, err := os.ReadFile(imported)
		if err != nil {
			return "", err
		}
		f.texts[imported] = string(content)
	}
	return absolute, nil
}

// relative returns the texts by their paths below the folder that has all of them.
func (f *sentFiles) relative() map[string]string {
	// base goes up, folder by folder, until each file lies below it.
	for path := range f.texts {
		dir := filepath.Dir(path)
		for f.base != "" && dir != f.base && !strings.HasPrefix(dir, strings.TrimSuffix(f.base, "/")+"/") {
			f.base = filepath.Dir(f.base)
		}
		if f.base == "" {
			f.base = dir
		}
	}

	texts := map[string]string{}
	for path, text := range f.texts {
		texts[f.name(path)] = text
	}
	return texts
}

// name returns the path of a file below the folder that has all of them.
func (f *sentFiles) name(path string) string {
	below, err := filepath.Rel(f.base, path)
	if err != nil {
		return path // both are absolute
	}
	return filepath.ToSlash(below)
}

// fetchResults writes the result of a run to where --output says.
func (c *runCmd) fetchResults(ctx context.Context, st *cli.State, client *jobClient, run api.Run) error {
	up, err := c.openUpload(ctx)
	if err != nil {
		return err
	}
	defer up.close()

	if c.isFolder() {
		if err := os.MkdirAll(c.Output, 0o777); err != nil {
			return fmt.Errorf("create output folder: %w", err)
		}
	} else if len(run.Results) > 1 {
		return cli.WithHint(cli.Usage("the script has %d tables", len(run.Results)), "--output FOLDER/ writes each into a file, --table NAME one of them")
	}

	// Each file has the checksum that the server has named.
	for _, result := range run.Results {
		name := c.Output
		if c.isFolder() {
			name = filepath.Join(c.Output, filepath.Base(result.Name))
		}
		if err := fetchResult(ctx, st.Stdout, client, run.ID, result, name); err != nil {
			return err
		}
	}
	return up.send(ctx)
}

// fetchResult writes a file of a result to a file of that name, "" for stdout.
func fetchResult(ctx context.Context, stdout io.Writer, client *jobClient, id string, result api.Result, name string) error {
	out, err := cli.OpenOutput(name, stdout)
	if err != nil {
		return err
	}
	defer out.Discard()

	if err := client.copyChecked(ctx, "jobs/"+id+"/results/"+result.Name, out, result.Sum); err != nil {
		return err
	}
	return out.Commit()
}

// showsProgress reports whether the progress on a server is printed.
func (c *runCmd) showsProgress(st *cli.State) bool {
	return c.Progress == "plain" || c.Progress == "auto" && isTerminal(st.Stderr)
}

// showRemote returns what prints the progress of a job on a server now and then.
func (c *runCmd) showRemote(st *cli.State) func(api.Run) {
	if !c.showsProgress(st) {
		return func(api.Run) {}
	}

	var last time.Time
	return func(run api.Run) {
		if now := st.Now(); now.Sub(last) >= plainTick {
			last = now
			p := run.Progress
			fmt.Fprintf(st.Stderr, "tmrun: job %s is %s: map %d/%d, reduce %d/%d, %d records\n", run.ID, run.State, p.TasksDone, p.Tasks, p.Reduced, p.Shards, p.Records)
		}
	}
}
