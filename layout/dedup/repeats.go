package dedup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout/helperfile"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"go.etcd.io/bbolt"
)

// idleDays is how long a day of receipt stays in the index after a raw log last added
// to it: as many days on which the index was used. So a clock that leaps removes nothing.
// It bounds how much later than its neighbours an old backlog may come and still find
// its repeats.
const idleDays = 30

var (
	// lastAddedKey is the key, beside those of submissions, under which a day's bucket
	// has the day of use on which a raw log last added to it. Older versions have a date
	// under "last added".
	lastAddedKey = []byte("last use")
	// usesBucket sorts before all days. It has the last date on which the index was used,
	// and how many such days there were: 8 bytes, big endian.
	usesBucket  = []byte("#uses")
	lastUsedKey = []byte("last used")
	usesKey     = []byte("days")
)

// Repeats is the index of submissions: a bbolt file with a bucket per day of receipt,
// in it the key of each submission and the raw log that it is in. The file is open,
// and so locked against other processes, while there are Recorders. It is safe for
// concurrent use.
type Repeats struct {
	root *os.Root
	name string        // of the file below root
	days int           // between two receipts of a repeat, at most
	wait time.Duration // for another process to close the file, which it does after a raw log
	now  func() time.Time
	log  *slog.Logger // hears of an index that is damaged

	maxClaims int // of a Recorder in memory

	mu        sync.Mutex  // guards what follows, and the claims of Recorders
	closed    *sync.Cond  // of mu: the file was closed
	recorders []*Recorder // that are open
	db        *helperfile.Database
}

type (
	// key is the beginning of the SHA-256 of the ID, and then that of ID and body.
	key    [16]byte
	idKey  [idKeyBytes]byte // how the keys of an ID begin
	source [8]byte          // the beginning of the SHA-256 of a raw log's name
)

// idKeyBytes is how much of a key is the ID's.
const idKeyBytes = 10

func (k key) id() idKey { return idKey(k[:idKeyBytes]) }

// NewRepeats returns the index in a file below root, which is made, with its folder, when
// it is needed. Two submissions that were received at most so many days apart, at least
// 1, are repeats, whichever is looked up first. An index that is damaged is set aside and
// made anew, and log hears of it.
func NewRepeats(root *os.Root, name string, days int, log *slog.Logger) *Repeats {
	r := &Repeats{root: root, name: name, days: days, wait: time.Minute, now: time.Now, log: log, maxClaims: maxClaims}
	r.closed = sync.NewCond(&r.mu)
	return r
}

// window returns the first and last day of receipt that a submission received on that
// day is compared with.
func (r *Repeats) window(day schema.Date) (first, last schema.Date) {
	return day.AddDays(-r.days), day.AddDays(r.days)
}

// find says whether a Recorder that is open, or another raw log that was recorded, has the
// submission, received at most r.days before or after the day. If none has, c has it from
// now on.
func (r *Repeats) find(c *Recorder, k key, day schema.Date) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	// What this raw log recorded before, in a conversion that did not end, does not count;
	// what this Recorder, or another one of this process, has found new does.
	first, last := r.window(day)
	conflicting := false
	for _, open := range r.recorders {
		repeated, err := open.added.has(k, dayNumber(first), dayNumber(last))
		if repeated || err != nil {
			return repeated, err
		}
		conflicting = conflicting || open.added.hasID(k.id(), dayNumber(first), dayNumber(last))
	}

	// The buckets are named by day, so the cursor visits them in order.
	repeated := false
	err := r.db.View(func(tx *bbolt.Tx) error {
		repeated = false
		days := tx.Cursor()
		name, _ := days.Seek([]byte(first))
		for name != nil && schema.Date(name) <= last && !repeated {
			repeated, conflicting = lookUp(tx.Bucket(name), k, c.from, conflicting)
			name, _ = days.Next()
		}
		return nil
	})

	if err == nil && !repeated {
		if conflicting {
			c.conflicts++
		}
		err = c.added.add(k, dayNumber(day))
	}
	return repeated, err
}

// lookUp says whether another raw log than from has the submission in a day's bucket, and
// whether it, or what was looked up before, has one with its ID.
func lookUp(day *bbolt.Bucket, k key, from source, before bool) (repeated, conflicting bool) {
	conflicting = before
	id := k.id()
	sameID := day.Cursor()
	for other, value := sameID.Seek(id[:]); bytes.HasPrefix(other, id[:]); other, value = sameID.Next() {
		// A bucket has other keys than those of submissions, too.
		if len(other) != len(k) || len(value) != len(from) || source(value) == from {
			continue
		}
		conflicting = true
		if bytes.Equal(other, k[:]) {
			return true, conflicting
		}
	}
	return false, conflicting
}

// acquire opens the file for one more Recorder. While another process waits for the file
// that comes first: Recorders that always overlap would never let it have it.
func (r *Repeats) acquire(c *Recorder) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	options := r.options()
	for len(r.recorders) > 0 && options.Wanted() {
		r.closed.Wait()
	}
	if len(r.recorders) == 0 {
		if err := r.open(); err != nil {
			return err
		}
	}

	r.recorders = append(r.recorders, c)
	return nil
}

// open opens the file and writes which process has it.
func (r *Repeats) open() error {
	if err := r.root.MkdirAll(path.Dir(r.name), 0o777); err != nil {
		return err
	}

	db, err := helperfile.Open(r.options())
	if err != nil {
		return err
	}

	r.db = db
	return nil
}

func (r *Repeats) options() helperfile.Options {
	return helperfile.Options{
		Root: r.root,
		Name: r.name,
		Lost: "which submissions were received before: repeats of them are published",
		Wait: r.wait,
		Log:  r.log,
	}
}

// release ends the use by a Recorder, whose new submissions are found no more unless they
// were recorded.
func (r *Repeats) release(c *Recorder) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	err := c.added.close()
	r.recorders = slices.DeleteFunc(r.recorders, func(open *Recorder) bool { return open == c })
	if len(r.recorders) > 0 {
		return err
	}

	// Other processes wait for the file.
	defer r.closed.Broadcast()
	return errors.Join(err, r.db.Close())
}

// use counts the days on which the index was used, and returns the number of today.
func (r *Repeats) use(tx *bbolt.Tx) (uint64, error) {
	uses, err := tx.CreateBucketIfNotExists(usesBucket)
	if err != nil {
		return 0, err
	}

	today := []byte(schema.DateOf(r.now()))
	days := number(uses.Get(usesKey))
	if bytes.Equal(uses.Get(lastUsedKey), today) {
		return days, nil
	}

	days++
	if err := uses.Put(lastUsedKey, today); err != nil {
		return 0, err
	}
	return days, uses.Put(usesKey, binary.BigEndian.AppendUint64(nil, days))
}

// number reads 8 bytes; 0 if there are fewer.
func number(value []byte) uint64 {
	if len(value) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// expire removes the days that no submission of the newest day is compared with, once
// no raw log has added to them for idleDays. Until then, a backlog that is as old as
// they are may still come.
func (r *Repeats) expire(tx *bbolt.Tx) error {
	used, err := r.use(tx)
	if err != nil {
		return err
	}
	newest, _ := tx.Cursor().Last()
	if bytes.Equal(newest, usesBucket) {
		return nil // the index was made anew
	}
	if !schema.Date(newest).WellFormed() {
		return fmt.Errorf("%w: day %q", helperfile.ErrDamaged, newest)
	}

	// The newest day may be one of a clock that was wrong, so that the window counts twice.
	oldest := schema.Date(newest).AddDays(-r.days - 1)
	idle := uint64(max(idleDays, r.days+1))

	// A bucket must not be removed while a cursor walks over it.
	var expired [][]byte
	days := tx.Cursor()
	for name, _ := days.Seek([]byte(schema.NoDate)); name != nil && schema.Date(name) < oldest; name, _ = days.Next() {
		// An older version did not record it: it counts from the first use on.
		lastAdded := number(tx.Bucket(name).Get(lastAddedKey))
		if used > lastAdded+idle {
			expired = append(expired, bytes.Clone(name))
		}
	}

	for _, name := range expired {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	return nil
}
