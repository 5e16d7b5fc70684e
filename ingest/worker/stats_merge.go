package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/store"
)

// MergeStats gathers the statistics of the raw logs that were converted before
// that time in one file per day, and returns how many it took. What ReadStats
// tells stays the same, also if this ends in the middle. An error wraps
// layout.ErrBusy while somebody compacts the folder.
//
//  1. Move each <source>.json to merging/, unless a segment is still where it says,
//     so that supersede may need it, or a part of the raw log went to another one,
//     which ConvertFrames must know for ever. If the raw log is converted again
//     meanwhile, a new one takes its place, and neither is lost.
//  2. Write the lines of each day anew: those of its file, with what is in merging/
//     in their places or behind them; put that in place, durably.
//  3. Remove what was in merging/. What a crash left there is merged again, which
//     changes nothing.
func MergeStats(ctx context.Context, data *layout.Data, before time.Time) (merged int, err error) {
	lock, err := data.Lock()
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	disk := &data.Folder().Disk
	root := data.Root().FS()
	names, err := namesIn(root, StatsDir, docEnding)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := fs.Stat(root, name)
		if err != nil {
			return 0, err
		}
		if !info.ModTime().Before(before) {
			continue
		}
		if stays, err := inPlace(root, name); err != nil {
			return 0, err
		} else if stays {
			continue
		}
		if err := disk.MkdirAll(mergingDir, map[string]bool{}); err != nil {
			return 0, err
		}
		if err := disk.Rename(name, path.Join(mergingDir, path.Base(name))); err != nil {
			return 0, err
		}
	}
	taken, err := namesIn(root, mergingDir, docEnding)
	if err != nil || len(taken) == 0 {
		return 0, err
	}
	if err := disk.SyncDir(mergingDir); err != nil {
		return 0, err
	}
	days := map[string][]string{} // what is in merging/, by day
	for _, name := range taken {
		info, err := fs.Stat(root, name)
		if err != nil {
			return 0, err
		}
		day := info.ModTime().UTC().Format("20060102")
		days[day] = append(days[day], name)
	}
	for day, names := range days {
		if err := ctx.Err(); err != nil {
			return merged, err
		}
		if err := mergeDay(disk, day, names); err != nil {
			return merged, fmt.Errorf("merge statistics of %s: %w", day, err)
		}
		merged += len(names)
	}
	return merged, nil
}

// inPlace says whether a segment that the document names is there, or what it is
// about must never be converted again.
func inPlace(root fs.FS, name string) (bool, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return false, err
	}
	var doc StatsDoc
	if err := json.Unmarshal(text, &doc); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if doc.Waiting > 0 {
		return true, nil
	}
	for _, segment := range doc.Segments {
		if _, err := fs.Stat(root, segment); err == nil {
			return true, nil
		}
	}
	return false, nil
}

// mergeDay puts the documents into the file of the day and removes them.
func mergeDay(disk *store.Disk, day string, names []string) error {
	root := disk.Root.FS()
	final := path.Join(StatsDir, day+dayStats)
	old, err := readDay(root, final)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var sources []string // in order
	lines := map[string][]byte{}
	add := func(text []byte) error {
		var doc StatsDoc
		if err := json.Unmarshal(text, &doc); err != nil {
			return err
		}
		if lines[doc.Source] == nil {
			sources = append(sources, doc.Source)
		}
		lines[doc.Source] = bytes.TrimSpace(text)
		return nil
	}
	for line := range bytes.Lines(old) {
		if err := add(line); err != nil {
			return fmt.Errorf("%s: %w", final, err)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := fs.ReadFile(root, name)
		if err == nil {
			err = add(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	var all []byte
	for _, s := range sources {
		all = append(append(all, lines[s]...), '\n')
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return err
	}
	all = enc.EncodeAll(all, nil)
	if err := enc.Close(); err != nil {
		return err
	}
	tmp := path.Join(StatsDir, "."+day+".tmp") // what a crash left of it goes first
	if err := disk.Remove(tmp); err != nil {
		return err
	}
	if err := errors.Join(disk.Append(tmp, all), disk.Sync(tmp)); err != nil {
		return err
	}
	if err := disk.Rename(tmp, final); err != nil {
		return err
	}
	if err := disk.SyncDir(StatsDir); err != nil {
		return err
	}
	for _, name := range names {
		if err := disk.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
