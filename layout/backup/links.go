package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/helperfile"
)

const (
	// rawLink begins the names of the second links of raw logs, in workDir.
	rawLink = "raw."
	// databaseWait is how long a backup waits for a helper file that another process has
	// open: a server has the index of repeats open while it converts a raw log.
	databaseWait = time.Minute
	// databaseSuffix ends the names of helper files that are databases.
	databaseSuffix = ".bolt"
)

// linkRawLogs copies the index of repeats, and while that is open, so that nothing is
// converted, gives each raw log a second link, which it returns.
func (c *copier) linkRawLogs() (links []string, err error) {
	linked := false
	link := func() error {
		linked = true
		links, err = c.link()
		return err
	}

	err = c.database(layout.RepeatsFile, link)
	if err != nil && !linked {
		// The server converts all the time. Without the index, what clients send again
		// after a restore is published again, and nothing is lost.
		c.leaveOut(layout.RepeatsFile, err)
		err = link()
	}
	return links, err
}

// link links the raw logs until two listings in a row agree: a submission that moves
// from one raw log to another one (it waits for its definitions) is in both for a while.
func (c *copier) link() (links []string, err error) {
	disk := c.data.Folder()
	for before := []string(nil); ; {
		entries, err := disk.List(layout.RawDir)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, entry := range entries {
			if entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), ".") {
				names = append(names, entry.Name())
			}
		}
		if before != nil && slices.Equal(names, before) {
			return links, nil
		}
		before = append([]string{}, names...)

		for _, name := range names {
			second := path.Join(workDir, rawLink+name)
			err := disk.Link(path.Join(layout.RawDir, name), second)
			switch {
			case errors.Is(err, fs.ErrNotExist): // it was finished, or converted
			case err != nil:
				return nil, fmt.Errorf("link raw log %s: %w", name, err)
			case !slices.Contains(links, second):
				links = append(links, second)
			}
		}
	}
}

// database copies a helper file that is a database into workDir, as one transaction sees
// it, and calls while it is open. A file that does not exist is fine.
func (c *copier) database(name string, while func() error) error {
	db, err := helperfile.Open(helperfile.Options{
		Root:     c.data.Root(),
		Name:     name,
		Lost:     "what it had",
		ReadOnly: true,
		Wait:     databaseWait,
		Log:      c.o.Log,
	})
	if err != nil {
		return err
	}

	disk := c.data.Folder()
	if err := db.Copy(disk.Appender(copyOf(name))); err != nil {
		return errors.Join(err, db.Close(), disk.Remove(copyOf(name)))
	}
	return errors.Join(while(), db.Close())
}

// copyOf is where the copy of a database is until it is in the repository.
func copyOf(name string) string { return path.Join(workDir, strings.ReplaceAll(name, "/", "_")) }

// databases adds the copies of databases to the snapshot, after making those that are
// still missing.
func (c *copier) databases(ctx context.Context) error {
	names, err := c.list(layout.StateDir)
	if err != nil {
		return err
	}

	for _, name := range names {
		if !strings.HasSuffix(name, databaseSuffix) || strings.HasPrefix(name, workDir) {
			continue
		}
		if name != layout.RepeatsFile {
			if err := c.database(name, func() error { return nil }); err != nil {
				c.leaveOut(name, err)
				continue
			}
		}
		if err := c.copy(ctx, copyOf(name), name, -1); err != nil {
			return err
		}
	}
	return nil
}

// leaveOut notes a helper file that cannot be copied.
func (c *copier) leaveOut(name string, why error) {
	c.done.LeftOut = append(c.done.LeftOut, name)
	c.o.Log.Warn("a helper file is left out of the backup", "file", name, "err", why)
}
