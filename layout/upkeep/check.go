package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
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
	// Repaired says what was done about it, as a sentence; "" is nothing.
	Repaired string

	segment layout.Segment
}

// Damage says whether stored records are damaged or lost, not just oddly kept.
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
func Check(ctx context.Context, t *layout.Tree) (CheckStats, []Finding, error) {
	var st CheckStats
	f := schema.All()
	f.IncludeQuarantined = true
	all, err := t.List(ctx, f)
	if err != nil {
		return st, nil, fmt.Errorf("check: %w", err)
	}
	var found []Finding
	for _, name := range all.Strays {
		found = append(found, Finding{Path: name, Err: errors.New("stray: no segment has such a name")})
	}
	infos := make([]layout.Info, len(all.Segments))
	errs := make([]error, len(all.Segments))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(runtime.NumCPU(), runtime.GOMAXPROCS(0)))
	for i, s := range all.Segments {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			infos[i], errs[i] = checkSegment(t, s)
			if errs[i] != nil && !layout.IsDamage(errs[i]) && !errors.Is(errs[i], fs.ErrNotExist) {
				return errs[i]
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return st, nil, fmt.Errorf("check: %w", err)
	}
	for i, s := range all.Segments {
		if errors.Is(errs[i], fs.ErrNotExist) {
			continue // retention removed it
		}
		st.Segments++
		st.Records += infos[i].Records
		st.RawBytes += infos[i].RawBytes
		st.Bytes += s.Size
		if errs[i] != nil {
			found = append(found, Finding{Path: s.Path, Err: errs[i], segment: s})
		}
		if errs[i] == nil && strings.HasSuffix(s.Path, ".zst") && !s.Seekable() {
			found = append(found, Finding{Path: s.Path, Err: errors.New("no index: one task reads it from end to end, and compaction leaves it alone")})
		}
		for dim, v := range s.Dims {
			if t.IsData() && v != schema.Sanitise(dim, v) {
				found = append(found, Finding{Path: s.Path, Err: fmt.Errorf("odd name: %s %q is not clean", schema.DimNames[dim], v)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	return st, found, nil
}

// checkSegment reads a whole segment. The counts are of what could be read.
func checkSegment(t *layout.Tree, s layout.Segment) (layout.Info, error) {
	var in layout.Info
	err := t.Salvage(s, true, func(lines []byte, _ segment.IDs) error {
		in.Records += int64(bytes.Count(lines, []byte("\n")))
		in.RawBytes += int64(len(lines))
		return nil
	})
	return in, err
}

// Check checks the tree and also reports publications that were interrupted. With
// repair it puts right what it can: a damaged segment is moved to state/damaged,
// and its place is taken by what can still be read of it; interrupted
// publications are finished. ErrBusy while Compact runs.
func (p *Place) Check(ctx context.Context, repair bool) (st CheckStats, found []Finding, err error) {
	if !repair {
		if st, found, err = Check(ctx, p.tree); err != nil {
			return st, nil, err
		}
		interrupted, err := p.interrupted()
		return st, append(found, interrupted...), err
	}
	err = p.locked(ctx, func() error {
		st, found, err = p.repair(ctx)
		return err
	})
	if err != nil {
		err = fmt.Errorf("repair: %w", err)
	}
	return st, found, err
}

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
	st, found, err := Check(ctx, p.tree)
	for i := range found {
		if err == nil && found[i].Damage() {
			found[i].Repaired, err = p.repairSegment(ctx, found[i].segment)
		}
	}
	return st, append(found, interrupted...), err
}

// interrupted returns the staging folders that nobody works on.
func (p *Place) interrupted() (found []Finding, err error) {
	if p.data == nil {
		return nil, nil
	}
	disk := p.data.Folder()
	es, err := disk.List(layout.StagingDir)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		name := path.Join(layout.StagingDir, e.Name())
		lock, err := disk.Lock(name)
		if errors.Is(err, layout.ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return found, err
		}
		lock.Close()
		found = append(found, Finding{Path: name, Err: errors.New("a publication was interrupted")})
	}
	return found, nil
}
