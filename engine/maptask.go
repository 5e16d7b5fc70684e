package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/shuffle"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
)

// mapTask runs one task: read, map, combine, sort, store.
type mapTask struct {
	task    Task
	remote  bool // the mapper works in another process, which counts and rejects
	mapper  Mapper
	combine shuffle.CombineFunc // the mapper's, nil if it does not combine
	table   *shuffle.Table
	store   func(groups []*shuffle.Group) error // takes a sorted table, of one part
	part    int                                 // of the segment, that emissions belong to
	reject  *rejections

	record  Record         // that is being mapped
	group   *columns.Group // of the blocks; nil: they are lines
	hold    bool           // what a call emits waits until it has ended, because it may be rejected
	pending shuffle.List   // keys and values that wait, in turn
	done    TaskStats
	// broken is the error of an emit, with which the task ends even if the script that
	// called it has caught the error.
	broken error
}

// mapTask runs task t, or fetches its result from the cache.
func (r *runner) mapTask(ctx context.Context, t Task) (err error) {
	// A cached result replaces the work.
	result := r.cacheable(t)
	if result != nil {
		found, err := r.fetch(t, result)
		if found || err != nil {
			return err
		}
	}

	// Tables are large, so tasks use them one after the other.
	m := &mapTask{task: t, part: t.FirstPart, table: r.tables.Get().(*shuffle.Table), reject: r.reject}
	defer func() {
		m.table.Reset()
		r.tables.Put(m.table)
	}()

	// Each full table becomes a run, in the store and in the result for the cache.
	seq := 0
	m.store = func(groups []*shuffle.Group) error {
		built := r.store.NewBuilder()
		built.AddGroups(groups)
		result.add(m.part, built)
		seq++
		return r.store.Put(t.place(m.part), seq-1, built)
	}

	// The mapper comes first, because a script that does not start needs no input.
	if err := m.open(ctx, r.job); err != nil {
		return err
	}
	defer m.mapper.Close()

	blocks, err := r.src.Open(t.Segment, t.Lo, t.Hi)
	if err != nil {
		return err
	}
	defer blocks.Close()

	if err := m.run(ctx, blocks); err != nil {
		return err
	}

	result.save(r.o.Cache, m.done)
	r.taskDone(t, m.done, false)
	return nil
}

// open makes the mapper. The caller closes it.
func (m *mapTask) open(ctx context.Context, job Job) (err error) {
	// What a record emits is held back while the record may still be rejected.
	m.remote = job.Remote()
	m.hold = m.reject.tolerates() && !m.remote

	if m.task.Segment.Parts != nil {
		m.task.Enter = m.enter
	}

	if m.mapper, err = job.NewMapper(ctx, m.task, m.emit); err != nil {
		return err
	}

	if m.mapper.Combines() {
		m.combine = m.mapper.Combine
	}
	return nil
}

// run maps all lines of blocks and stores what they emit.
func (m *mapTask) run(ctx context.Context, blocks Blocks) error {
	for {
		block, err := blocks.NextBlock()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}

		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := m.mapBlock(ctx, block); err != nil {
			return err
		}
	}
	m.leaveGroup()

	// Finish may emit; if it is rejected, what it has emitted does not count.
	counted, err := m.mapper.Finish()
	if err == nil {
		err = m.broken
	}
	if err != nil {
		if err := m.reject.tolerate("mapFinished", err); err != nil {
			return err
		}
		m.done.Failed++
		m.pending.Reset()
	}

	// The rest of the table is the task's last run.
	if err := m.commit(); err != nil {
		return err
	}
	if err := m.flush(); err != nil {
		return err
	}

	// Only now, because the flush has combined, too.
	m.done.Effects = m.mapper.Effects()
	m.done.Lookups = m.mapper.Lookups()
	if !m.remote {
		return nil
	}

	// What arrived here was combined there, and what was rejected never arrived.
	m.done.Rejected = counted.Rejected
	m.done.Failed = counted.Failed
	m.done.Emitted = counted.Emitted
	m.done.Undefined = counted.Undefined
	return m.reject.add(counted.Rejected + counted.Failed)
}

// mapLines maps the lines of a block.
func (m *mapTask) mapLines(block []byte) error {
	m.done.RawBytes += int64(len(block))

	for len(block) > 0 {
		line := block
		if end := bytes.IndexByte(block, '\n'); end >= 0 {
			line = block[:end]
			block = block[end+1:]
		} else {
			block = nil
		}

		// A stream of several partitions says of which one each line is.
		part := -1
		if m.task.Segment.Parts != nil {
			var ok bool
			if part, line, ok = cutPart(line, len(m.task.Segment.Parts)); !ok {
				return fmt.Errorf("%w: a line does not say its partition", ErrStream)
			}
		}

		m.record.setLine(line, part)
		if err := m.enterLocal(part); err != nil {
			return err
		}
		if err := m.mapRecord(); err != nil {
			return err
		}
	}
	return nil
}

// mapBlock maps the records of a block.
func (m *mapTask) mapBlock(ctx context.Context, block layout.Block) error {
	if block.Group == nil {
		return m.mapLines(block.Lines)
	}

	if m.group != block.Group {
		m.leaveGroup()
		m.group = block.Group
	}
	if err := m.enterLocal(block.Part); err != nil {
		return err
	}

	for i, row := range block.Rows {
		// A block may be a whole row group.
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := m.record.setRow(block.Group, int(row), block.Part); err != nil {
			return err
		}
		if err := m.mapRecord(); err != nil {
			return err
		}
	}
	return nil
}

// enterLocal is enter before the records of a part are mapped, -1 for a segment without
// parts. A remote mapper emits later, and calls enter itself.
func (m *mapTask) enterLocal(part int) error {
	if part < 0 || m.remote {
		return nil
	}
	return m.enter(part)
}

// enter begins another part of the segment. What the last one has emitted becomes a run, as
// it would if the partition were a segment: so neither the order of the values nor which of
// them are combined depends on the form.
func (m *mapTask) enter(part int) error {
	if part == m.part {
		return nil
	}
	if err := m.flush(); err != nil {
		return err
	}
	m.part = part
	return nil
}

// leaveGroup counts what was read of a row group.
func (m *mapTask) leaveGroup() {
	if m.group == nil {
		return
	}

	// Only now is it known which columns the job has read.
	names, read, unpacked := m.group.Touched()
	m.done.addColumns(names, read)
	m.done.RawBytes += unpacked
	m.group = nil
}

// mapRecord maps m.record, and adds what it has emitted, or drops it if it is rejected.
func (m *mapTask) mapRecord() error {
	m.done.Records++

	err := m.mapper.Map(&m.record, m.done.Records)
	if err == nil {
		err = m.broken
	}
	if err == nil {
		if m.pending.Len() > 0 {
			return m.commit()
		}
		return nil
	}

	// Without the record goes what it has emitted.
	m.pending.Reset()
	if err := m.reject.tolerate("record", err); err != nil {
		return err
	}

	m.done.Rejected++
	return nil
}

// emit is what the mapper calls. When errors are tolerated, what it emits waits for the
// end of the record: what a rejected record has emitted must not count. That of a
// remote mapper has waited there.
func (m *mapTask) emit(key, value []byte) error {
	if m.hold {
		m.pending.Append(key)
		m.pending.Append(value)
		return nil
	}

	// A remote mapper emits on another goroutine, and ends with the error itself.
	err := m.add(key, value)
	if !m.remote {
		m.broken = err
	}
	return err
}

// commit adds what waits.
func (m *mapTask) commit() error {
	if m.pending.Len() == 0 {
		return nil
	}

	// Keys and values in turn, as emit has put them.
	entries := m.pending.Values()
	for {
		key, err := entries.Next()
		if err != nil || key == nil {
			m.pending.Reset()
			return err
		}

		value, err := entries.Next()
		if err != nil {
			return err
		}
		if err := m.add(key, value); err != nil {
			return err
		}
	}
}

// add groups one key and value, and stores the table when it is full.
func (m *mapTask) add(key, value []byte) error {
	m.done.Emitted++
	if datum.HasUndefined(key) || datum.HasUndefined(value) {
		m.done.Undefined++
	}

	group := m.table.Add(key, value)
	if group.Crowded() && m.combine != nil {
		if err := m.combineGroup(group); err != nil {
			return err
		}
	}

	if m.table.Full() {
		return m.flush()
	}
	return nil
}

// combineGroup combines the values of g. If the call is rejected they stay as they are.
func (m *mapTask) combineGroup(g *shuffle.Group) error {
	err := m.table.Combine(g, m.combine)
	if err == nil {
		return nil
	}

	if err := m.reject.tolerate("combine", err); err != nil {
		return err
	}
	m.done.Failed++
	return nil
}

// flush combines, sorts and stores the table, and empties it.
func (m *mapTask) flush() error {
	// Combine what has several values, and leave out groups that end up without any.
	groups := m.table.Sorted()
	stored := groups[:0]
	for _, g := range groups {
		if m.combine != nil && g.Len() > 1 {
			if err := m.combineGroup(g); err != nil {
				return err
			}
		}

		if g.Len() > 0 {
			stored = append(stored, g)
		}
	}

	err := m.store(stored)
	m.table.Reset()
	return err
}
