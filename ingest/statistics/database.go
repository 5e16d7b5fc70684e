package statistics

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// openWait is how long a process waits for another one that has the database open. It
// is open for moments only.
const openWait = time.Minute

// rawLogs is the bucket of the database: the JSON of each RawLog by its source.
var rawLogs = []byte("raw logs")

// database is the file of merged statistics. While it is open for writing, no other
// process has it open.
type database struct {
	bolt *bbolt.DB
}

// openDatabase opens the database, made if missing unless it is readOnly. The caller
// closes it.
func openDatabase(root *os.Root, readOnly bool) (*database, error) {
	// bbolt locks the file, which makes others wait.
	db, err := bbolt.Open(databaseFile, 0o666, &bbolt.Options{
		Timeout:  openWait,
		ReadOnly: readOnly,
		OpenFile: root.OpenFile, // no link leads out of the data folder
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", databaseFile, err)
	}
	return &database{db}, nil
}

// readDatabase calls use with the database open for reading, if there is one.
func readDatabase(root *os.Root, use func(*database) error) (err error) {
	info, err := root.Stat(databaseFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return nil // the process that made it was killed before it wrote to it
	}

	db, err := openDatabase(root, true)
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
		bucket := tx.Bucket(rawLogs)
		if bucket == nil {
			return nil
		}

		text := bucket.Get([]byte(source))
		if text == nil {
			return nil
		}

		var err error
		found, err = parse(text, databaseFile)
		return err
	})
	return found, err
}

// each calls use with the JSON of each RawLog, valid during the call.
func (d *database) each(use func(text []byte) error) error {
	return d.bolt.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(rawLogs)
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(_, text []byte) error { return use(text) })
	})
}
