package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"regexp"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// What a server keeps of jobs, results and logs of runs, is text that a script has written.
// A sum says nothing about one client, but an ID does: each file is read and searched for IDs.

// uuids finds what may be an ID.
var uuids = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

// jobResults returns the results and logs of jobs that name one of the clients.
func jobResults(ctx context.Context, data *layout.Data, set *forget.Set) (names []string, err error) {
	err = fs.WalkDir(data.Root().FS(), layout.JobsDir+"/runs", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no jobs, or one that was removed
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}

		file, err := data.Root().Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
		has, err := nameOf(file, set)
		if has {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// nameOf says whether a text names one of the clients.
func nameOf(text io.Reader, set *forget.Set) (bool, error) {
	block := make([]byte, 0, 1<<20)
	for {
		n, err := io.ReadFull(text, block[len(block):cap(block)])
		block = block[:len(block)+n]
		for _, found := range uuids.FindAll(block, -1) {
			id, _ := forget.ParseID(found)
			if set.Knows(id) {
				return true, nil
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}

		// An ID may begin at the end of the block.
		kept := copy(block[:cap(block)], block[len(block)-64:])
		block = block[:kept]
	}
}

// removeJobResults removes the results and logs of jobs that name one of the clients.
func removeJobResults(ctx context.Context, data *layout.Data, set *forget.Set) error {
	names, err := jobResults(ctx, data, set)
	for _, name := range names {
		err = errors.Join(err, data.Folder().Remove(name))
	}
	return err
}
