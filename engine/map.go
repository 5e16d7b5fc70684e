package engine

import (
	"bytes"
	"context"
	"io"
)

// mapTask runs one task: read, map, combine, sort, keep.
type mapTask struct {
	o      *Options
	task   Task
	mapper Mapper
	table  *table
	keep   func(groups []*group) error // takes a sorted table
	reject *rejections

	remote  bool   // the mapper works in another process, which counts and rejects
	hold    bool   // what a call has emitted waits until it has ended: it may be rejected
	pending []byte // what waits
	done    TaskStats
}

// TaskStats is what one map task did.
type TaskStats struct {
	Records  int64 `json:"records"`
	RawBytes int64 `json:"rawBytes"` // decompressed
	Rejected int64 `json:"rejected"` // records
	Failed   int64 `json:"failed"`   // other calls that were rejected
	Emitted  int64 `json:"emitted"`
	// Effects says that mapping has done more than emit; see Mapper.
	Effects bool `json:"effects,omitempty"`
}

func (s *TaskStats) add(t TaskStats) {
	s.Records += t.Records
	s.RawBytes += t.RawBytes
	s.Rejected += t.Rejected
	s.Failed += t.Failed
	s.Emitted += t.Emitted
	s.Effects = s.Effects || t.Effects
}

func (r *runner) mapTask(ctx context.Context, t Task) (err error) {
	rec := r.remembered(t)
	if rec != nil {
		if ok, err := r.recall(t, rec); ok || err != nil {
			return err
		}
	}
	seq := 0
	m := &mapTask{o: &r.o, task: t, table: r.tables.Get().(*table), reject: r.reject, remote: r.job.Remote()}
	defer func() {
		m.table.reset()
		r.tables.Put(m.table)
	}()
	m.keep = func(groups []*group) error {
		w := r.store.builder()
		w.expect(groups)
		for _, g := range groups {
			w.add(g)
		}
		w.cut()
		if rec != nil {
			rec.add(w)
		}
		seq++
		return r.store.put(t.Index, seq-1, w)
	}
	if m.mapper, err = r.job.NewMapper(ctx, t, m.emit); err != nil {
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
	if rec != nil {
		rec.save(r.o.Cache, m.done)
	}
	r.finished(t, m.done, false)
	return nil
}

// finished counts a task that is done.
func (r *runner) finished(t Task, done TaskStats, recalled bool) {
	p := r.o.Progress
	p.TasksDone.Add(1)
	p.BytesDone.Add(t.Bytes)
	p.Records.Add(done.Records)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.TaskStats.add(done)
	if recalled {
		r.stats.Recalled++
	}
}

// run maps all lines of blocks and keeps what they emit.
func (m *mapTask) run(ctx context.Context, blocks Blocks) error {
	m.hold = m.reject.tolerates() && !m.remote
	for {
		block, err := blocks.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m.done.RawBytes += int64(len(block))
		for len(block) > 0 {
			line := block
			if i := bytes.IndexByte(block, '\n'); i >= 0 {
				line, block = block[:i], block[i+1:]
			} else {
				block = nil
			}
			if err := m.record(line); err != nil {
				return err
			}
		}
	}
	counted, err := m.mapper.Finish()
	if err != nil {
		if err := m.reject.take("mapFinished", err); err != nil {
			return err
		}
		m.done.Failed++
		m.pending = m.pending[:0]
	}
	if err := m.commit(); err != nil {
		return err
	}
	if err := m.flush(); err != nil {
		return err
	}
	m.done.Effects = m.mapper.Effects()
	if !m.remote {
		return nil
	}

	// What arrived here was combined there, and what was rejected never arrived.
	m.done.Rejected, m.done.Failed, m.done.Emitted = counted.Rejected, counted.Failed, counted.Emitted
	return m.reject.add(counted.Rejected + counted.Failed)
}

func (m *mapTask) record(line []byte) error {
	m.done.Records++
	err := m.mapper.Map(line, m.done.Records)
	if err == nil {
		if len(m.pending) > 0 {
			return m.commit()
		}
		return nil
	}
	m.pending = m.pending[:0]
	if err := m.reject.take("record", err); err != nil {
		return err
	}
	m.done.Rejected++
	return nil
}

// emit takes what the mapper emits. When errors are tolerated it waits for the
// end of the record: what a rejected record has emitted must not count. That of a
// mapper in another process has waited there.
func (m *mapTask) emit(key, value []byte) error {
	if m.hold {
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
	m.done.Emitted++
	g := m.table.add(key, value)
	if g.n >= g.next && m.mapper.Combines() {
		if err := m.combine(g); err != nil {
			return err
		}
	}
	if m.table.bytes >= tableBytes {
		return m.flush()
	}
	return nil
}

// combine combines the values of g, or leaves them as they are.
func (m *mapTask) combine(g *group) error {
	err := m.table.combine(g, m.mapper)
	if err == nil {
		return nil
	}
	if err := m.reject.take("combine", err); err != nil {
		return err
	}
	m.done.Failed++
	return nil
}

// flush hands the sorted table over.
func (m *mapTask) flush() error {
	combines := m.mapper.Combines()
	groups := m.table.sorted()
	kept := groups[:0]
	for _, g := range groups {
		if combines && g.n > 1 {
			if err := m.combine(g); err != nil {
				return err
			}
		}
		if g.n > 0 {
			kept = append(kept, g)
		}
	}
	err := m.keep(kept)
	m.table.reset()
	return err
}
