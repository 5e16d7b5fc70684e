package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// mapTask runs one task: read, map, combine, sort, keep.
type mapTask struct {
	r      *runner
	task   Task
	mapper Mapper
	table  *table
	seq    int // of the next run

	pending []byte // what the current record has emitted, if it may yet be rejected
	emitted int64
}

func (r *runner) mapTask(ctx context.Context, t Task) (err error) {
	m := &mapTask{r: r, task: t, table: newTable()}
	if m.mapper, err = r.job.NewMapper(ctx, t, m.emit); err != nil {
		return err
	}
	defer m.mapper.Close()
	blocks, err := r.src.Open(t.Segment, t.Lo, t.Hi)
	if err != nil {
		return fmt.Errorf("open segment %s: %w", t, err)
	}
	defer blocks.Close()
	var records, raw, rejected int64
	for {
		block, err := blocks.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read segment %s: %w", t, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		raw += int64(len(block))
		for len(block) > 0 {
			line := block
			if i := bytes.IndexByte(block, '\n'); i >= 0 {
				line, block = block[:i], block[i+1:]
			} else {
				block = nil
			}
			records++
			if err := m.mapper.Map(line, records); err != nil {
				m.pending = m.pending[:0]
				if _, ok := errors.AsType[*RecordError](err); !ok {
					return err
				}
				rejected++
				if err := r.reject(t, records, err); err != nil {
					return err
				}
				continue
			}
			if len(m.pending) > 0 {
				if err := m.commit(); err != nil {
					return err
				}
			}
		}
	}
	if err := m.mapper.Finish(); err != nil {
		return err
	}
	if err := m.commit(); err != nil {
		return err
	}
	if err := m.flush(); err != nil {
		return err
	}
	p := r.o.Progress
	p.TasksDone.Add(1)
	p.BytesDone.Add(t.Bytes)
	p.Records.Add(records)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Records += records
	r.stats.RawBytes += raw
	r.stats.Rejected += rejected
	r.stats.Emitted += m.emitted
	return nil
}

// emit takes what the mapper emits. When errors are tolerated it waits for the
// end of the record: what a rejected record has emitted must not count.
func (m *mapTask) emit(key, value []byte) error {
	if m.r.o.MaxErrors != 0 {
		m.pending = appendValue(appendValue(m.pending, key), value)
		return nil
	}
	return m.add(key, value)
}

func (m *mapTask) commit() error {
	v := memoryValues(m.pending, 0)
	for {
		key, err := v.Next()
		if err != nil || key == nil {
			m.pending = m.pending[:0]
			return err
		}
		value, err := v.Next()
		if err != nil {
			return err
		}
		if err := m.add(key, value); err != nil {
			return err
		}
	}
}

func (m *mapTask) add(key, value []byte) error {
	m.emitted++
	g := m.table.add(key, value)
	if g.n >= g.next && m.mapper.Combines() {
		if err := m.table.combine(g, m.mapper); err != nil {
			return err
		}
	}
	if m.table.bytes >= tableBytes {
		return m.flush()
	}
	return nil
}

// flush turns the table into a run.
func (m *mapTask) flush() error {
	combines := m.mapper.Combines()
	var w runBuilder
	for _, g := range m.table.sorted() {
		if combines && g.n > 1 {
			if err := m.table.combine(g, m.mapper); err != nil {
				return err
			}
		}
		if g.n > 0 {
			w.add(g)
		}
	}
	m.table.reset()
	m.seq++
	return m.r.store.put(m.task.Index, m.seq-1, &w)
}
