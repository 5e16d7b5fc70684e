package format

import (
	"errors"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// ErrResultLimit is returned for a job with more rows than another job may read.
var ErrResultLimit = errors.New("the result is too large to be read by another job")

// MaxResultBytes bounds what Rows collects: another job holds all of it in memory.
const MaxResultBytes = 256 << 20

// Rows is a Sink that collects rows for another job: an Object datum each, one behind the
// other, with the names of the columns.
type Rows struct {
	columns []string
	cells   []cell
	rows    []byte
}

var _ engine.Sink = (*Rows)(nil)

// NewRows returns a Rows. columns are the names that the script exports; nil if it does
// not.
func NewRows(columns []string) *Rows { return &Rows{columns: columns} }

// Encoded returns the rows.
func (r *Rows) Encoded() []byte { return r.rows }

func (r *Rows) add() error {
	r.rows = datum.AppendKind(r.rows, datum.Object)
	for _, field := range r.cells {
		r.rows = datum.AppendString(r.rows, field.name(r.columns))
		r.rows = append(r.rows, field.datum...)
	}
	r.rows = datum.AppendKind(r.rows, datum.End)

	if len(r.rows) > MaxResultBytes {
		return ErrResultLimit
	}
	return nil
}

// Row implements engine.Sink.
func (r *Rows) Row(rowKey, rowValue []byte) error {
	r.cells = appendRow(r.cells[:0], rowKey, rowValue, r.columns)
	return r.add()
}

// Record implements engine.Sink.
func (r *Rows) Record(array []byte) error {
	r.cells = appendRecord(r.cells[:0], array, r.columns)
	return r.add()
}

// CSVRecord implements engine.Sink.
func (r *Rows) CSVRecord(array []byte) error { return r.Record(array) }

// Line implements engine.Sink.
func (r *Rows) Line(text []byte) error {
	r.cells = append(r.cells[:0], cell{line, -1, datum.AppendString(nil, text)})
	return r.add()
}

// EndPreamble implements engine.Sink.
func (r *Rows) EndPreamble() error { return nil }

// Separators implements engine.Sink: rows have none.
func (r *Rows) Separators(string, string) error { return nil }

// Close implements engine.Sink.
func (r *Rows) Close() error { return nil }
