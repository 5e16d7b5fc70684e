package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/tables"
)

// result is where a job's rows go: one output or, of several tables, one for each. The
// caller calls begin, closes it, then calls commit; and discard in any case.
type result struct {
	engine.Sink
	orders []*format.Order // of each output
	files  []*cli.Output
	upload *upload // nil: the output is on this machine
}

// commit renames the finished files into place, and uploads them.
func (r *result) commit(ctx context.Context) error {
	for _, file := range r.files {
		if err := file.Commit(); err != nil {
			return err
		}
	}
	return r.upload.send(ctx)
}

// dropped returns how many rows --limit has left out.
func (r *result) dropped() (rows int64) {
	for _, order := range r.orders {
		rows += order.Dropped()
	}
	return rows
}

// discard removes the files that were not committed, and what waits to be ordered.
func (r *result) discard() {
	for _, order := range r.orders {
		order.Discard()
	}
	for _, file := range r.files {
		file.Discard()
	}
	r.upload.close()
}

// isFolder reports whether --output names a folder, in which each table gets a file.
func (c *runCmd) isFolder() bool {
	if strings.HasSuffix(c.outputName(), "/") {
		return true
	}
	info, err := os.Stat(c.Output)
	return c.Output != "" && err == nil && info.IsDir()
}

// chooseTables finds the tables of the script, and decides which of them are written. The
// error says what the flags would need.
func (c *runCmd) chooseTables(ctx context.Context, s *session) (err error) {
	s.tables, err = s.job.Script.Tables(ctx, s.job.Limits)
	if err != nil {
		return err
	}

	// What a script writes itself is one output, as that of reduce.
	if s.tables.Written() {
		s.tables = nil
	}

	names := strings.Join(s.tables.Names(), ", ")
	switch {
	case c.Table != "" && s.tables == nil:
		return cli.Usage("--table %s: the script has no tables", c.Table)
	case c.Table != "" && s.tables.Find(c.Table) < 0:
		return cli.Usage("--table %s: the script has the tables %s", c.Table, names)
	case c.isFolder() && s.tables == nil && c.PartSize == 0:
		return cli.WithHint(cli.Usage("--output %s is a folder: only tables are written into one, and the script has none", c.Output),
			"--part-size writes the rows into files of that size")
	case len(s.tables) > 1 && c.Table == "" && !c.isFolder() && !c.Explain:
		return cli.WithHint(cli.Usage("the script has %d tables: %s", len(s.tables), names),
			"--output FOLDER/ writes each into a file, --table NAME one of them")
	}

	s.job.Table = c.Table
	return nil
}

// openResult opens the output, if that is one, or makes the folder. begin does the rest.
func (c *runCmd) openResult(ctx context.Context, s *session) (opened *result, err error) {
	opened = &result{}
	if opened.upload, err = c.openUpload(ctx); err != nil {
		return nil, err
	}
	if c.isFolder() {
		err = os.MkdirAll(c.Output, 0o777)
		if err != nil {
			err = fmt.Errorf("create output folder: %w", err)
		} else {
			err = c.checkParts()
		}
	} else {
		var file *cli.Output
		file, err = cli.OpenOutput(c.Output, s.st.Stdout)
		opened.files = append(opened.files, file)
	}
	if err != nil {
		opened.upload.close()
	}
	return opened, err
}

// begin makes the sinks of a result, once it is known which columns and tables the script
// has.
func (c *runCmd) begin(ctx context.Context, s *session, order format.OrderOptions, opened *result) error {
	if len(s.passes) > 0 {
		if err := c.chooseTables(ctx, s); err != nil {
			return err
		}
	}
	if c.isFolder() {
		return c.openFolder(ctx, s, order, opened)
	}

	formatName, err := c.formatName()
	if err != nil {
		return err
	}

	// Without tables the rows are those that reduce writes.
	var table *tables.Table
	if s.tables != nil {
		table = s.tables[max(0, s.tables.Find(c.Table))]
	}
	opened.Sink, err = c.newSink(ctx, s, opened, table, "", formatName, order)
	return err
}

// openFolder opens a file, or the first part, for each table that is written.
func (c *runCmd) openFolder(ctx context.Context, s *session, order format.OrderOptions, opened *result) (err error) {
	formatName := c.Format
	if formatName == "" {
		formatName = format.Names()[0]
	}

	// Rows of no table are parts: a folder of one file would need no folder.
	if s.tables == nil {
		opened.Sink, err = c.newSink(ctx, s, opened, nil, "part", formatName, order)
		return err
	}

	byTable := &tableSinks{sinks: map[string]engine.Sink{}}
	for _, table := range s.tables {
		if c.Table != "" && table.Name != c.Table {
			continue
		}

		sink, err := c.newSink(ctx, s, opened, table, table.Name, formatName, order)
		if err != nil {
			return err
		}
		byTable.names = append(byTable.names, table.Name)
		byTable.sinks[table.Name] = sink
	}

	// A job that writes one table does not put its name in front of the rows.
	opened.Sink = byTable
	if len(byTable.names) == 1 {
		opened.Sink = byTable.sinks[byTable.names[0]]
	}
	return nil
}

// tableSinks are the sinks of several tables, the name of which is the first cell of each
// row.
type tableSinks struct {
	names []string
	sinks map[string]engine.Sink
	row   []byte
}

var _ engine.Sink = (*tableSinks)(nil)

// Record implements engine.Sink.
func (t *tableSinks) Record(columns []byte) error {
	name, cells, err := datum.Skip(columns[1:])
	if err != nil {
		return err
	}

	sink := t.sinks[string(datum.Text(name))]
	t.row = append(datum.AppendKind(t.row[:0], datum.Array), cells...)
	return sink.Record(t.row)
}

// EndPreamble implements engine.Sink: tables have no preamble.
func (t *tableSinks) EndPreamble() error {
	for _, name := range t.names {
		if err := t.sinks[name].EndPreamble(); err != nil {
			return err
		}
	}
	return nil
}

// Close implements engine.Sink.
func (t *tableSinks) Close() error {
	for _, name := range t.names {
		if err := t.sinks[name].Close(); err != nil {
			return err
		}
	}
	return nil
}

// errNotTable is returned for what tables do not write.
var errNotTable = fmt.Errorf("a row that is of no table")

// Row implements engine.Sink.
func (t *tableSinks) Row(_, _ []byte) error { return errNotTable }

// Line implements engine.Sink.
func (t *tableSinks) Line([]byte) error { return errNotTable }

// CSVRecord implements engine.Sink.
func (t *tableSinks) CSVRecord([]byte) error { return errNotTable }

// Separators implements engine.Sink.
func (t *tableSinks) Separators(string, string) error { return errNotTable }
