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
	aside := path.Join(layout.DamagedDir, s.Path)
	err = p.site.keep(ctx, s.Path, aside)
	for n := 2; errors.Is(err, fs.ErrExist); n++ { // damaged before, and repaired
		aside = fmt.Sprintf("%s.%d", path.Join(layout.DamagedDir, s.Path), n)
		err = p.site.keep(ctx, s.Path, aside)
	}
	if err != nil {
		return "", err
	}
	enc, err := segment.NewEncoder(zstd.SpeedDefault, segment.FrameBytes)
	if err != nil {
		return "", err
	}
	defer enc.Close()
	const name = "repaired"
	disk, staged := p.site.scratch(), path.Join(layout.CompactDir, name)
	if err := disk.Remove(staged); err != nil {
		return "", err
	}
	out, err := segment.NewBuilder(disk.Appender(staged), nil)
	if err != nil {
		return "", err
	}
	if out.Replaces, err = p.replaces(s); err != nil {
		return "", err
	}
	err = p.tree.Salvage(s, false, func(lines []byte, ids segment.IDs) error {
		return out.AddFrame(lines, enc.EncodeAll(lines, nil), ids)
	})
	if err != nil && !layout.IsDamage(err) {
		return "", err
	}
	var put [][2]string
	gone := []string{s.Path}
	if out.Records > 0 {
		if err := out.Finish(); err != nil {
			return "", err
		}
		if err := disk.Sync(staged); err != nil {
			return "", err
		}
		final := s.Path
		if !s.Seekable() {
			final = s.SeekableName()
		}
		put = [][2]string{{name, final}}
		if final == s.Path {
			gone = nil
		}
	}
	if err := p.site.replace(ctx, put, gone, CompactOptions{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("kept %d records, the damaged file is %s", out.Records, aside), nil
}

// replaces returns what a damaged merged segment replaces, as far as that can be
// read: what is forgotten, and still there, is seen again.
func (p *Place) replaces(s layout.Segment) ([]string, error) {
	if !s.Merged() {
		return nil, nil
	}
	if f, ix, err := p.tree.Index(s); err == nil {
		return ix.Replaces, f.Close()
	} else if !layout.IsDamage(err) {
		return nil, err
	}
	f, err := p.tree.OpenFile(s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return segment.FindReplaces(f, f.Size(), segment.FindFrames(f, f.Size())), nil
}
