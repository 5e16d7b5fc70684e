package tables

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// Values are the partial results of one key; Next returns nil behind the last one. What it
// returns is valid until the next call.
type Values interface {
	Next() ([]byte, error)
}

// Combine merges the partial results of a key and hands what is left to write, which
// copies it. Errors wrap ErrPartial, or are those of values.
func (s Set) Combine(key []byte, values Values, write func(value []byte)) error {
	parsed, err := s.parse(key)
	if err != nil {
		return err
	}

	// A key of rows has no aggregate: its values pass as they are.
	total := s.makeFor(parsed)
	for {
		value, err := values.Next()
		switch {
		case err != nil:
			return err
		case value == nil && total != nil:
			write(total.append([]byte{mark}))
			return nil
		case value == nil:
			return nil
		case total == nil: // rows stay as they are
			write(value)
		default:
			if err := mergeMarked(total, value); err != nil {
				return s.failed(parsed, err)
			}
		}
	}
}

// mergeMarked merges a value of the shuffle.
func mergeMarked(total aggregate, value []byte) error {
	if len(value) == 0 || value[0] != mark {
		return ErrPartial
	}
	return total.merge(value[1:])
}

// parsedKey is a key of the shuffle.
type parsedKey struct {
	table   int
	skipped bool   // the values are how many were skipped
	group   []byte // all before more
	first   []byte // of a table that a script writes: the group's key columns, as an array
	keys    []byte // the key columns, one datum behind the other, but for the group's
	more    []byte
}

// parse splits a key of the shuffle.
func (s Set) parse(key []byte) (parsed parsedKey, err error) {
	bad := func() error { return fmt.Errorf("%w: its key is %q", ErrPartial, key) }

	// The first element of the key is the table's number.
	kind, token, rest, err := datum.Next(key)
	if err != nil || kind != datum.Number {
		return parsed, bad()
	}

	// A number from another script may name no table of this set.
	number := datum.Float(token)
	parsed.table = int(number)
	if number != float64(parsed.table) || parsed.table < 0 || parsed.table >= len(s) || len(rest) == 0 {
		return parsed, bad()
	}

	// Null in place of the columns marks the number of skipped records.
	if datum.Kind(rest[0]) == datum.Null {
		parsed.skipped = true
		return parsed, nil
	}

	if datum.Kind(rest[0]) != datum.Array {
		return parsed, bad()
	}

	array, more, err := datum.Skip(rest)
	if err != nil {
		return parsed, bad()
	}
	parsed.keys = array[1 : len(array)-1]

	// The columns before the group's come first in the key, if the script writes the rows itself.
	if s[parsed.table].Written {
		parsed.first = array
		if array, more, err = datum.Skip(more); err != nil || datum.Kind(array[0]) != datum.Array {
			return parsed, bad()
		}
		parsed.keys = array[1 : len(array)-1]
	}

	parsed.group = key[:len(key)-len(more)]
	parsed.more = more
	return parsed, nil
}

// makeFor returns the empty result of a key, nil for rows.
func (s Set) makeFor(key parsedKey) aggregate {
	switch spec := s[key.table].spec; {
	case key.skipped:
		return &count{}
	case spec.make == nil:
		return nil
	default:
		return spec.make(s[key.table])
	}
}

func (s Set) failed(key parsedKey, err error) error {
	return fmt.Errorf("table %s: %w", s[key.table].Name, err)
}

// Reducer merges the partial results of keys, which come in order, and writes rows. It
// belongs to one goroutine.
type Reducer struct {
	set     Set
	write   func(row Row) error
	skipped func(table *Table, values int64)

	group []byte // of the key whose rows wait, for top
	table int
	best  []ranked
	row   []byte
	cells []byte
}

// Row is a row of a table. It is valid until write returns.
type Row struct {
	Table int
	Group []byte // of a table that a script writes: the group's key columns, an array
	Cells []byte // the other key columns and the results, one datum behind the other
}

// ranked is a value with its count.
type ranked struct {
	value []byte // a datum
	n     uint64
}

// NewReducer returns a Reducer. write takes the rows; skipped, which values were skipped.
func NewReducer(set Set, write func(row Row) error, skipped func(table *Table, values int64)) *Reducer {
	return &Reducer{set: set, write: write, skipped: skipped}
}

// Reduce takes the next key with all its partial results. Errors wrap ErrPartial, or are
// those of values and write.
func (r *Reducer) Reduce(key []byte, values Values) error {
	parsed, err := r.set.parse(key)
	if err != nil {
		return err
	}

	// A new group: the rows of the one before are complete.
	if !bytes.Equal(parsed.group, r.group) {
		if err := r.Finish(); err != nil {
			return err
		}
	}

	// Merge all partial results of the key, which are sorted together.
	total := r.set.makeFor(parsed)
	for {
		value, err := values.Next()
		if err != nil {
			return err
		}
		if value == nil {
			break
		}

		if total == nil { // rows are written as they come
			if err := r.write(Row{Table: parsed.table, Cells: value[1:]}); err != nil {
				return err
			}
			continue
		}
		if err := mergeMarked(total, value); err != nil {
			return r.set.failed(parsed, err)
		}
	}
	return r.result(parsed, total)
}

// result writes the rows of a key.
func (r *Reducer) result(key parsedKey, total aggregate) error {
	table := r.set[key.table]

	// Each kind has its own rows: none, one, or several.
	switch total := total.(type) {
	case nil:
		return nil
	case *histogram:
		var err error
		if r.cells, err = total.rowOf(r.cells[:0], key.more); err != nil {
			return r.set.failed(key, err)
		}
		return r.rowOf(key, r.cells)
	case *sample:
		return total.rows(func(cells []byte) error { return r.rowOf(key, cells) })
	case *count:
		if key.skipped {
			r.skipped(table, int64(total.n))
			return nil
		}
		if table.spec.more > 0 {
			r.rank(key, total.n)
			return nil
		}
		return r.rowOf(key, total.cells(r.cells[:0]))
	default:
		r.cells = total.(celled).cells(r.cells[:0])
		return r.rowOf(key, r.cells)
	}
}

// rowOf writes a row: the keys, then what is shown of the result's cells.
func (r *Reducer) rowOf(key parsedKey, cells []byte) (err error) {
	r.row, err = r.set[key.table].appendShown(append(r.row[:0], key.keys...), cells)
	if err != nil {
		return r.set.failed(key, err)
	}
	return r.write(Row{key.table, key.first, r.row})
}

// rank adds a value of top to those of its group, which are written when the group is complete.
func (r *Reducer) rank(key parsedKey, n uint64) {
	// The first value of a group says which group it is.
	if r.best == nil {
		r.group = append(r.group[:0], key.group...)
		r.table = key.table
	}
	r.best = append(r.best, ranked{bytes.Clone(key.more), n})

	// Sorting now and then drops what cannot be among the best, so that memory is bounded.
	size := r.set[key.table].Size
	if len(r.best) >= 2*size+1024 {
		r.settle(size)
	}
}

// settle sorts what waits: the greatest counts first, equal ones by value.
func (r *Reducer) settle(size int) {
	slices.SortFunc(r.best, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.n, a.n), bytes.Compare(a.value, b.value))
	})
	if len(r.best) > size {
		clear(r.best[size:])
		r.best = r.best[:size]
	}
}

// Finish writes what waits. It is called after the shard's last key.
func (r *Reducer) Finish() error {
	if r.best == nil {
		return nil
	}

	// The group's key has the columns that all its rows share.
	key, err := r.set.parse(r.group)
	if err != nil {
		return err
	}

	r.settle(r.set[r.table].Size)
	best := r.best
	r.best = nil
	r.group = r.group[:0]

	for _, value := range best {
		r.cells = datum.AppendNumber(append(r.cells[:0], value.value...), float64(value.n))
		if err := r.rowOf(key, r.cells); err != nil {
			return err
		}
	}
	return nil
}
