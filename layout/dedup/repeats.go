package dedup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// holderSuffix makes the name of the file that says which process has the index open.
const holderSuffix = ".pid"

// Repeats is the index of the submissions of the last days: a bbolt file with a
// bucket per day of receipt, in it the key of each submission and the raw log that it
// is in. The file is open, and so locked against other processes, while there are
// Recorders. It is safe for concurrent use.
type Repeats struct {
	dir  string
	name string        // of the file in dir
	days int           // for which a submission counts
	wait time.Duration // for another process to close the file, which it does after a raw log

	mu        sync.Mutex // guards what follows
	recorders int        // that are open
	db        *bbolt.DB
	pending   map[key]source // found new by open Recorders
}

type (
	key    [16]byte // the first half of the SHA-256 of ID and body
	source [8]byte  // the beginning of the SHA-256 of a raw log's name
)

// NewRepeats returns the index in a file of the folder dir, which is made when it is
// needed. A submission counts as a repeat for so many days, at least 1.
func NewRepeats(dir, name string, days int) *Repeats {
	return &Repeats{dir: dir, name: name, days: days, wait: time.Minute, pending: map[key]source{}}
}

func (r *Repeats) path() string { return filepath.Join(r.dir, filepath.FromSlash(r.name)) }

// find says whether another raw log than from has the submission, received on the
// day or within the days before it. If none has, it counts as pending for from.
func (r *Repeats) find(k key, from source, day time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.pending[k]; ok {
		return other != from, nil
	}

	repeated := false
	first := schema.DateOf(day.AddDate(0, 0, -r.days))
	err := r.db.View(func(tx *bbolt.Tx) error {
		days := tx.Cursor()
		for name, _ := days.Seek([]byte(first)); name != nil; name, _ = days.Next() {
			if value := tx.Bucket(name).Get(k[:]); value != nil {
				repeated = source(value) != from
				return nil
			}
		}
		return nil
	})

	if err == nil && !repeated {
		r.pending[k] = from
	}
	return repeated, err
}

// acquire opens the file for one more Recorder.
func (r *Repeats) acquire() error {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.recorders == 0 {
		if err := r.open(); err != nil {
			return err
		}
	}
	r.recorders++
	return nil
}

func (r *Repeats) open() error {
	if err := os.MkdirAll(filepath.Dir(r.path()), 0o777); err != nil {
		return err
	}

	holderFile := r.path() + holderSuffix
	db, err := bbolt.Open(r.path(), 0o666, &bbolt.Options{Timeout: r.wait})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		holder, _ := os.ReadFile(holderFile)
		err = fmt.Errorf("process %s has it, still after %v", cmp.Or(string(holder), "?"), r.wait)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", r.name, err)
	}

	// So that the next process can name this one while it waits.
	if err := os.WriteFile(holderFile, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o666); err != nil {
		return errors.Join(err, db.Close())
	}
	r.db = db
	return nil
}

// release ends the use by a Recorder, whose new submissions are pending no more.
func (r *Repeats) release(added map[key]schema.Date) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range added {
		delete(r.pending, k)
	}

	r.recorders--
	if r.recorders > 0 {
		return nil
	}
	return r.db.Close()
}

// expire removes the days that no submission of the newest day is compared with.
func (r *Repeats) expire(tx *bbolt.Tx) error {
	last, _ := tx.Cursor().Last()
	newest, err := schema.Date(last).Time()
	if err != nil {
		return err
	}

	oldest := schema.DateOf(newest.AddDate(0, 0, -r.days-1))
	for {
		name, _ := tx.Cursor().First()
		if schema.Date(name) >= oldest {
			return nil
		}
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
}
