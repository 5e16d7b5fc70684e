package upkeep

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// maxColumnsBytes closes a segment in columns at the next partition.
	maxColumnsBytes = 256 << 20
	// A round of late rows also takes the segments in columns of their day that are
	// smaller than mergeColumnsBytes, maxMergedColumns at most, unless the rows
	// themselves are that many: so a day ends up with few segments, and none is
	// written again and again. Each that is merged has a row group in memory.
	mergeColumnsBytes = 32 << 20
	maxMergedColumns  = 3
)

// day is the work on the records of one submission date, in one storage version.
type day struct {
	date    string
	version int
	rows    []layout.Segment // to bring into columns
	columns []layout.Segment // small ones, to merge with them
	others  []layout.Segment // in columns, which stay as they are
	gone    []layout.Segment // replaced already
	under   string           // path that the segment gets; "": one of its own
}

// planDays returns the days that have rows, by date.
func planDays(visible, hidden []layout.Segment) []*day {
	days := map[string]*day{}
	dayOf := func(seg layout.Segment) *day {
		key := fmt.Sprintf("%s %d", seg.Dims[schema.SubmissionDate], seg.Version)
		if days[key] == nil {
			days[key] = &day{date: seg.Dims[schema.SubmissionDate], version: seg.Version}
		}
		return days[key]
	}

	// New rows decide below whether merging the files in columns is worth it.
	rowBytes := map[*day]int64{}
	for _, seg := range visible {
		// Old files stay: they may have any format. So does the quarantine, which is no
		// subject of jobs.
		if seg.Seekable() && !seg.Quarantined {
			d := dayOf(seg)
			d.rows = append(d.rows, seg)
			rowBytes[d] += seg.Size
		}
	}

	for _, seg := range hidden {
		if !seg.Quarantined {
			d := dayOf(seg)
			d.gone = append(d.gone, seg)
		}
	}

	// Without new rows, segments in columns are as good as they will become.
	for _, seg := range visible {
		if !seg.InColumns() || len(seg.Parts) == 0 {
			continue
		}
		d := dayOf(seg)
		if rowBytes[d] > 0 && rowBytes[d] < mergeColumnsBytes && len(d.columns) < maxMergedColumns && seg.Size < mergeColumnsBytes {
			d.columns = append(d.columns, seg)
		} else {
			d.others = append(d.others, seg)
		}
	}

	// By name, so that every run plans the same.
	work := make([]*day, 0, len(days))
	for _, name := range slices.Sorted(maps.Keys(days)) {
		if d := days[name]; len(d.rows)+len(d.gone) > 0 {
			work = append(work, d)
		}
	}
	return work
}

// compactDays brings rows into columns, day by day.
func (c *compactor) compactDays(ctx context.Context, visible, hidden []layout.Segment) error {
	// A segment is merged as a whole, whatever the filter selects of it.
	for i, seg := range visible {
		if seg.InColumns() && len(seg.Parts) > 0 {
			var err error
			visible[i].Parts, err = c.t.AllParts(seg)
			if err != nil {
				return err
			}
		}
	}

	work := planDays(visible, hidden)
	if c.o.DryRun {
		for _, d := range work {
			c.countDay(d, 0, 0)
		}
		return nil
	}

	enc, err := columns.NewEncoder()
	if err != nil {
		return err
	}
	defer enc.Close()
	for _, d := range work {
		if err := c.compactDay(ctx, enc, d); err != nil {
			return err
		}
	}
	return c.publish(ctx)
}

// compactDay does one day. A partition that is damaged stays as it is.
func (c *compactor) compactDay(ctx context.Context, enc *zstd.Encoder, d *day) error {
	for len(d.rows) > 0 {
		build := &dayBuild{c: c, enc: enc, d: d}
		err := build.run(ctx)
		if err == nil {
			c.put = append(c.put, build.made...)
			c.countDay(d, build.after, build.records)
			c.st.Forgotten += build.left
			c.st.Repeated += build.repeated
			break
		}
		if !layout.IsDamage(err) {
			return err
		}

		// Again, without what is damaged.
		c.damage = append(c.damage, err)
		if err := build.abandon(); err != nil {
			return err
		}
		d.leaveOut(build.reading)
	}

	// Only what was read is gone.
	for _, seg := range slices.Concat(d.rows, d.columns, d.gone) {
		c.gone = append(c.gone, seg.Path)
	}
	if c.bytes >= batchBytes || len(c.put) >= batchParts {
		return c.publish(ctx)
	}
	return nil
}

// rewriteDay writes the segments in columns of a day again. What is damaged stays as it is.
func (c *compactor) rewriteDay(ctx context.Context, enc *zstd.Encoder, d *day) error {
	build := &dayBuild{c: c, enc: enc, d: d}
	err := build.run(ctx)
	if layout.IsDamage(err) {
		c.damage = append(c.damage, err)
		return build.abandon()
	}
	if err != nil {
		return err
	}

	// A file with a path of its own is overwritten, others are replaced.
	c.put = append(c.put, build.made...)
	c.bytes += build.after
	c.st.Forgotten += build.left
	for _, seg := range d.columns {
		if seg.Path != d.under {
			c.gone = append(c.gone, seg.Path)
		}
	}

	if c.bytes >= batchBytes || len(c.put) >= batchParts {
		return c.publish(ctx)
	}
	return nil
}

// leaveOut leaves a damaged segment out: one in columns alone, of rows the partition.
func (d *day) leaveOut(damaged layout.Segment) {
	isDamaged := func(seg layout.Segment) bool {
		return seg.Path == damaged.Path || seg.Seekable() && seg.Dims == damaged.Dims
	}
	d.rows = slices.DeleteFunc(d.rows, isDamaged)
	d.columns = slices.DeleteFunc(d.columns, isDamaged)
	if len(d.rows) == 0 {
		d.columns = nil
	}
}

func (c *compactor) countDay(d *day, after, records int64) {
	if len(d.rows) == 0 {
		return
	}
	partitions := map[schema.Dims]bool{}
	for _, seg := range slices.Concat(d.rows, d.columns) {
		seg.Partitions(func(dims schema.Dims) { partitions[dims] = true })
		c.st.Segments++
		c.st.Before += seg.Size
	}
	c.st.Partitions += len(partitions)
	c.st.After += after
	c.st.Records += records
	c.bytes += after
}
