package upkeep

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
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
	Filter schema.Filter
	// Grace is how long a replaced segment stays in state/replaced for the jobs
	// that listed it before. A job that runs longer, and opens it later, fails
	// with fs.ErrNotExist. 0 removes at once.
	Grace  time.Duration
	Now    time.Time
	DryRun bool // only count

	// Zstd is the program that compresses harder than our package, a path or a name to
	// find on the PATH; "", or one that is not found: none.
	Zstd      string
	ToolLimit time.Duration // for one frame; 0 is a minute
	Log       *slog.Logger  // hears of a program that failed; nil: nothing does

	// Forget are the clients whose records are left out of what is merged; nil: nobody's are.
	Forget *forget.Set

	// DropRepeats leaves out records whose line, with the ID, another one of the partition
	// has: two servers that publish in one place have received the same.
	DropRepeats bool

	// MaxIDs bounds the IDs of records in memory, of each step; further ones go to files. 0
	// means layout.MaxIDs.
	MaxIDs int

	// Columns brings all records of a day, of whatever partitions, into segments in
	// columns. Without it, each partition gets a segment in rows; those in columns stay.
	Columns bool
}

func (o CompactOptions) maxIDs() int { return cmp.Or(o.MaxIDs, layout.MaxIDs) }

// graceIsOver says whether the grace period of what a name in state/replaced stands
// for has ended. The name begins with the time of the replacement.
func (o CompactOptions) graceIsOver(name string) bool {
	seconds, _, _ := strings.Cut(name, "-")
	replacedAt, err := strconv.ParseInt(seconds, 10, 64)
	return err == nil && replacedAt <= o.Now.Add(-o.Grace).Unix()
}

// CompactStats says what Compact did.
type CompactStats struct {
	Partitions int   // that were merged
	Segments   int   // that were merged into one per partition
	Before     int64 // their bytes on disk
	After      int64 // bytes on disk of the merged ones; 0 in a dry run
	Records    int64
	Forgotten  int64 // records that were left out, because their client is forgotten
	Repeated   int64 // records that were left out, see CompactOptions.DropRepeats
}

// Compact merges the segments of each selected partition into one, compressed as
// much as possible. A partition that is one merged segment already is left alone,
// so running it again does nothing. It is crash-safe: the next Compact or Recover
// finishes what was interrupted. Readers see the old segments or the new one, see
// layout.Tree.Segments.
//
// A partition with a damaged segment is left as it is and the rest is compacted; the
// error then wraps a *layout.CorruptError for each. ErrBusy while another Compact runs.
func (p *Place) Compact(ctx context.Context, o CompactOptions) (CompactStats, error) {
	c := compactor{t: p.tree, site: p.site, o: o}
	err := p.locked(ctx, func() (err error) {
		// A clock that leaps must not remove what jobs still read.
		c.o.Now, err = p.believed(ctx, o.Now)
		if err == nil {
			err = c.run(ctx)
		}
		return err
	})
	if err != nil {
		return c.st, fmt.Errorf("compact: %w", err)
	}

	return c.st, errors.Join(c.damage...)
}

// count counts what a merge reads.
func (st *CompactStats) count(m *merge) {
	st.Partitions++
	st.Segments += len(m.in)

	for _, seg := range m.in {
		st.Before += seg.Size
	}
}

// merge is the work on one partition.
type merge struct {
	group string
	under string           // path that the merged segment gets; "": one of its own
	in    []layout.Segment // to merge, oldest first; none if there are only leftovers to remove
	gone  []layout.Segment // replaced by a merged segment already

	whatever  bool             // the records are read, whatever the filters of in say
	clients   forget.Collector // of the records; the producer's until the last frame
	forgotten int64            // records that were left out, likewise

	dropRepeats bool
	maxIDs      int
	repeats     *repeats // the producer's until the last frame; nil: they stay

	out      *segment.Builder // consumer's, as is staged
	staged   string           // in layout.CompactDir
	replaces []string
	err      error
}

// plan returns the merges that have something to do, by path.
func plan(visible, hidden []layout.Segment) (work []*merge) {
	for _, m := range sortedMerges(mergesByGroup(visible, hidden, layout.Segment.Seekable)) {
		// One merged segment is as compact as it can become.
		if len(m.in) == 1 && m.in[0].Merged() {
			m.in = nil
		}

		if len(m.in)+len(m.gone) > 0 {
			work = append(work, m)
		}
	}
	return work
}

// sortedMerges returns the merges by path, each with its segments from the oldest on.
func sortedMerges(byGroup map[string]*merge) (work []*merge) {
	for _, name := range slices.Sorted(maps.Keys(byGroup)) {
		m := byGroup[name]
		slices.SortFunc(m.in, func(a, b layout.Segment) int { return strings.Compare(a.Age(), b.Age()) })
		work = append(work, m)
	}
	return work
}

// mergesByGroup returns a merge for each partition that has such segments. Compact merges
// those with an index.
func mergesByGroup(visible, hidden []layout.Segment, such func(layout.Segment) bool) map[string]*merge {
	byGroup := map[string]*merge{}
	mergeOf := func(seg layout.Segment) *merge {
		group := seg.Group()
		if byGroup[group] == nil {
			byGroup[group] = &merge{group: group}
		}
		return byGroup[group]
	}

	for _, seg := range visible {
		// Old files stay: they may have any format, and jobs read them as they are.
		if such(seg) {
			m := mergeOf(seg)
			m.in = append(m.in, seg)
		}
	}
	for _, seg := range hidden {
		m := mergeOf(seg)
		m.gone = append(m.gone, seg)
	}
	return byGroup
}

// mergedName is the path of the segment that replaces the ones named.
func (m *merge) mergedName() string {
	if m.under != "" {
		return m.under
	}

	// The same segments give the same name, and their newest raw log the age.
	sum := sha256.Sum256([]byte(strings.Join(m.replaces, "\n")))
	newest := noAge
	if last := m.in[len(m.in)-1]; last.Seekable() {
		newest, _, _ = strings.Cut(last.Age(), "_")
	}
	return m.group + layout.MergedPrefix + newest + "_" + hex.EncodeToString(sum[:8]) + ".zst"
}

// noAge stands for the time of a raw log that is not known.
const noAge = "0000000000000"

// compactor is one compaction: the frames of all partitions go through one pipeline,
// in order (see pipeline.go), to emit.
type compactor struct {
	t    *layout.Tree
	site site
	o    CompactOptions
	st   CompactStats

	// What becomes visible next:
	put    [][2]string
	gone   []string
	bytes  int64
	parts  int // so far, over all batches
	damage []error
}

// run does the whole compaction. The caller holds the lock.
func (c *compactor) run(ctx context.Context) error {
	later, err := c.site.purge(ctx, c.o)
	if err != nil {
		return err
	}

	all, err := c.t.List(ctx, c.o.Filter)
	if err != nil {
		return err
	}

	// What purge will remove later needs no work now.
	all.Hidden = slices.DeleteFunc(all.Hidden, func(seg layout.Segment) bool { return later[seg.Path] })
	if c.o.Columns {
		if err := c.compactDays(ctx, all.Segments, all.Hidden); err != nil {
			return err
		}

		// The quarantine stays in rows.
		isPublished := func(seg layout.Segment) bool { return !seg.Quarantined }
		all.Segments = slices.DeleteFunc(all.Segments, isPublished)
		all.Hidden = slices.DeleteFunc(all.Hidden, isPublished)
	}

	work := plan(all.Segments, all.Hidden)
	if c.o.DryRun {
		for _, m := range work {
			c.st.count(m)
		}
		return nil
	}
	return c.merge(ctx, work)
}

// merge does the merges.
func (c *compactor) merge(ctx context.Context, work []*merge) error {
	for _, m := range work {
		m.dropRepeats = c.o.DropRepeats
		m.maxIDs = c.o.maxIDs()
	}
	err := compress(ctx, c.t, c.site.scratch(), newTool(c.o), work, c.o.Forget, func(f *frame) error { return c.emit(ctx, f) })
	if err != nil {
		return err
	}

	// The last batch is rarely full.
	return c.publish(ctx)
}

// emit appends a frame to its merge's staged segment. It gets the frames of one merge
// after the other.
func (c *compactor) emit(ctx context.Context, f *frame) error {
	m := f.of
	if f.last {
		return c.finish(ctx, m)
	}

	if m.out == nil {
		if err := c.begin(m); err != nil {
			return err
		}
	}
	if err := m.out.AddFrame(f.plain, f.packed, f.ids); err != nil {
		return err
	}
	if m.out.IDsInMemory() < m.maxIDs {
		return nil
	}
	return m.out.SpillIDs(c.site.scratch().Spill(m.stagedPath()))
}

// begin starts the staged segment of a merge.
func (c *compactor) begin(m *merge) error {
	c.parts++
	m.staged = strconv.Itoa(c.parts)

	// The frames come compressed, so the Builder needs no encoder.
	var err error
	m.out, err = segment.NewBuilder(c.site.scratch().Appender(m.stagedPath()), nil)
	return err
}

func (m *merge) stagedPath() string { return stagedPath(m.staged) }

func stagedPath(name string) string { return path.Join(layout.CompactDir, name) }

// finish completes a merge whose frames are all written, and adds it to the batch.
func (c *compactor) finish(ctx context.Context, m *merge) error {
	if m.err != nil {
		return c.abandon(m)
	}

	// A merge of segments without records has had no frame, and still replaces them.
	if m.out == nil && len(m.in) > 0 {
		if err := c.begin(m); err != nil {
			return err
		}
	}
	if m.out != nil {
		if err := c.complete(m); err != nil {
			return err
		}
	}

	for _, seg := range slices.Concat(m.in, m.gone) {
		if seg.Path != m.under {
			c.gone = append(c.gone, seg.Path)
		}
	}
	if c.bytes >= batchBytes || len(c.put) >= batchParts {
		return c.publish(ctx)
	}
	return nil
}

// abandon notes the damage that ended a merge, and removes what was staged.
func (c *compactor) abandon(m *merge) error {
	c.damage = append(c.damage, m.err)
	if m.out == nil {
		return nil
	}
	return errors.Join(c.site.scratch().Remove(m.stagedPath()), c.site.scratch().RemoveSpill(m.stagedPath()))
}

// complete writes the end of the staged segment and makes it durable.
func (c *compactor) complete(m *merge) error {
	m.out.Replaces = m.replaces
	m.out.Clients = m.clients.Text()
	if err := m.out.Finish(); err != nil {
		return err
	}
	if err := c.site.scratch().RemoveSpill(m.stagedPath()); err != nil {
		return err
	}
	if err := c.site.scratch().Sync(m.stagedPath()); err != nil {
		return err
	}

	c.put = append(c.put, [2]string{m.staged, m.mergedName()})
	c.count(m)
	m.out = nil // its IDs and counts are no longer needed
	return nil
}

// count counts a merge that is complete.
func (c *compactor) count(m *merge) {
	c.st.count(m)
	c.st.After += m.out.Size()
	c.st.Records += m.out.Records
	c.st.Forgotten += m.forgotten
	c.st.Repeated += m.repeats.count()
	c.bytes += m.out.Size()
}

// publish makes the batch visible and removes what it replaces.
func (c *compactor) publish(ctx context.Context) error {
	if len(c.put)+len(c.gone) == 0 {
		return nil
	}

	if err := c.site.replace(ctx, c.put, c.gone, c.o); err != nil {
		return err
	}

	c.put = nil
	c.gone = nil
	c.bytes = 0
	return nil
}
