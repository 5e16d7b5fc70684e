package script

import (
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

// tableReducer reduces the partial results of tables to rows.
type tableReducer struct {
	engine.Reducer // the script's, which frees its runtime
	reducer        *tables.Reducer
}

// newTableReducer returns the reducer of a script with tables. A row is the cells, with
// the name of the table in front if the job writes several.
func newTableReducer(job *Job, set tables.Set, under engine.Reducer, out *engine.Output) engine.Reducer {
	var row []byte
	write := func(table int, cells []byte) error {
		name := set[table].Name
		if job.Table != "" && job.Table != name {
			return nil
		}

		row = datum.AppendKind(row[:0], datum.Array)
		if job.Table == "" && len(set) > 1 {
			row = datum.AppendString(row, name)
		}
		row = datum.AppendKind(append(row, cells...), datum.End)
		return out.Record(row)
	}

	skipped := func(table *tables.Table, values int64) {
		job.Counters.Add(map[string]int64{"values skipped by " + table.Name: values})
	}
	return &tableReducer{under, tables.NewReducer(set, write, skipped)}
}

// Reduce implements engine.Reducer.
func (r *tableReducer) Reduce(key []byte, values *engine.Values) error {
	return r.reducer.Reduce(key, values)
}

// Finish implements engine.Reducer.
func (r *tableReducer) Finish() (engine.TaskStats, error) {
	return engine.TaskStats{}, r.reducer.Finish()
}
