package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// Names in the folder of jobs.
const (
	storeFile = "jobs.bolt"
	runsDir   = "runs" // a folder for each run, by its ID
)

// Buckets of the store. All values are JSON.
var (
	runsBucket  = []byte("runs")  // api.Run by ID
	timesBucket = []byte("times") // when the schedule of a script was served last, by name

	backfillsBucket = []byte("backfills") // api.Backfill by the name of its script
	alertsBucket    = []byte("alerts")    // api.Alert by the name of its script
	daysBucket      = []byte("days")      // api.Day by dayKey
)

// store keeps runs. Safe for concurrent use; a change is synced when the method returns.
type store struct{ db *bbolt.DB }

// openStore opens the store of a folder.
func openStore(dir string) (*store, error) {
	db, err := bbolt.Open(filepath.Join(dir, storeFile), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", storeFile, err)
	}

	err = db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{runsBucket, timesBucket, backfillsBucket, daysBucket, alertsBucket} {
			if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}

	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// put stores a value.
func (s *store) put(bucket []byte, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key), text) })
}

// get reads a value; ok is false if the key has no value.
func (s *store) get(bucket []byte, key string, value any) (ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucket).Get([]byte(key))
		if text == nil {
			return nil
		}
		ok = true
		return json.Unmarshal(text, value)
	})
	return ok, err
}

// each calls a function with each value whose key has a prefix, in the order of the keys.
func (s *store) each(bucket []byte, prefix string, call func(text []byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		for key, text := cursor.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, text = cursor.Next() {
			if err := call(text); err != nil {
				return err
			}
		}
		return nil
	})
}

// runs returns all runs, the oldest first.
func (s *store) runs() (all []*api.Run, err error) {
	err = s.each(runsBucket, "", func(text []byte) error {
		run := &api.Run{}
		all = append(all, run)
		return json.Unmarshal(text, run)
	})
	return all, err
}

// remove forgets a run.
func (s *store) remove(id string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(runsBucket).Delete([]byte(id)) })
}
