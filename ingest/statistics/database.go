package statistics

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/layout/helperfile"
)

const (
	// openWait is how long a process waits for another one that has the database open.
	// It is open for moments only.
	openWait = time.Minute
	// maxRead bounds the raw logs whose statistics one transaction reads.
	maxRead = 1000
)

// rawLogs is the bucket of the database: the JSON of each RawLog by its source.
var rawLogs = []byte("raw logs")

// database is the file of merged statistics. While it is open for writing, no other
// process has it open.
type database struct {
	bolt *helperfile.Database
}

// openDatabase opens the database, made if missing unless it is readOnly. One that is
// damaged is set aside, and an empty one takes its place. The caller closes it.
func openDatabase(root *os.Root, readOnly bool, log *slog.Logger) (*database, error) {
	db, err := helperfile.Open(helperfile.Options{
		Root:     root,
		Name:     databaseFile,
		Lost:     "the merged statistics of raw logs: tmserver stats counts those of later ones only",
		ReadOnly: readOnly,
		Wait:     openWait,
		Log:      log,
	})
	if err != nil {
		return nil, err
	}
	return &database{db}, nil
}

// readDatabase calls use with the database open for reading.
func readDatabase(root *os.Root, log *slog.Logger, use func(*database) error) (err error) {
	db, err := openDatabase(root, true, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	return use(db)
}

func (d *database) close() error { return d.bolt.Close() }

// store stores statistics durably, in one transaction, each in place of an earlier one
// of its source.
func (d *database) store(statistics []document) error {
	err := d.bolt.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(rawLogs)
		if err != nil {
			return err
		}

		for _, s := range statistics {
			if err := bucket.Put([]byte(s.source), s.text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("update %s: %w", databaseFile, err)
	}
	return nil
}

// find returns the statistics of a source; the zero RawLog if there are none.
func (d *database) find(source string) (RawLog, error) {
	var found RawLog
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		found = RawLog{}
		bucket := tx.Bucket(rawLogs)
		if bucket == nil {
			return nil
		}

		text := bucket.Get([]byte(source))
		if text == nil {
			return nil
		}

		var err error
		found, err = parseStored(text)
		return err
	})
	return found, err
}

// each calls use with each RawLog, outside of a transaction.
func (d *database) each(use func(RawLog) error) error {
	var last []byte // source of the last one that was used
	for {
		batch, err := d.after(last)
		if err != nil || len(batch) == 0 {
			return err
		}

		for _, r := range batch {
			if err := use(r); err != nil {
				return err
			}
		}
		last = []byte(batch[len(batch)-1].Source)
	}
}

// after returns the next statistics behind those of a source; none at the end.
func (d *database) after(last []byte) (batch []RawLog, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		batch = nil
		bucket := tx.Bucket(rawLogs)
		if bucket == nil {
			return nil
		}

		cursor := bucket.Cursor()
		source, text := cursor.Seek(last)
		if last != nil && bytes.Equal(source, last) {
			source, text = cursor.Next()
		}

		for ; source != nil && len(batch) < maxRead; source, text = cursor.Next() {
			r, err := parseStored(text)
			if err != nil {
				return err
			}
			if r.Source != string(source) || bytes.Compare(source, last) <= 0 {
				return fmt.Errorf("%w: raw log %q under the key %q", helperfile.ErrDamaged, r.Source, source)
			}
			batch = append(batch, r)
		}
		return nil
	})
	return batch, err
}

// parseStored reads a RawLog of the database, where all are whole unless it is damaged.
func parseStored(text []byte) (RawLog, error) {
	r, err := parse(text, databaseFile)
	if err != nil {
		err = fmt.Errorf("%w: %w", helperfile.ErrDamaged, err)
	}
	return r, err
}
