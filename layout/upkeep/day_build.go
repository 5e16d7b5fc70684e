package upkeep

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// dayBuild builds the segments of a day.
type dayBuild struct {
	c   *compactor
	enc *zstd.Encoder
	d   *day

	w        *columns.Writer // nil: none is begun
	staged   string
	replaces []string
	newest   string // age of the newest raw log in it
	made     [][2]string
	after    int64
	records  int64
	clients  forget.Collector // of the records of w
	ids      []forget.ID      // memory
	left     int64            // records of forgotten clients
	repeats  *repeats         // of the partition; nil: they stay
	repeated int64            // records that were left out
	reading  layout.Segment   // that is being read, in errors
	sources  []*columnSource
}

// columnSource is a segment in columns that is merged: its parts are read in order.
type columnSource struct {
	seg   layout.Segment
	parts []layout.Part // left
	group *columns.Group
	at    int
}

// run reads the partitions in the order of their paths, and each from its oldest
// segment to its newest.
func (b *dayBuild) run(ctx context.Context) error {
	// Partitions that only files in columns have need an entry as well.
	byPartition := map[schema.Dims][]layout.Segment{}
	for _, seg := range b.d.rows {
		byPartition[seg.Dims] = append(byPartition[seg.Dims], seg)
	}

	for _, seg := range b.d.columns {
		b.sources = append(b.sources, &columnSource{seg: seg, parts: seg.Parts, at: -1})
		for _, part := range seg.Parts {
			if byPartition[part.Dims] == nil {
				byPartition[part.Dims] = []layout.Segment{}
			}
		}
	}

	partitions := slices.SortedFunc(maps.Keys(byPartition), func(a, b schema.Dims) int {
		return slices.Compare(a[:], b[:])
	})
	for i, dims := range partitions {
		if err := ctx.Err(); err != nil {
			return err
		}

		if err := b.partition(ctx, dims, byPartition[dims]); err != nil {
			return err
		}

		// What replaces a merged segment must be one: readers ignore that as a whole.
		if b.w.Size() >= maxColumnsBytes && len(b.sources) == 0 && i < len(partitions)-1 {
			if err := b.finish(); err != nil {
				return err
			}
		}
	}
	return b.finish()
}

// begin begins a segment.
func (b *dayBuild) begin() (err error) {
	b.c.parts++
	b.staged = strconv.Itoa(b.c.parts)
	b.replaces = nil
	b.newest = ""
	b.clients = forget.Collector{}
	b.w, err = columns.NewWriter(b.c.site.scratch().Appender(stagedPath(b.staged)), b.enc)
	return err
}

// partition adds the records of a partition.
func (b *dayBuild) partition(ctx context.Context, dims schema.Dims, rows []layout.Segment) error {
	if b.w == nil {
		if err := b.begin(); err != nil {
			return err
		}
	}

	if err := b.findRepeats(ctx, dims, rows); err != nil {
		return err
	}
	defer b.repeats.close()

	// In the order in which jobs read them, so that a compaction does not change it.
	type input struct {
		order layout.Order
		copy  func() error
	}
	var inputs []input

	for _, source := range b.sources {
		if part := len(source.seg.Parts) - len(source.parts); len(source.parts) > 0 && source.parts[0].Dims == dims {
			inputs = append(inputs, input{source.seg.OrderOf(part), func() error { return b.copyPart(source, dims) }})
		}
	}

	for _, seg := range rows {
		inputs = append(inputs, input{seg.OrderOf(-1), func() error { return b.copyRows(seg) }})
	}

	slices.SortFunc(inputs, func(a, b input) int { return a.order.Compare(b.order) })

	for _, input := range inputs {
		if err := input.copy(); err != nil {
			return err
		}
	}
	return nil
}

// copyPart adds the records that a segment in columns has of a partition.
func (b *dayBuild) copyPart(source *columnSource, dims schema.Dims) error {
	b.reading = source.seg
	for len(source.parts) > 0 && source.parts[0].Dims == dims {
		part := source.parts[0]
		compared := layout.PartPath(source.seg.Path, part)
		source.parts = source.parts[1:]

		// Neighbouring parts are often in the same group: it is read once for them.
		if source.at != part.Group {
			group, err := b.c.t.ColumnGroup(source.seg, part.Group)
			if err != nil {
				return err
			}
			source.group = group
			source.at = part.Group
		}

		var line []byte
		for row := part.Lo; row < part.Hi; row++ {
			var err error
			line, err = source.group.AppendLine(line[:0], row)
			if err != nil {
				return err
			}

			received, err := source.group.Received(row)
			if err != nil {
				return err
			}

			if err := b.add(dims, line, received, compared, row-part.Lo); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyRows adds the records of a segment in rows.
func (b *dayBuild) copyRows(seg layout.Segment) error {
	b.reading = seg
	file, ix, err := b.c.t.Index(seg)
	if err != nil {
		return err
	}
	defer file.Close()

	ids, err := ix.IDs(file)
	if err != nil {
		return layout.InFile(seg.Path, err)
	}

	file.Ahead(ix.Span(0, len(ix.Frames)))
	frames := segment.NewFrames(file, ix.Frames)
	defer frames.Close()

	record := 0
	for _, count := range ix.PerFrame {
		lines, err := frames.Next()
		if err != nil {
			return layout.InFile(seg.Path, err)
		}
		frameIDs, err := ids.Next(int(count))
		if err != nil {
			return layout.InFile(seg.Path, err)
		}

		ofFrame := 0
		for line := range bytes.Lines(lines) {
			_, msOfDay := frameIDs.At(ofFrame)
			if err := b.add(seg.Dims, bytes.TrimSuffix(line, []byte("\n")), msOfDay, seg.Path, record+ofFrame); err != nil {
				return err
			}
			ofFrame++
		}
		record += ofFrame
	}

	// It also replaces what this one replaced when it was merged.
	group := layout.BelowTop(seg.Group())
	for _, unique := range ix.Replaces {
		b.replaces = append(b.replaces, group+unique+".zst")
	}

	b.replaces = append(b.replaces, layout.BelowTop(seg.Path))
	b.newest = max(b.newest, seg.Age())
	return nil
}

// add adds a record, unless its client is forgotten or it repeats another one; see
// repeats.is for where it is from.
func (b *dayBuild) add(dims schema.Dims, line []byte, msOfDay uint32, compared string, record int) error {
	_, text, _ := bytes.Cut(line, []byte("\t"))
	ids, namespace := forget.Clients(b.ids[:0], text)
	b.ids = ids

	if b.c.o.Forget.Has(ids, namespace) {
		b.left++
		return nil
	}
	repeated, err := b.repeats.is(compared, record, line)
	if err != nil {
		return err
	}
	if repeated {
		b.repeated++
		return nil
	}

	b.clients.Add(ids)
	return b.w.Add(dims, line, msOfDay)
}

// finish completes the segment.
func (b *dayBuild) finish() error {
	if b.w == nil {
		return nil
	}

	// What the merged segments replaced stays replaced after they are gone.
	for _, source := range b.sources {
		replaced, err := b.c.t.ColumnReplaces(source.seg)
		if err != nil {
			return err
		}
		b.replaces = append(b.replaces, replaced...)
		b.replaces = append(b.replaces, layout.BelowTop(source.seg.Path))
		b.newest = max(b.newest, source.seg.Age())
	}

	b.w.Replaces = b.replaces
	b.w.Clients = b.clients.Text()

	if err := b.w.Finish(); err != nil {
		return err
	}

	// On disk before the commit names it.
	if err := b.c.site.scratch().Sync(stagedPath(b.staged)); err != nil {
		return err
	}

	// The same segments give the same name, as with merged rows.
	sum := sha256.Sum256([]byte(strings.Join(b.replaces, "\n")))
	newest, _, _ := strings.Cut(cmp.Or(b.newest, "0000000000000"), "_")
	unique := layout.MergedPrefix + newest + "_" + hex.EncodeToString(sum[:8])
	final := cmp.Or(b.d.under, layout.ColumnsPath(b.d.date, b.d.version, unique))

	b.made = append(b.made, [2]string{b.staged, final})
	b.after += b.w.Size()
	b.records += b.w.Info().Records

	b.w = nil
	return nil
}

// abandon removes what was staged.
func (b *dayBuild) abandon() error {
	staged := []string{}
	for _, made := range b.made {
		staged = append(staged, made[0])
	}
	if b.w != nil {
		staged = append(staged, b.staged)
	}
	for _, name := range staged {
		if err := b.c.site.scratch().Remove(stagedPath(name)); err != nil {
			return err
		}
	}
	return nil
}
