package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxLine bounds a line of --stdin in bytes.
const maxLine = 64 << 20

// lines converts stdin to stdout. What it says on stderr is what the
// predecessor's converter said, in its words.
func (c *convertCmd) lines(ctx context.Context, st *cli.State) error {
	defs, err := c.open(st, c.DataDir)
	if err != nil {
		return err
	}
	defer defs.Close()
	start := st.Now()
	date := c.Date
	if date == "" {
		date = start.UTC().Format("20060102")
	}
	filters, err := c.openFilters(ctx, st.Log, defs)
	if err != nil {
		return err
	}
	filter, err := filters.IngestFilter()
	if err != nil {
		return err
	}
	conversion := decide.NewConversion(defs, c.converterOptions(schema.Default()), filter)
	conv := conversion.NewConverter(ctx)
	defer conv.Close()
	out := bufio.NewWriterSize(st.Stdout, 1<<16)
	in := bufio.NewScanner(st.Stdin)
	in.Buffer(make([]byte, 1<<20), maxLine)
	in.Split(scanLines)
	bad, size := int64(0), 0
	for n := 1; in.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Flush())
		}
		size += len(in.Bytes()) + 1
		id, text, ok := bytes.Cut(in.Bytes(), []byte{'\t'})
		if !ok {
			bad++
			fmt.Fprintf(st.Stderr, "Error on line %d: no tab found\n", n)
			continue
		}
		outcome, err := conv.ConvertLine(ctx, id, text, date)
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		why := outcome.Rejection
		switch outcome.Kind {
		case decide.Published:
			if err := writeLine(out, &outcome.Record, id); err != nil {
				return err
			}
			continue
		case decide.Dropped:
			fmt.Fprintf(st.Stderr, "line %d: %s: filtered: %s\n", n, id, outcome.Reason)
			continue
		case decide.Waiting:
			why = outcome.Outage.Reject()
		}
		if why.Class == convert.ClassBadPayload {
			fmt.Fprintf(st.Stderr, "Payload Error on line %d: %s\n%s\n", n, why.Message, text)
		} else {
			fmt.Fprintf(st.Stderr, "Error converting line %d: %s\n", n, why.Message)
		}
		bad++
	}
	if err := errors.Join(in.Err(), out.Flush()); err != nil {
		return err
	}
	reportDropped(st.Stderr, conv.Dropped())
	took := st.Now().Sub(start).Seconds()
	fmt.Fprintf(st.Stderr, "Elapsed time: %.02fs (%.02fMB/s)\n", took, float64(size)/(1<<20)/max(took, 1e-6))
	if bad > 0 {
		return rejected(bad, "lines")
	}
	return nil
}

// writeLine writes one record; the error is the writer's.
func writeLine(out *bufio.Writer, r *convert.Record, id []byte) error {
	out.Write(id)
	out.WriteByte('\t')
	out.WriteString(strings.Map(oneField, r.Dims.String()))
	out.WriteByte('\t')
	out.Write(r.JSON)
	return out.WriteByte('\n')
}

// reportDropped names the histograms that were left out, each once.
func reportDropped(w io.Writer, dropped convert.DropCounts) {
	byName := func(a, b convert.Drop) int {
		return strings.Compare(a.Name+"\x00"+a.Reason, b.Name+"\x00"+b.Reason)
	}
	for _, d := range slices.SortedFunc(maps.Keys(dropped), byName) {
		what := "no histogram definition found for " + d.Name
		if d.Reason != convert.DropUnknown {
			what = "not the " + d.Reason + " of the histogram definition: " + d.Name
		}
		fmt.Fprintf(w, "ERROR: %s (%d times)\n", what, dropped[d])
	}
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
