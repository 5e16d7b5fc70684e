package tables

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// A key of the shuffle is several data, one behind the other:
//
//	number of the table · array of the keys · what follows (see kind.more)
//	number of the table · array of the group's keys · array of the others · what follows
//	number of the table · null                values that were skipped
//
// so that rows come by table, then by key. The engine reduces keys with the same first
// two data in one shard. A value is a zero byte, which no datum begins with, and a partial
// result or a row.

// mark begins a value of the shuffle.
const mark = 0

// taskBytes is what one task holds before it emits. A group of the shuffle costs less
// memory than one here.
const taskBytes = 16 << 20

// Task collects what one map task adds. It belongs to one goroutine.
//
// What a record adds counts only at Commit, because the record may be rejected. Until then
// it waits as partial results of one value each, which are merged like any others: so
// there is one way to add, and it is the one whose laws are tested.
type Task struct {
	set   Set
	emit  func(key, value []byte) error
	limit int

	index  map[string]int32
	groups []group
	last   int32 // group that was added to last: the next one is often the one after it
	bytes  int

	waiting []byte // of the record
	adds    []add
	direct  []directAdd // that the groups have already
	round   uint64      // counts how often the groups were emitted
	skips   []int       // tables whose value was skipped, of the record
	skipped []uint64
	value   []byte
}

// add is a key and a value in Task.waiting.
type add struct {
	table             int
	begin, value, end int
}

// group is a key with its result so far.
type group struct {
	key   string
	table int
	next  int32 // the group that came after this one the last time
	bytes int
	total aggregate
}

// groupBytes is about what a group costs beside its key and its result.
const groupBytes = 120

// NewTask returns an empty task, which hands partial results to emit.
func NewTask(set Set, emit func(key, value []byte) error) *Task {
	return &Task{set: set, emit: emit, limit: taskBytes, index: map[string]int32{}, skipped: make([]uint64, len(set))}
}

// AppendKey appends the start of a key of table number n, up to its first key column.
// CloseKey ends it.
func AppendKey(b []byte, n int) []byte {
	return datum.AppendKind(datum.AppendNumber(b, float64(n)), datum.Array)
}

// EndGroup ends the columns of the group, in a key of a table that has one: the others
// follow.
func EndGroup(b []byte) []byte { return datum.AppendKind(CloseKey(b), datum.Array) }

// CloseKey appends the end of the key columns.
func CloseKey(b []byte) []byte { return datum.AppendKind(b, datum.End) }

// Add adds a partial result of one value, as Append… make them, to a key. It copies both.
func (t *Task) Add(table int, key, value []byte) {
	begin := len(t.waiting)
	t.waiting = append(t.waiting, key...)
	at := len(t.waiting)
	t.waiting = append(t.waiting, value...)
	t.adds = append(t.adds, add{table, begin, at, len(t.waiting)})
}

// Round counts how often the numbers of groups were made invalid.
func (t *Task) Round() uint64 { return t.round }

// Skip counts a value of a table that is missing.
func (t *Task) Skip(table int) { t.skips = append(t.skips, table) }

// AppendOne appends the partial result of a count of one.
func AppendOne(b []byte) []byte { return append(b, 1) }

// AppendFinite appends the partial result of one finite number, for a table of that kind.
func AppendFinite(b []byte, table *Table, number float64) []byte {
	number += 0 // -0 is 0
	if table.spec.counted {
		b = append(b, 1)
	}
	return appendFloat(b, number)
}

// AppendDistinct appends the partial result of one datum.
func AppendDistinct(b, value []byte) []byte {
	return binary.LittleEndian.AppendUint64(append(b, 1), xxhash.Sum64(value))
}

// AppendSample appends the partial result of one datum of a document.
func AppendSample(b, id, value []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, 1), xxhash.Sum64(id))
	return appendField(appendField(b, id), value)
}

// Rollback drops what was added since the last Commit.
func (t *Task) Rollback() { t.RollbackTo(Mark{}) }

// Mark is a place in what was added since the last Commit.
type Mark struct{ waiting, adds, direct, skips int }

// Mark returns the place behind what was added.
func (t *Task) Mark() Mark { return Mark{len(t.waiting), len(t.adds), len(t.direct), len(t.skips)} }

// RollbackTo drops what was added behind a place.
func (t *Task) RollbackTo(place Mark) {
	t.undoDirect(place.direct)
	t.waiting = t.waiting[:place.waiting]
	t.adds = t.adds[:place.adds]
	t.skips = t.skips[:place.skips]
}

// Commit counts what was added since the last one, and emits when that is much. Errors
// are those of emit.
func (t *Task) Commit() error {
	// Skipped records are only counted.
	for _, table := range t.skips {
		t.skipped[table]++
	}

	for i := range t.adds {
		added := &t.adds[i]
		key, value := t.waiting[added.begin:added.value], t.waiting[added.value:added.end]

		// Rows are not merged, so emit them at once.
		if t.set[added.table].spec.value == RowCells {
			t.value = append(append(t.value[:0], mark), value...)
			if err := t.emit(key, t.value); err != nil {
				return err
			}
			continue
		}

		// All others are merged into the group of their key.
		g := t.find(key, added.table)
		if err := g.total.merge(value); err != nil {
			return fmt.Errorf("table %s: %w", t.set[added.table].Name, err)
		}

		// Track what the group grew by, for the limit of the task.
		size := g.total.bytes()
		t.bytes += size - g.bytes
		g.bytes = size
	}

	// Histograms read as text were added before; committed, they are not subtracted any more.
	t.direct = t.direct[:0]
	t.Rollback()
	if t.bytes >= t.limit {
		return t.flushGroups()
	}
	return nil
}

// find returns the group of a key, which is valid until the next find.
func (t *Task) find(key []byte, table int) *group {
	// Records add to the same keys in the same order, so try the one that followed last time.
	if len(t.groups) > 0 {
		next := t.groups[t.last].next
		if t.groups[next].key == string(key) {
			t.last = next
			return &t.groups[next]
		}
	}

	// Otherwise look the key up, and make its group at the first use.
	at, ok := t.index[string(key)]
	if !ok {
		at = int32(len(t.groups))
		spec := t.set[table].spec
		t.groups = append(t.groups, group{key: string(key), table: table, total: spec.make(t.set[table])})
		t.index[t.groups[at].key] = at
		t.bytes += groupBytes + len(key)
	}

	// The next record will probably use the same order.
	t.groups[t.last].next = at
	t.last = at
	return &t.groups[at]
}

// Flush emits all that was committed. The task may be used after it.
func (t *Task) Flush() error {
	for table, n := range t.skipped {
		if n == 0 {
			continue
		}

		// The key of a table's skipped records has null in place of columns.
		t.skipped[table] = 0
		skipped := count{n: n}
		key := datum.AppendNull(datum.AppendNumber(nil, float64(table)))
		if err := t.emit(key, skipped.append([]byte{mark})); err != nil {
			return err
		}
	}
	return t.flushGroups()
}

func (t *Task) flushGroups() error {
	for i := range t.groups {
		g := &t.groups[i]
		if h, ok := g.total.(*histogram); ok && h.pings == 0 {
			continue // all that it had was subtracted
		}

		t.value = g.total.append(append(t.value[:0], mark))
		if err := t.emit([]byte(g.key), t.value); err != nil {
			return err
		}
	}

	// Groups that were found before are not valid any more.
	t.round++
	clear(t.groups)
	t.groups = t.groups[:0]
	clear(t.index)
	t.last = 0
	t.bytes = 0
	return nil
}
