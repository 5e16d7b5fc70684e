package layout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// mergedFrameBytes is the uncompressed size of the frames of merged segments:
	// more context for the compressor than a fresh segment's.
	mergedFrameBytes = 4 << 20
	// Merged segments become visible in batches, so that the syncs of one commit
	// serve many partitions.
	batchBytes = 256 << 20
	batchParts = 500
)

// CompactOptions tune Compact.
type CompactOptions struct {
	// Filter selects partitions. The zero Filter selects nothing.
	Filter Filter
	// Grace is how long a replaced segment stays in state/replaced for the jobs
	// that listed it before. A job that runs longer, and opens it later, fails
	// with fs.ErrNotExist. 0 removes at once.
	Grace  time.Duration
	Now    time.Time
	DryRun bool // only count
}

// CompactStats says what Compact did.
type CompactStats struct {
	Partitions int   // that were merged
	Segments   int   // that were merged into one per partition
	Before     int64 // their bytes on disk
	After      int64 // bytes on disk of the merged ones; 0 in a dry run
	Records    int64
}

// Compact merges the segments of each selected partition into one, compressed as
// well as can be. A partition that is one merged segment already is left alone,
// so running it again does nothing. Crash-safe; what was interrupted is finished
// by the next Compact or Recover. Readers see old or new, see Segments.
//
// A damaged segment leaves its partition as it is; the rest is compacted, and the
// error, then, wraps a *CorruptError for each. ErrBusy while another one runs.
func (d *Data) Compact(ctx context.Context, o CompactOptions) (CompactStats, error) {
	var st CompactStats
	lock, err := d.lockCompaction() // and empties the staging folder
	if err != nil {
		return st, fmt.Errorf("compact: %w", err)
	}
	defer lock.Close()
	if d.remote != nil {
		return d.remote.compact(ctx, &d.disk, o)
	}
	if !o.DryRun {
		if err := d.purgeReplaced(o.Now.Add(-o.Grace)); err != nil {
			return st, fmt.Errorf("compact: %w", err)
		}
	}
	c := compactor{t: d.Tree(), disk: &d.disk, o: o, st: &st, retire: true, commit: func(_ context.Context, batch commit) error {
		if err := d.writeCommit(CompactDir, batch); err != nil {
			return err
		}
		return d.settle(CompactDir)
	}}
	if err := c.run(ctx); err != nil {
		return st, fmt.Errorf("compact: %w", err)
	}
	return st, errors.Join(c.damage...)
}

func (st *CompactStats) count(m *merge) {
	st.Partitions++
	st.Segments += len(m.in)
	for _, s := range m.in {
		st.Before += s.Size
	}
}

// lockCompaction keeps out a second compaction, retention or repair, and
// finishes what a former one committed.
func (d *Data) lockCompaction() (*os.File, error) { return d.stage(CompactDir) }

// merge is the work on one partition.
type merge struct {
	group string
	in    []Segment // to merge, oldest first; none if there are only leftovers to remove
	gone  []Segment // replaced by a merged segment already

	out      *segment // consumer's
	replaces []string
	err      error
}

// plan returns the partitions that there is something to do for, by path.
func plan(visible, hidden []Segment) []*merge {
	byGroup := map[string]*merge{}
	of := func(s Segment) *merge {
		m := byGroup[s.group()]
		if m == nil {
			m = &merge{group: s.group()}
			byGroup[m.group] = m
		}
		return m
	}
	for _, s := range visible {
		if s.Seekable() {
			m := of(s)
			m.in = append(m.in, s)
		}
	}
	for _, s := range hidden {
		m := of(s)
		m.gone = append(m.gone, s)
	}
	var work []*merge
	for _, name := range slices.Sorted(maps.Keys(byGroup)) {
		m := byGroup[name]
		if len(m.in) == 1 && m.in[0].merged() {
			m.in = nil
		}
		slices.SortFunc(m.in, func(a, b Segment) int { return strings.Compare(a.age(), b.age()) })
		if len(m.in)+len(m.gone) > 0 {
			work = append(work, m)
		}
	}
	return work
}

// age orders the segments of a partition by when their raw logs began.
func (s Segment) age() string { return strings.TrimPrefix(s.unique, mergedPrefix) }

// mergedName is the path of the segment that replaces the ones named.
func (m *merge) mergedName() string {
	sum := sha256.Sum256([]byte(strings.Join(m.replaces, "\n")))
	ms, _, _ := strings.Cut(m.in[len(m.in)-1].age(), "_")
	return m.group + mergedPrefix + ms + "_" + hex.EncodeToString(sum[:8]) + ".zst"
}

// compactor is one run: the frames of all partitions go through one pipeline,
// in order (see pipeline.go), and come out in emit.
type compactor struct {
	t      *Tree
	disk   *disk // for CompactDir, where merged segments are staged
	o      CompactOptions
	st     *CompactStats
	retire bool            // by moving replaced segments aside; else the names go in Remove
	skip   map[string]bool // replaced segments that are being taken care of
	commit func(context.Context, commit) error

	batch  commit
	parts  int
	bytes  int64
	damage []error
}

func (c *compactor) run(ctx context.Context) error {
	w := walk{t: c.t, f: c.o.Filter}
	if err := w.all(ctx); err != nil {
		return err
	}
	w.hidden = slices.DeleteFunc(w.hidden, func(s Segment) bool { return c.skip[s.Path] })
	work := plan(w.found, w.hidden)
	if c.o.DryRun {
		for _, m := range work {
			c.st.count(m)
		}
		return nil
	}
	c.batch = commit{Version: commitVersion, Source: "compaction"}
	if err := compress(ctx, c.t, work, func(f *frame) error { return c.emit(ctx, f) }); err != nil {
		return err
	}
	return c.publish(ctx)
}

// emit takes the frames of one partition after the other. The last one of each
// has no bytes.
func (c *compactor) emit(ctx context.Context, f *frame) error {
	m := f.of
	if m.out == nil && len(m.in) > 0 {
		c.parts++
		var err error
		if m.out, err = newSegment(path.Join(CompactDir, strconv.Itoa(c.parts)), nil); err != nil {
			return err
		}
	}
	switch {
	case !f.last:
		m.out.ids.append(f.ids)
		return m.out.addFrame(c.disk, f.plain, f.packed, uint32(f.ids.len()))
	case m.err != nil:
		c.damage = append(c.damage, m.err)
		return c.disk.remove(m.out.staged)
	}
	if m.out != nil {
		m.out.trailer.replaces = m.replaces
		if err := m.out.finish(c.disk); err != nil {
			return err
		}
		c.batch.Rename = append(c.batch.Rename, [2]string{path.Base(m.out.staged), m.mergedName()})
		c.st.count(m)
		c.st.After += m.out.size
		c.st.Records += m.out.trailer.records
		c.bytes += m.out.size
		m.out = nil
	}
	for _, s := range slices.Concat(m.in, m.gone) {
		if c.retire && c.o.Grace > 0 {
			to := fmt.Sprintf("%s/%d%s", ReplacedDir, c.o.Now.Unix(), replacedSuffix(s.Path))
			c.batch.Retire = append(c.batch.Retire, [2]string{s.Path, to})
		} else {
			c.batch.Remove = append(c.batch.Remove, s.Path)
		}
	}
	if c.bytes >= batchBytes || len(c.batch.Rename) >= batchParts {
		return c.publish(ctx)
	}
	return nil
}

// publish makes the batch visible and removes what it replaces.
func (c *compactor) publish(ctx context.Context) error {
	if len(c.batch.Rename)+len(c.batch.Retire)+len(c.batch.Remove) == 0 {
		return nil
	}
	if err := c.commit(ctx, c.batch); err != nil {
		return err
	}
	c.bytes, c.batch = 0, commit{Version: commitVersion, Source: "compaction"}
	return nil
}

// purgeReplaced removes what came to state/replaced before that time.
func (d *Data) purgeReplaced(before time.Time) error {
	es, err := d.disk.list(ReplacedDir)
	if err != nil {
		return err
	}
	for _, e := range es {
		sec, _, _ := strings.Cut(e.Name(), "-")
		if at, err := strconv.ParseInt(sec, 10, 64); err == nil && at <= before.Unix() {
			if err := d.disk.remove(path.Join(ReplacedDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
