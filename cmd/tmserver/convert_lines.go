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
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxLineBytes bounds a line of --stdin.
const maxLineBytes = 64 << 20

// convertLines converts stdin to stdout and reports to stderr.
func (c *convertCmd) convertLines(ctx context.Context, st *cli.State) error {
	start := st.Now()

	// Definitions and filter, as for raw logs; there is no data folder.
	definitions, err := c.open(st, c.DataDir)
	if err != nil {
		return err
	}
	defer definitions.Close()

	filters, err := c.openFilters(ctx, st.Log, definitions)
	if err != nil {
		return err
	}

	filter, err := filters.IngestFilter()
	if err != nil {
		return err
	}

	// A line's dimensions are printed as the ping has them, but the filter sees those
	// of the default schema.
	conversion := decide.NewConversion(definitions, c.converterOptions(schema.Default()), filter)
	converter := conversion.NewConverter(ctx)
	defer converter.Close()

	lines := &lineConverter{
		converter: converter,
		date:      schema.Date(c.Date),
		out:       bufio.NewWriterSize(st.Stdout, 1<<16),
		report:    st.Stderr,
		echo:      c.EchoRejected,
	}
	if lines.date == "" {
		lines.date = schema.DateOf(start)
	}

	// Flush also after an error: the records before it are complete.
	if err := errors.Join(lines.run(ctx, st.Stdin), lines.out.Flush()); err != nil {
		return err
	}

	reportDroppedHistograms(st.Stderr, converter.Dropped())
	seconds := st.Now().Sub(start).Seconds()
	fmt.Fprintf(st.Stderr, "Elapsed time: %.02fs (%.02fMB/s)\n", seconds, float64(lines.bytes)/(1<<20)/max(seconds, 1e-6))
	if lines.rejected > 0 {
		return rejectedError(lines.rejected, "lines")
	}
	return nil
}

// lineConverter converts lines "id<TAB>json".
type lineConverter struct {
	converter *decide.Converter
	date      schema.Date // submission date of the lines
	out       *bufio.Writer
	report    io.Writer
	echo      bool // print rejected pings to report

	number   int   // of the current line, from 1
	bytes    int64 // read so far
	rejected int64 // lines
}

// run converts all lines of in. The error is of in, out or ctx.
func (l *lineConverter) run(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), maxLineBytes)
	lines.Split(scanLines)

	// l.number counts all lines, so that reports name the line of the input.
	for lines.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}

		l.number++
		l.bytes += int64(len(lines.Bytes())) + 1
		if err := l.convert(ctx, lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// convert writes the record of a line, or reports why the line has no record.
func (l *lineConverter) convert(ctx context.Context, line []byte) error {
	id, ping, ok := bytes.Cut(line, []byte{'\t'})
	if !ok {
		l.reject(nil, line, convert.ClassConversion, "no tab found")
		return nil
	}

	outcome, err := l.converter.ConvertLine(ctx, id, ping, l.date)
	if err != nil {
		return err
	}

	switch outcome.Kind {
	case decide.Published:
		return l.write(&outcome.Record, id)
	case decide.Dropped:
		fmt.Fprintf(l.report, "line %d: %s: filtered: %s\n", l.number, printableID(id), cli.Printable(outcome.Reason))
	case decide.Waiting:
		why := outcome.Outage.Rejection() // there is no later time to wait for
		l.reject(id, ping, why.Class, why.Message)
	default:
		l.reject(id, ping, outcome.Rejection.Class, outcome.Rejection.Message)
	}
	return nil
}

// reject counts and reports a rejected line. The text is for --echo-rejected.
func (l *lineConverter) reject(id, text []byte, class, message string) {
	l.rejected++
	fmt.Fprintf(l.report, "line %d: %s: %s: %s\n", l.number, printableID(id), class, cli.Printable(message))
	if l.echo {
		fmt.Fprintf(l.report, "%s\n", text)
	}
}

// printableID returns a document ID for a report; "-" if the line has no ID.
func printableID(id []byte) string {
	if len(id) == 0 {
		return "-"
	}
	return cli.Printable(string(id))
}

// write writes one record; the error is out's.
func (l *lineConverter) write(record *convert.Record, id []byte) error {
	l.out.Write(id)
	l.out.WriteByte('\t')
	l.out.WriteString(strings.Map(oneField, record.Dims.String()))
	l.out.WriteByte('\t')
	l.out.Write(record.JSON)
	return l.out.WriteByte('\n') // a bufio.Writer repeats its first error
}

// oneField replaces, in a dimension, the characters that would end its field or
// line.
func oneField(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' {
		return ' '
	}
	return r
}

// scanLines splits at \n only: a \r belongs to the JSON.
func scanLines(text []byte, eof bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1, text[:i], nil
	}
	if eof && len(text) > 0 {
		return len(text), text, nil
	}
	return 0, nil, nil
}

// reportDroppedHistograms names the histograms that were left out of records, each
// once, in the predecessor's words.
func reportDroppedHistograms(w io.Writer, dropped histogram.DropCounts) {
	byName := func(a, b histogram.Drop) int {
		return strings.Compare(a.Name+"\x00"+a.Reason, b.Name+"\x00"+b.Reason)
	}
	for _, drop := range slices.SortedFunc(maps.Keys(dropped), byName) {
		name := cli.Printable(drop.Name)
		what := "no histogram definition found for " + name
		if drop.Reason != histogram.DropUnknown {
			what = "not the " + drop.Reason + " of the histogram definition: " + name
		}
		fmt.Fprintf(w, "ERROR: %s (%d times)\n", what, dropped[drop])
	}
}
