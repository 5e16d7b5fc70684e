package script

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/tables"
)

// Tables returns the tables that the script exports, nil if it has none. Errors are
// *Error.
func (s *Script) Tables(ctx context.Context, limits Limits) (set tables.Set, err error) {
	h, err := newHost(ctx, s, limits, nil, func(h *host) error {
		set = h.tables
		return nil
	})
	if err != nil {
		return nil, err
	}

	h.close()
	return set, nil
}

// besideTables are the exports that a script with tables must not have, with the reason.
var besideTables = []struct{ name, why string }{
	{declare.Combine, "tables combine in Go"},
	{declare.Reduce, "tables are merged and written in Go"},
	{declare.SetupReduce, "the rows of tables are written in Go"},
	{declare.ReduceFinished, "the rows of tables are written in Go"},
	{declare.MapFinished, "what a record adds to a table counts when its map has ended"},
	{declare.Columns, "the names of the columns are those that the tables were declared with"},
}

// findTables finds the tables that the script's top level has declared and exported.
func (h *host) findTables() (err error) {
	h.tables, err = h.Tables(h.exports)
	if err != nil {
		return &Error{File: h.script.Name, Phase: "load", Message: err.Error()}
	}
	if h.tables == nil {
		return nil
	}

	for _, other := range besideTables {
		if exported, name := h.export(other.name); exported != nil {
			return &Error{File: h.script.Name, Phase: "load", Message: fmt.Sprintf(
				"the script has tables (%s) and exports %s: %s; write %[2]s in a script of its own", strings.Join(h.tables.Names(), ", "), name, other.why)}
		}
	}
	return nil
}

// collect makes what map adds to tables go to emit.
func (m *mapper) collect(h *host, emit engine.Emit) {
	if h.tables != nil {
		m.tables = tables.NewTask(h.tables, emit)
		h.CollectInto(m.tables)
	}
}

// tableReducer reduces the partial results of tables to rows, and writes them or hands
// them to the script.
type tableReducer struct {
	*reducer // the script's
	merge    *tables.Reducer
	group    tableGroup
	err      error // of the group that the script was given last
	row      []byte
}

// tableGroup is the rows that a script gets together. They lie in memory.
type tableGroup struct {
	table int
	key   []byte // an array of the group's key columns; empty: there are no rows
	rows  []byte // the start of an array of arrays
}

// newTableReducer returns the reducer of a script with tables.
func newTableReducer(job *Job, under *reducer) engine.Reducer {
	set := under.h.tables
	made := &tableReducer{reducer: under}
	write := func(row tables.Row) error { return made.writeRow(job, set, row) }
	if set.Written() {
		write = made.collectRow
	}

	skipped := func(table *tables.Table, values int64) {
		job.Counters.Add(map[string]int64{"values skipped by " + table.Name: values})
	}
	made.merge = tables.NewReducer(set, write, skipped)
	return made
}

// writeRow writes a row: the cells, with the name of the table in front if the job writes
// several.
func (r *tableReducer) writeRow(job *Job, set tables.Set, row tables.Row) error {
	name := set[row.Table].Name
	if job.Table != "" && job.Table != name {
		return nil
	}

	r.row = datum.AppendKind(r.row[:0], datum.Array)
	if job.Table == "" && len(set) > 1 {
		r.row = datum.AppendString(r.row, name)
	}
	r.row = datum.AppendKind(append(r.row, row.Cells...), datum.End)
	return r.out.Record(r.row)
}

// collectRow adds a row to its group, and writes the group before it if that is another one.
func (r *tableReducer) collectRow(row tables.Row) error {
	if row.Table != r.group.table || !bytes.Equal(row.Group, r.group.key) {
		// Its error must not lose the row.
		r.err = r.writeGroup()
		r.group.table = row.Table
		r.group.key = append(r.group.key[:0], row.Group...)
		r.group.rows = datum.AppendKind(r.group.rows[:0], datum.Array)
	}

	cells := append(datum.AppendKind(r.group.rows, datum.Array), row.Cells...)
	r.group.rows = datum.AppendKind(cells, datum.End)
	return nil
}

// writeGroup lets the script write the group's rows.
func (r *tableReducer) writeGroup() error {
	if len(r.group.key) == 0 {
		return nil
	}

	rows := datum.AppendKind(r.group.rows, datum.End)
	err := r.h.guard(func() error { return r.h.WriteGroup(r.group.table, r.group.key, rows, r.ctx) })
	place := "table " + r.h.tables[r.group.table].Name + ", " + keyPlace(r.group.key)
	r.group.key = r.group.key[:0]
	r.group.rows = nil // the script's
	if err == nil {
		r.h.counts.keep()
		return nil
	}

	// There is no call to replay: it has the rows of many keys.
	r.h.counts.drop()
	if err = r.h.script.wrap(err, "write", place); fatal(err) {
		return err
	}
	return &engine.RejectError{Err: err}
}

// Reduce implements engine.Reducer.
func (r *tableReducer) Reduce(key []byte, values *engine.Values) error {
	r.err = nil
	if err := r.merge.Reduce(key, values); err != nil {
		return err
	}
	return r.err
}

// Finish implements engine.Reducer.
func (r *tableReducer) Finish() (engine.TaskStats, error) {
	if err := r.merge.Finish(); err != nil {
		return engine.TaskStats{}, err
	}
	return engine.TaskStats{}, r.writeGroup()
}
