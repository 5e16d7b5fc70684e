package dedup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"go.etcd.io/bbolt"
)

// keysPerTransaction bounds a transaction: bbolt splits a page only at its end, so
// that one with many keys would copy a page that grows and grows.
const keysPerTransaction = 10_000

// maxWaiting is after how many new submissions all that wait for their transaction are
// written.
const maxWaiting = 20 * keysPerTransaction

// Recorder looks up the submissions of one raw log, and records those that are new.
// It belongs to one goroutine.
type Recorder struct {
	index *Repeats
	from  source
	added *claims // the new ones, which Record will record; index.mu protects them
	// conflicts counts the new ones that have the ID of another one.
	conflicts int64
}

// Conflicts returns how many submissions so far were no repeats, but had the ID of one
// with another body within the index's days. It is a lower bound while so many are looked
// up that claims go to a file.
func (c *Recorder) Conflicts() int64 { return c.conflicts }

// Recorder opens the index for the submissions of the raw log of that name. While
// another process has it open, this waits, a minute at most. The caller closes the
// Recorder.
func (r *Repeats) Recorder(rawLog string) (*Recorder, error) {
	// A raw log's name has the suffix only once it is complete.
	sum := sha256.Sum256([]byte(strings.TrimSuffix(rawLog, ".finished")))
	from := source(sum[:8])
	recorder := &Recorder{
		index: r,
		from:  from,
		added: newClaims(r.root, fmt.Sprintf("%s/claims-%x", path.Dir(r.name), from), r.maxClaims),
	}
	if err := r.acquire(recorder); err != nil {
		return nil, err
	}
	return recorder, nil
}

// Repeated says whether the same body was received under the same ID within the
// index's days before or after, in this raw log or in one that was recorded, whatever
// order they come in. If it was not, Record will record it.
func (c *Recorder) Repeated(id, body []byte, received time.Time) (bool, error) {
	// A day far ahead, of a clock that is wrong, would make expire remove all others.
	tomorrow := c.index.now().AddDate(0, 0, 1)
	if received.After(tomorrow) {
		received = tomorrow
	}

	return c.index.find(c, keyOf(id, body), schema.DateOf(received))
}

// keyOf returns the key of a submission. Keys of the same ID are neighbours.
func keyOf(id, body []byte) (k key) {
	idSum := sha256.Sum256(id)
	copy(k[:idKeyBytes], idSum[:])

	// The length separates the ID from the body: "a" and "bc" is not "ab" and "c".
	sum := sha256.New()
	fmt.Fprintf(sum, "%d ", len(id))
	sum.Write(id)
	sum.Write(body)
	copy(k[idKeyBytes:], sum.Sum(nil))
	return k
}

// Record makes the new submissions durable and removes days long past. Call it just
// before the records are committed: if the process dies in between, the raw log is
// still there and will be published later.
func (c *Recorder) Record() error {
	recorded := false
	err := c.eachDay(func(day schema.Date, keys []key) error {
		recorded = true
		return c.recordKeys(day, keys)
	})
	if err != nil {
		return fmt.Errorf("update %s: %w", c.index.name, err)
	}
	if !recorded {
		return nil
	}

	if err := c.index.db.Update(c.index.expire); err != nil {
		return fmt.Errorf("expire %s: %w", c.index.name, err)
	}
	return nil
}

// eachDay calls use with the new submissions of a day, at most keysPerTransaction in the
// order of their keys, until it has been called with all of them.
func (c *Recorder) eachDay(use func(schema.Date, []key) error) error {
	waiting := map[uint32][]key{} // by day
	count := 0
	for one, err := range c.added.all() {
		if err != nil {
			return err
		}

		// Neighbours in the file are written together.
		waiting[one.day] = append(waiting[one.day], one.key)
		if keys := waiting[one.day]; len(keys) == keysPerTransaction {
			if err := use(dayOf(one.day), keys); err != nil {
				return err
			}
			delete(waiting, one.day)
		}

		// A raw log of very many days must not have as many keys of each in memory.
		count++
		if count < maxWaiting {
			continue
		}
		if err := useAll(waiting, use); err != nil {
			return err
		}
		count = 0
	}
	return useAll(waiting, use)
}

// useAll calls use with the keys of each day, in order, and forgets them.
func useAll(byDay map[uint32][]key, use func(schema.Date, []key) error) error {
	for _, day := range slices.Sorted(maps.Keys(byDay)) {
		if err := use(dayOf(day), byDay[day]); err != nil {
			return err
		}
	}
	clear(byDay)
	return nil
}

func (c *Recorder) recordKeys(day schema.Date, keys []key) error {
	return c.index.db.Update(func(tx *bbolt.Tx) error {
		used, err := c.index.use(tx)
		if err != nil {
			return err
		}
		bucket, err := tx.CreateBucketIfNotExists([]byte(day))
		if err != nil {
			return err
		}

		sum := sumOf(bucket)
		for _, k := range keys {
			sum.change(k[:], bucket.Get(k[:]), c.from[:])
			if err := bucket.Put(k[:], c.from[:]); err != nil {
				return err
			}
		}
		if err := sum.store(bucket); err != nil {
			return err
		}
		return bucket.Put(lastAddedKey, binary.BigEndian.AppendUint64(nil, used))
	})
}

// Undo removes what Record wrote, because the commit then failed and perhaps is never
// tried again.
func (c *Recorder) Undo() error {
	return c.eachDay(func(day schema.Date, keys []key) error {
		return c.index.db.Update(func(tx *bbolt.Tx) error {
			for _, k := range keys {
				if err := c.undo(tx.Bucket([]byte(day)), k); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// undo removes a submission from a day's bucket, if it is there for this raw log.
func (c *Recorder) undo(bucket *bbolt.Bucket, k key) error {
	if bucket == nil || !bytes.Equal(bucket.Get(k[:]), c.from[:]) {
		return nil
	}

	sum := sumOf(bucket)
	sum.change(k[:], c.from[:], nil)
	if err := bucket.Delete(k[:]); err != nil {
		return err
	}
	return sum.store(bucket)
}

// Forget removes all that is recorded for this raw log, which must not be published. It
// reads the whole index.
func (c *Recorder) Forget() error {
	for {
		removed := 0
		err := c.index.db.Update(func(tx *bbolt.Tx) error {
			var err error
			removed, err = c.forgetSome(tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("update %s: %w", c.index.name, err)
		}

		if removed < keysPerTransaction {
			return nil
		}
	}
}

// forgetSome removes at most keysPerTransaction submissions of this raw log and returns
// how many it has removed.
func (c *Recorder) forgetSome(tx *bbolt.Tx) (removed int, err error) {
	days := tx.Cursor()
	for day, _ := days.First(); day != nil; day, _ = days.Next() {
		// Keys must not be removed while a cursor walks over them.
		var found [][]byte
		bucket := tx.Bucket(day)
		keys := bucket.Cursor()
		for k, from := keys.First(); k != nil && removed+len(found) < keysPerTransaction; k, from = keys.Next() {
			if bytes.Equal(from, c.from[:]) {
				found = append(found, bytes.Clone(k))
			}
		}

		// A day without any stays as it is; usesBucket is no day.
		if len(found) == 0 {
			continue
		}
		sum := sumOf(bucket)
		for _, k := range found {
			sum.change(k, c.from[:], nil)
			if err := bucket.Delete(k); err != nil {
				return removed, err
			}
		}
		if err := sum.store(bucket); err != nil {
			return removed, err
		}
		removed += len(found)
	}
	return removed, nil
}

// Close ends the use of the index. All writes of the Recorder are done.
func (c *Recorder) Close() error { return c.index.release(c) }
