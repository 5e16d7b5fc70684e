package format

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// heldRow is a row that waits.
type heldRow struct{ key, row []byte }

// topRows holds the first rows in the order of their keys, in a heap with the last one on
// top.
type topRows struct {
	limit int
	rows  []heldRow
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t *topRows) Len() int           { return len(t.rows) }
func (t *topRows) Less(i, j int) bool { return bytes.Compare(t.rows[i].key, t.rows[j].key) > 0 }
func (t *topRows) Swap(i, j int)      { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }
func (t *topRows) Push(row any)       { t.rows = append(t.rows, row.(heldRow)) }
func (t *topRows) Pop() any {
	last := t.rows[len(t.rows)-1]
	t.rows = t.rows[:len(t.rows)-1]
	return last
}

// wants reports whether a row with that key is among the first.
func (t *topRows) wants(key []byte) bool {
	return len(t.rows) < t.limit || bytes.Compare(key, t.rows[0].key) < 0
}

// add adds a row that the heap wants. It copies key and row.
func (t *topRows) add(key, row []byte) {
	if len(t.rows) < t.limit {
		heap.Push(t, heldRow{bytes.Clone(key), bytes.Clone(row)})
		return
	}

	// The last row leaves, and its memory serves the new one.
	t.rows[0].key = append(t.rows[0].key[:0], key...)
	t.rows[0].row = append(t.rows[0].row[:0], row...)
	heap.Fix(t, 0)
}

// each calls do with the rows in order, until it wants no more.
func (t *topRows) each(do func(row []byte) (more bool, err error)) error {
	slices.SortFunc(t.rows, func(a, b heldRow) int { return bytes.Compare(a.key, b.key) })
	for _, held := range t.rows {
		if more, err := do(held.row); err != nil || !more {
			return err
		}
	}
	return nil
}

// rowStore sorts rows as the shuffle sorts keys: beyond its memory in a file.
type rowStore struct {
	store *shuffle.Store
	table *shuffle.Table
	runs  int
}

func newRowStore(options OrderOptions) *rowStore {
	sizes := shuffle.DefaultSizes()
	return &rowStore{
		store: shuffle.NewStore(shuffle.Options{Memory: options.Memory, Dir: options.Dir, Sizes: sizes}),
		table: shuffle.NewTable(sizes.TableBytes),
	}
}

// add adds a row. It copies key and row.
func (s *rowStore) add(key, row []byte) error {
	s.table.Add(key, row)
	if !s.table.Full() {
		return nil
	}
	return s.flush()
}

// flush makes a run of the rows in the table.
func (s *rowStore) flush() error {
	run := s.store.NewBuilder()
	run.AddGroups(s.table.Sorted())
	err := s.store.Put(0, s.runs, run)
	s.runs++
	s.table.Reset()
	return err
}

// each calls do with the rows in order, until it wants no more.
func (s *rowStore) each(do func(row []byte) (more bool, err error)) error {
	if err := s.flush(); err != nil {
		return err
	}

	// One after the other: the job's tasks have ended.
	err := s.store.Compact(func(n int, do func(int) error) error {
		for i := range n {
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}

	merged, err := s.store.Merge(shuffle.All())
	if err != nil {
		return err
	}
	for {
		_, values, err := merged.Next()
		if err != nil || values == nil {
			return err
		}

		// No two rows have the same key.
		row, err := values.Next()
		if err != nil {
			return err
		}
		if more, err := do(row); err != nil || !more {
			return err
		}
	}
}

func (s *rowStore) close() { s.store.Close() }
