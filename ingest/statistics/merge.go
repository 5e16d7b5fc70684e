package statistics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// maxMerged bounds the raw logs whose statistics one transaction stores.
const maxMerged = 1000

// document is the JSON of a RawLog.
type document struct {
	source string
	text   []byte
}

// Merge moves statistics from files into the database, and returns how many. What All
// returns stays the same, also if Merge ends in the middle. An error wraps
// layout.ErrBusy while another process compacts or merges.
//
//  1. Move the files of days, which an older version wrote, the oldest day first: a day
//     that is still a file is newer than what is in the database.
//  2. Move each <source>.json into merging/.
//  3. Store what is in merging/, and remove it there. What a crash left in merging/ is
//     stored by the next Merge, which changes nothing, or replaced there by a newer one.
func Merge(ctx context.Context, data *layout.Data) (merged int, err error) {
	// The lock of compaction: two merges at once would move the same files.
	lock, err := data.Lock()
	if err != nil {
		return 0, err
	}
	defer lock.Close()

	m := &merge{root: data.Root(), disk: &data.Folder().Disk, log: data.Log()}
	defer func() { err = errors.Join(err, m.close()) }()

	// The days come before anything that is newer; see All.
	if err := m.days(ctx); err != nil {
		return m.merged, err
	}
	if err := m.claim(); err != nil {
		return m.merged, err
	}
	return m.merged, m.files(ctx)
}

// merge is a Merge at work.
type merge struct {
	root   *os.Root
	disk   *backend.Disk
	log    *slog.Logger
	db     *database // nil until something is stored
	merged int
}

func (m *merge) close() error {
	if m.db == nil {
		return nil
	}
	return m.db.close()
}

// days moves the files of days into the database.
func (m *merge) days(ctx context.Context) error {
	names, err := filesIn(m.root, Dir, daySuffix)
	if err != nil {
		return err
	}

	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}

		lines, err := readDay(m.root, name, m.log)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			continue // it was damaged, and is set aside
		}

		// A later line of the same source takes the place of an earlier one.
		var documents []document
		for line := range bytes.Lines(lines) {
			text := bytes.TrimSpace(line)
			r, err := parse(text, name)
			if err != nil {
				return err
			}
			documents = append(documents, document{r.Source, text})
		}

		if err := m.store(documents, name); err != nil {
			return err
		}
	}
	return nil
}

// claim moves the files of raw logs into merging/, where no commit replaces them.
func (m *merge) claim() error {
	names, err := filesIn(m.root, Dir, fileSuffix)
	if err != nil || len(names) == 0 {
		return err
	}

	// A file that a crash left there is replaced by a newer one of the same raw log.
	if err := m.disk.MkdirAll(mergingDir, map[string]bool{}); err != nil {
		return err
	}
	for _, name := range names {
		if err := m.disk.Rename(name, path.Join(mergingDir, path.Base(name))); err != nil {
			return err
		}
	}
	return nil
}

// files moves what is in merging/ into the database.
func (m *merge) files(ctx context.Context) error {
	names, err := filesIn(m.root, mergingDir, fileSuffix)
	if err != nil {
		return err
	}

	for len(names) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}

		// One transaction, and one sync, for many of them.
		batch := names[:min(len(names), maxMerged)]
		names = names[len(batch):]

		var documents []document
		var whole []string // the files of the batch that are not damaged
		for _, name := range batch {
			text, err := m.root.ReadFile(name)
			if err != nil {
				return err
			}
			r, err := parse(text, name)
			if err != nil {
				if err := setAside(m.root, name, err, m.log); err != nil {
					return err
				}
				continue
			}
			documents = append(documents, document{r.Source, text})
			whole = append(whole, name)
		}

		if err := m.store(documents, whole...); err != nil {
			return err
		}
		m.merged += len(whole)
	}
	return nil
}

// store stores statistics durably and removes the files they come from.
func (m *merge) store(documents []document, from ...string) error {
	if m.db == nil {
		db, err := openDatabase(m.root, false, m.log)
		if err != nil {
			return err
		}
		m.db = db
	}

	if err := m.db.store(documents); err != nil {
		return err
	}

	// The database may be new: its entry in the folder comes before the removals.
	if err := m.disk.SyncDir(Dir); err != nil {
		return err
	}

	// A crash before or between these leaves files that are stored again.
	for _, name := range from {
		if err := m.disk.Remove(name); err != nil {
			return fmt.Errorf("remove merged statistics: %w", err)
		}
	}
	return nil
}
