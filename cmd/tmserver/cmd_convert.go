package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

// convertCmd converts raw logs, or lines.
type convertCmd struct {
	DataDir    string `short:"d" placeholder:"DIR" xor:"input" required:"" help:"Convert every raw log of this data folder that no live server holds."`
	Stdin      bool   `xor:"input" required:"" help:"Convert lines from stdin to stdout."`
	Date       string `placeholder:"YYYYMMDD" help:"With --stdin: submission date of the lines. Default: today, UTC."`
	Workers    int    `default:"1" help:"With --data-dir: raw logs converted at the same time."`
	storeFlags `embed:""`
}

func (*convertCmd) Help() string {
	return `With --stdin, lines "id<TAB>json" become "id<TAB>reason/app/channel/version/build/date<TAB>json":
the dimensions as the ping has them, before the schema is applied. A line that
cannot be converted is reported to stderr as "line N: <id>: <class>: <message>",
one that the filter of --filters drops as "line N: <id>: filtered: <reason>".

With --data-dir, bad submissions go to invalid/ with their reason; raw logs whose
definitions cannot be had now (the server is down, or --offline) are left for later.

EXIT STATUS: 0 done; 1 failed, or raw logs remain; 2 usage; 3 done, but some
submissions were invalid; 5 the filter does not load; 130 interrupted.`
}

func (c *convertCmd) Run(ctx context.Context, st *cli.State) error {
	if _, err := time.Parse("20060102", c.Date); c.Date != "" && err != nil {
		return cli.Usage("--date %q: want YYYYMMDD", c.Date)
	}
	if c.Workers < 1 {
		return cli.Usage("--workers %d: want at least 1", c.Workers)
	}
	if c.Stdin {
		return c.lines(ctx, st)
	}
	return c.rawLogs(ctx, st)
}

func (c *convertCmd) rawLogs(ctx context.Context, st *cli.State) (err error) {
	if _, err := os.Stat(c.DataDir); err != nil { // a mistyped name must not make a folder
		return cli.Fail(cli.ExitUsage, err)
	}
	store, err := c.openStore(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := store.filters.ingest(); err != nil {
		return err
	}
	var mu sync.Mutex // protects total and logs
	var total worker.Stats
	logs := 0
	p := worker.Pickup{Data: store.Data, Workers: c.Workers, Logger: st.Log, Convert: func(ctx context.Context, name string) error {
		o, err := store.conversion(nil)
		if err != nil {
			return err
		}
		s, err := worker.ConvertLog(ctx, store.Data, name, o)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		logs++
		total.Add(s)
		return nil
	}}
	if err := p.Drain(ctx); err != nil {
		return err
	}
	bad := total.Quarantined()
	fmt.Fprintf(st.Stderr, "converted %d raw logs: %d submissions, %d records, %d invalid, %d waiting\n", logs, total.Submissions, total.Records, bad, total.Waiting)
	reportRest(st, total)
	if total.BytesLost > 0 {
		fmt.Fprintf(st.Stderr, "  bytes lost to damage %d\n", total.BytesLost)
	}
	switch {
	case total.Waiting > 0:
		return stillWaiting(total.Waiting)
	case bad > 0:
		return rejected(bad, "submissions")
	}
	return nil
}

// reportRest says what became of the submissions that are not among the records.
func reportRest(st *cli.State, s worker.Stats) {
	for _, class := range slices.Sorted(maps.Keys(s.Invalid)) {
		fmt.Fprintf(st.Stderr, "  %s %d\n", class, s.Invalid[class])
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Filtered)) {
		fmt.Fprintf(st.Stderr, "  filtered %s %d\n", reason, s.Filtered[reason])
	}
	if s.Repeated > 0 {
		fmt.Fprintf(st.Stderr, "  repeated %d\n", s.Repeated)
	}
}

// stillWaiting is the error of a command that is done but for n submissions,
// which went to a raw log of the data folder.
func stillWaiting(n int64) error {
	return cli.WithHint(fmt.Errorf("%d submissions wait for their histogram definitions", n),
		"run tmserver convert when the revision server is back")
}

// rejected is the error of a command that is done but for bad input.
func rejected(n int64, of string) error {
	return cli.Fail(cli.ExitRejected, fmt.Errorf("%d %s were rejected", n, of))
}

// maxLine bounds a line of --stdin in bytes.
const maxLine = 64 << 20

func (c *convertCmd) lines(ctx context.Context, st *cli.State) error {
	defs, err := c.open(st, c.DataDir)
	if err != nil {
		return err
	}
	defer defs.Close()
	date := c.Date
	if date == "" {
		date = st.Now().UTC().Format("20060102")
	}
	filters, err := c.openFilters(ctx, st.Log, defs)
	if err != nil {
		return err
	}
	filter, err := filters.ingest()
	if err != nil {
		return err
	}
	schema := layout.DefaultSchema()
	decide, free := worker.NewDecider(ctx, filter, schema)
	defer free()
	conv := convert.New(defs, c.converterOptions(schema))
	out := bufio.NewWriterSize(st.Stdout, 1<<16)
	in := bufio.NewScanner(st.Stdin)
	in.Buffer(make([]byte, 1<<20), maxLine)
	in.Split(scanLines)
	bad := int64(0)
	for n := 1; in.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Flush())
		}
		id, text, ok := bytes.Cut(in.Bytes(), []byte{'\t'})
		var err error
		if !ok {
			id, err = nil, &convert.Reject{Class: convert.ClassPath, Message: "no tab found"}
		} else {
			err = convertLine(ctx, out, conv, decide, id, text, date)
		}
		if err == nil {
			continue
		}
		if dropped, ok := errors.AsType[*worker.Filtered](err); ok {
			fmt.Fprintf(st.Stderr, "line %d: %s: %v\n", n, id, dropped)
			continue
		}
		if away, ok := errors.AsType[*convert.Outage](err); ok {
			err = away.Reject()
		}
		why, ok := errors.AsType[*convert.Reject](err)
		if !ok {
			return errors.Join(err, out.Flush())
		}
		bad++
		fmt.Fprintf(st.Stderr, "line %d: %s: %s: %s\n", n, id, why.Class, why.Message)
	}
	if err := errors.Join(in.Err(), out.Flush()); err != nil {
		return err
	}
	if bad > 0 {
		return rejected(bad, "lines")
	}
	return nil
}

// convertLine writes one record; the error is as Converter's or decide's, or the
// writer's.
func convertLine(ctx context.Context, out *bufio.Writer, conv *convert.Converter, decide func(*convert.Record) error, id, text []byte, date string) error {
	r, err := conv.ConvertLine(ctx, id, text, date)
	if err == nil && decide != nil {
		err = decide(&r)
	}
	if err != nil {
		return err
	}
	out.Write(r.ID)
	out.WriteByte('\t')
	out.WriteString(strings.Map(oneField, r.Dims.String()))
	out.WriteByte('\t')
	out.Write(r.JSON)
	return out.WriteByte('\n')
}

// oneField keeps a dimension from breaking its line.
func oneField(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' {
		return ' '
	}
	return r
}

// scanLines splits at \n only: a \r belongs to the JSON.
func scanLines(b []byte, eof bool) (int, []byte, error) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1, b[:i], nil
	}
	if eof && len(b) > 0 {
		return len(b), b, nil
	}
	return 0, nil, nil
}
