package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// repairSegment replaces a damaged segment by what can be read of it and keeps the
// damaged file in state/damaged. The caller holds the lock.
//
//  1. The damaged file gets its second name, below state/damaged.
//  2. What can be read is staged as a segment.
//  3. That replaces the damaged file, under its name (or beside an old file, which
//     is then removed). With nothing to stage the file is only removed.
//
// Killed anywhere, it is repeated or finished.
func (p *Place) repairSegment(ctx context.Context, s layout.Segment) (done string, err error) {
	aside, err := p.keepAside(ctx, s)
	if err != nil {
		return "", err
	}
	out, err := p.stageReadable(s)
	if err != nil {
		return "", err
	}

	final := s.Path
	if !s.Seekable() {
		final = s.SeekableName()
	}
	var put [][2]string
	if out.Records > 0 {
		put = [][2]string{{repairedName, final}}
	}
	var gone []string
	if out.Records == 0 || final != s.Path {
		gone = []string{s.Path}
	}
	if err := p.site.replace(ctx, put, gone, CompactOptions{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("kept %d records, the damaged file is %s", out.Records, aside), nil
}

// keepAside gives the segment a second name below state/damaged and returns that. If
// it was damaged and repaired before, a number is added.
func (p *Place) keepAside(ctx context.Context, s layout.Segment) (string, error) {
	first := path.Join(layout.DamagedDir, s.Path)
	aside := first
	for n := 2; ; n++ {
		err := p.site.keep(ctx, s.Path, aside)
		if !errors.Is(err, fs.ErrExist) {
			return aside, err
		}
		aside = fmt.Sprintf("%s.%d", first, n)
	}
}

// repairedName is the staged segment's, in layout.CompactDir.
const repairedName = "repaired"

// stageReadable stages a segment of what can be read of a damaged one, and makes it
// durable, unless that is nothing.
func (p *Place) stageReadable(s layout.Segment) (*segment.Builder, error) {
	enc, err := segment.NewEncoder(zstd.SpeedDefault, segment.FrameBytes)
	if err != nil {
		return nil, err
	}
	defer enc.Close()

	// Another repair may have left its own.
	disk := p.site.scratch()
	staged := path.Join(layout.CompactDir, repairedName)
	if err := disk.Remove(staged); err != nil {
		return nil, err
	}
	out, err := segment.NewBuilder(disk.Appender(staged), nil)
	if err != nil {
		return nil, err
	}
	if out.Replaces, err = p.replaces(s); err != nil {
		return nil, err
	}

	err = p.tree.Salvage(s, false, func(lines []byte, ids segment.IDs) error {
		return out.AddFrame(lines, enc.EncodeAll(lines, nil), ids)
	})
	if err != nil && !layout.IsDamage(err) {
		return nil, err
	}
	if out.Records == 0 {
		return out, nil
	}
	if err := out.Finish(); err != nil {
		return nil, err
	}
	return out, disk.Sync(staged)
}

// replaces returns what a damaged merged segment replaces, as far as that can be
// read. Readers see again a segment that is missing in it, if that is still there.
func (p *Place) replaces(s layout.Segment) ([]string, error) {
	if !s.Merged() {
		return nil, nil
	}

	f, ix, err := p.tree.Index(s)
	if err == nil {
		return ix.Replaces, f.Close()
	}
	if !layout.IsDamage(err) {
		return nil, err
	}

	f, err = p.tree.OpenFile(s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return segment.FindReplaces(f, f.Size(), segment.FindFrames(f, f.Size())), nil
}
