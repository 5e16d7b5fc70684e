package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// repairSegment replaces a damaged segment by what can be read of it and keeps the
// damaged file in state/damaged. The caller holds the lock.
//
//  1. The damaged file gets its second name, below state/damaged.
//  2. What can be read is staged as a segment.
//  3. That segment replaces the damaged file, under its name (or beside an old file,
//     which is then removed). With nothing to stage the file is only removed.
//
// If the process is killed on the way, the next repair repeats or finishes it.
func (p *Place) repairSegment(ctx context.Context, s layout.Segment) (done string, err error) {
	aside, err := p.preserve(ctx, s)
	if err != nil {
		return "", err
	}

	stage := p.stageReadable
	if s.InColumns() {
		stage = p.stageReadableColumns
	}
	records, err := stage(s)
	if err != nil {
		return "", err
	}

	// An old file's replacement is a segment of ours, whose name differs.
	final := s.Path
	if !s.Seekable() && !s.InColumns() {
		final = s.SeekableName()
	}

	// A replacement of the same name needs no removal: it takes the place of the file.
	var put [][2]string
	if records > 0 {
		put = [][2]string{{repairedName, final}}
	}
	var gone []string
	if records == 0 || final != s.Path {
		gone = []string{s.Path}
	}

	if err := p.site.replace(ctx, put, gone, CompactOptions{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("kept %d records, the damaged file is %s", records, aside), nil
}

// preserve gives the segment a second name below state/damaged and returns that. If
// it was damaged and repaired before, a number is added.
func (p *Place) preserve(ctx context.Context, s layout.Segment) (string, error) {
	first := path.Join(layout.DamagedDir, s.Path)
	aside := first
	// Earlier damaged files of this name stay as they are.
	for n := 2; ; n++ {
		err := p.site.preserve(ctx, s.Path, aside)
		if !errors.Is(err, fs.ErrExist) {
			return aside, err
		}

		aside = fmt.Sprintf("%s.%d", first, n)
	}
}

// repairedName is the staged segment's, in layout.CompactDir.
const repairedName = "repaired"

// stageReadable stages a segment of what can be read of a damaged one, and makes it
// durable. It returns the number of its records; without any there is nothing to publish.
func (p *Place) stageReadable(s layout.Segment) (records int64, err error) {
	enc, err := segment.NewEncoder(zstd.SpeedDefault, segment.FrameBytes)
	if err != nil {
		return 0, err
	}
	defer enc.Close()

	// An earlier repair may have left its staged segment.
	disk := p.site.scratch()
	staged := path.Join(layout.CompactDir, repairedName)
	if err := disk.Remove(staged); err != nil {
		return 0, err
	}

	out, err := segment.NewBuilder(disk.Appender(staged), nil)
	if err != nil {
		return 0, err
	}
	out.Replaces, err = p.replaces(s)
	if err != nil {
		return 0, err
	}

	// Damage is expected here; only an error of the disk stops the repair.
	err = p.tree.Salvage(s, false, func(lines []byte, ids segment.IDs) error {
		return out.AddFrame(lines, enc.EncodeAll(lines, nil), ids)
	})
	if err != nil && !layout.IsDamage(err) {
		return 0, err
	}
	if out.Records == 0 {
		return 0, nil
	}

	if err := out.Finish(); err != nil {
		return 0, err
	}
	return out.Records, disk.Sync(staged)
}

// stageReadableColumns is stageReadable for a segment in columns.
func (p *Place) stageReadableColumns(s layout.Segment) (records int64, err error) {
	enc, err := columns.NewEncoder()
	if err != nil {
		return 0, err
	}
	defer enc.Close()

	disk := p.site.scratch()
	staged := path.Join(layout.CompactDir, repairedName)
	if err := disk.Remove(staged); err != nil {
		return 0, err
	}
	out, err := columns.NewWriter(disk.Appender(staged), enc)
	if err != nil {
		return 0, err
	}

	// What the damaged file replaces is replaced by what is left of it, too.
	out.Replaces, err = p.tree.SalvageColumns(s, false, func(dims schema.Dims, line []byte, msOfDay uint32) error {
		records++
		return out.Add(dims, line, msOfDay)
	})
	if err != nil && !layout.IsDamage(err) || records == 0 {
		return 0, onlyDisk(err)
	}
	if err := out.Finish(); err != nil {
		return 0, err
	}
	return records, disk.Sync(staged)
}

// onlyDisk returns err unless it is damage.
func onlyDisk(err error) error {
	if layout.IsDamage(err) {
		return nil
	}
	return err
}

// replaces returns what a damaged merged segment replaces, as far as that can be
// read. If a name is missing there and its segment still exists, readers see it again.
func (p *Place) replaces(s layout.Segment) ([]string, error) {
	if !s.Merged() {
		return nil, nil
	}

	file, ix, err := p.tree.Index(s)
	if err == nil {
		return ix.Replaces, file.Close()
	}
	if !layout.IsDamage(err) {
		return nil, err
	}

	// The index is damaged; the trailer may be sound and follows the last frame.
	file, err = p.tree.OpenFile(s)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	frames := segment.FindFrames(file, file.Size())
	return segment.FindReplaces(file, file.Size(), frames), nil
}
