package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"golang.org/x/sync/errgroup"
)

// Finding is one thing that Check found wrong.
type Finding struct {
	Path string
	// Err is a *CorruptError with the place for damage, else what is odd: a stray
	// file, a name that no writer gives, a publication that was interrupted.
	Err error
	// Repaired says what was done about it, as a sentence; "" if nothing was done.
	Repaired string

	segment layout.Segment
}

// Damage says whether stored records are damaged or lost. Otherwise they are sound,
// and only a name or a place is odd.
func (f Finding) Damage() bool { return layout.IsDamage(f.Err) }

// CheckStats counts what Check read.
type CheckStats struct {
	Segments int
	Records  int64
	RawBytes int64 // uncompressed
	Bytes    int64 // on disk
}

// Check reads every segment of the tree, quarantined ones too: names, index,
// checksums, counts, ID index and the shape of each line. It returns what it
// found wrong, by path; the error is about the disk, not the data.
func Check(ctx context.Context, tree *layout.Tree) (CheckStats, []Finding, error) {
	// Quarantined segments can be damaged like any others.
	everything := schema.All()
	everything.IncludeQuarantined = true
	all, err := tree.List(ctx, everything)
	if err != nil {
		return CheckStats{}, nil, fmt.Errorf("check: %w", err)
	}
	results, err := checkSegments(ctx, tree, all.Segments)
	if err != nil {
		return CheckStats{}, nil, fmt.Errorf("check: %w", err)
	}

	var found []Finding
	for _, name := range all.Strays {
		found = append(found, Finding{Path: name, Err: errors.New("stray: no segment has such a name")})
	}

	var stats CheckStats
	for i, seg := range all.Segments {
		// Retention may have removed the segment since it was listed.
		if errors.Is(results[i].err, fs.ErrNotExist) {
			continue
		}
		stats.Segments++
		stats.Records += results[i].records
		stats.RawBytes += results[i].rawBytes
		stats.Bytes += seg.Size
		found = append(found, findings(tree, seg, results[i].err)...)
	}

	slices.SortStableFunc(found, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	return stats, found, nil
}

// result is what reading one segment gave: the counts of what could be read, and its
// damage, or fs.ErrNotExist.
type result struct {
	records  int64
	rawBytes int64
	err      error
}

// checkSegments reads all segments, on all cores. The results are in the order of the
// segments; the error is about the disk.
func checkSegments(ctx context.Context, tree *layout.Tree, segments []layout.Segment) ([]result, error) {
	// Each goroutine writes its own element, so results needs no lock.
	results := make([]result, len(segments))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.NumCPU(), runtime.GOMAXPROCS(0)))

	for i, seg := range segments {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}

			results[i] = checkSegment(tree, seg)
			err := results[i].err
			if layout.IsDamage(err) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, layout.ErrNewer) {
				return nil
			}
			return err
		})
	}
	return results, group.Wait()
}

// checkSegment reads a whole segment.
func checkSegment(tree *layout.Tree, seg layout.Segment) (r result) {
	r.err = tree.Salvage(seg, true, func(lines []byte, _ segment.IDs) error {
		r.records += int64(bytes.Count(lines, []byte("\n")))
		r.rawBytes += int64(len(lines))
		return nil
	})
	return r
}

// findings returns what is wrong with a segment: its damage, which may be nil, and what
// is odd in its name.
func findings(tree *layout.Tree, seg layout.Segment, damage error) (found []Finding) {
	if damage != nil {
		found = append(found, Finding{Path: seg.Path, Err: damage, segment: seg})
	} else if strings.HasSuffix(seg.Path, ".zst") && !seg.Seekable() {
		found = append(found, Finding{Path: seg.Path, Err: errors.New("no index: one task reads it from end to end, and compaction leaves it alone")})
	}
	if !tree.IsData() {
		return found
	}

	// Names in other trees come from other writers, which did not sanitise them.
	odd := map[string]bool{} // once for each segment
	seg.Partitions(func(dims schema.Dims) {
		for dim, value := range dims {
			text := fmt.Sprintf("odd name: %s %q is not clean", schema.DimNames[dim], value)
			if value != schema.Sanitise(dim, value) && !odd[text] {
				odd[text] = true
				found = append(found, Finding{Path: seg.Path, Err: errors.New(text)})
			}
		}
	})
	return found
}

// Check checks the tree and also reports publications that were interrupted. With
// repair it puts right what it can: a damaged segment is moved to state/damaged,
// and its place is taken by what can still be read of it; interrupted
// publications are finished. ErrBusy while Compact runs.
func (p *Place) Check(ctx context.Context, repair bool) (stats CheckStats, found []Finding, err error) {
	if !repair {
		stats, found, err = Check(ctx, p.tree)
		if err != nil {
			return stats, nil, err
		}

		interrupted, err := p.interrupted()
		if err != nil {
			return stats, found, err
		}
		helpers, err := p.checkHelpers()
		return stats, slices.Concat(found, interrupted, helpers), err
	}

	// A commit that cannot be finished would keep the lock from being taken.
	aside, err := p.setCommitsAside()
	if err != nil {
		return stats, aside, fmt.Errorf("repair: %w", err)
	}

	err = p.locked(ctx, func() error {
		stats, found, err = p.repair(ctx)
		return err
	})
	if err != nil {
		err = fmt.Errorf("repair: %w", err)
	}
	return stats, append(found, aside...), err
}

// repair finishes interrupted publications, and then repairs what Check finds damaged.
// The caller holds the lock.
func (p *Place) repair(ctx context.Context) (CheckStats, []Finding, error) {
	interrupted, err := p.interrupted()
	if err == nil && len(interrupted) > 0 {
		err = p.data.Recover(ctx)
	}
	if err != nil {
		return CheckStats{}, interrupted, err
	}

	for i := range interrupted {
		interrupted[i].Repaired = "finished or dropped"
	}

	// The first error of a repair ends it, and the findings say how far it came.
	stats, found, err := Check(ctx, p.tree)
	for i := range found {
		if err == nil && found[i].Damage() {
			found[i].Repaired, err = p.repairSegment(ctx, found[i].segment)
		}
	}
	if err != nil {
		return stats, append(found, interrupted...), err
	}

	helpers, err := p.checkHelpers()
	for i := range helpers {
		if err == nil && helpers[i].Damage() {
			helpers[i].Repaired, err = "set aside, and made anew", dedup.Repair(p.data.Root(), layout.RepeatsFile, p.data.Log())
		}
	}
	return stats, slices.Concat(found, interrupted, helpers), err
}
