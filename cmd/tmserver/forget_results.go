package main

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/aitgithub/telemetry-server/engine/measures"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// Cached map results are made of the records of a segment. Their key says which forgotten
// clients were left out, so an older result is not used again; but it is there until it is
// removed. What is in it cannot be told: it may be an ID, or a number that a client's record
// has changed. So each result counts that is older than the newest list file: a job that began
// later knew all requests, and one that began before removes its results (tmrun).

// mapResults returns the cached map results that may have data of the clients.
func mapResults(data *layout.Data, set *forget.Set) (names []string, err error) {
	if set.Len() == 0 {
		return nil, nil
	}
	newest, err := data.LastForgotten()
	if err != nil {
		return nil, err
	}

	entries, err := fs.ReadDir(data.Root().FS(), layout.MapResultsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		info, infoErr := entry.Info()
		if infoErr != nil || !info.Mode().IsRegular() {
			continue // removed meanwhile
		}
		if !info.ModTime().After(newest) {
			names = append(names, path.Join(layout.MapResultsDir, entry.Name()))
		}
	}
	return names, err
}

// removeMapResults removes the cached map results that may have data of the clients.
func removeMapResults(data *layout.Data, set *forget.Set) error {
	names, err := mapResults(data, set)
	for _, name := range names {
		err = errors.Join(err, data.Folder().Remove(name))
	}
	return err
}

// staleDays returns the days of the page's explorer that may have data of the clients: sums
// of segments that are gone. A server makes these again from what replaced the segments.
func staleDays(ctx context.Context, data *layout.Data, set *forget.Set) ([]string, error) {
	if set.Len() == 0 {
		return nil, nil
	}
	return measures.Stale(ctx, data)
}

// removeDays removes them.
func removeDays(ctx context.Context, data *layout.Data, set *forget.Set) error {
	names, err := staleDays(ctx, data, set)
	for _, name := range names {
		err = errors.Join(err, data.Folder().Remove(name))
	}
	return err
}
