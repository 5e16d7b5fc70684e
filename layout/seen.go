package layout

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// seenFile remembers the submissions of the last days: a bucket per day of
// receipt, in it the hash of a submission, and of the raw log that it is kept in.
const seenFile = StateDir + "/dedup/seen.bolt"

// holderSuffix makes the name of the file that says which process has it open.
const holderSuffix = ".pid"

// seenWait is how long a Writer waits for another process to close the file: it
// is open while that one converts a raw log. A variable for tests.
var seenWait = time.Minute

// seen finds submissions that a client sent again. The file is open, and so
// locked against other processes, while a Writer of this process lives.
type seen struct {
	path string
	days int

	mu      sync.Mutex // guards what follows
	users   int
	db      *bbolt.DB
	pending map[seenKey]seenSource // of Writers that have not committed
}

type (
	seenKey    [16]byte
	seenSource [8]byte
)

// DropRepeats makes Writers recognise, by Writer.Repeated, a submission that was
// received before within so many days. Call it before the first NewWriter; 0
// days (the default) recognises nothing. A Writer then waits while another
// process has one, a minute at most.
func (d *Data) DropRepeats(days int) {
	d.seen = nil
	if days > 0 {
		d.seen = &seen{path: filepath.Join(d.dir, filepath.FromSlash(seenFile)), days: days, pending: map[seenKey]seenSource{}}
	}
}

// Repeated says whether the same body was received under the same ID before, in
// this raw log or in another one of the last days, so that it must not be
// published again. Otherwise it will be remembered by Commit.
//
// It stays exact when a conversion dies: what is remembered carries the raw log
// that it is kept in, and converting that one again does not count.
func (w *Writer) Repeated(id, body []byte, received time.Time) (bool, error) {
	if w.d.seen == nil || w.err != nil {
		return false, w.err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d ", len(id))
	sum.Write(id)
	sum.Write(body)
	key := seenKey(sum.Sum(nil)[:16])
	if _, ok := w.claims[key]; ok {
		return true, nil
	}
	// A clock that runs ahead must not make the rest look old.
	day := received.UTC()
	if tomorrow := time.Now().UTC().AddDate(0, 0, 1); day.After(tomorrow) {
		day = tomorrow
	}
	repeated, err := w.d.seen.claim(key, w.seenSource, day)
	if err == nil && !repeated {
		if w.claims == nil {
			w.claims = map[seenKey]string{}
		}
		w.claims[key] = day.Format("20060102")
	}
	return repeated, err
}

// claim asks for a submission on behalf of a raw log.
func (s *seen) claim(key seenKey, source seenSource, day time.Time) (repeated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.pending[key]; ok {
		return other != source, nil
	}
	first := day.AddDate(0, 0, -s.days).Format("20060102")
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Cursor()
		for name, _ := c.Seek([]byte(first)); name != nil; name, _ = c.Next() {
			if v := tx.Bucket(name).Get(key[:]); v != nil {
				repeated = seenSource(v) != source
				return nil
			}
		}
		return nil
	})
	if err == nil && !repeated {
		s.pending[key] = source
	}
	return repeated, err
}

// acquire opens the file for one more Writer.
func (s *seen) acquire() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		if err := os.MkdirAll(filepath.Dir(s.path), 0o777); err != nil {
			return err
		}
		if s.db, err = bbolt.Open(s.path, 0o666, &bbolt.Options{Timeout: seenWait}); err != nil {
			if errors.Is(err, bbolterrors.ErrTimeout) {
				pid, _ := os.ReadFile(s.path + holderSuffix)
				err = fmt.Errorf("process %s has it, still after %v", cmp.Or(string(pid), "?"), seenWait)
			}
			return fmt.Errorf("open %s: %w", seenFile, err)
		}
		if err := os.WriteFile(s.path+holderSuffix, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o666); err != nil {
			return errors.Join(err, s.db.Close())
		}
	}
	s.users++
	return nil
}

// release ends the use by a Writer and forgets what it claimed.
func (s *seen) release(claims map[seenKey]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range claims {
		delete(s.pending, key)
	}
	if s.users--; s.users > 0 {
		return nil
	}
	return s.db.Close()
}

// remember makes the claims of a raw log durable and removes days long past. It
// runs just before the commit: should the process die in between, the raw log is
// still there and will be published later.
func (s *seen) remember(claims map[seenKey]string, source seenSource) error {
	byDay := map[string][]seenKey{}
	for key, day := range claims {
		byDay[day] = append(byDay[day], key)
	}
	for day, keys := range byDay {
		// In order and in parts: bbolt splits a page only at the end of a transaction.
		slices.SortFunc(keys, func(a, b seenKey) int { return bytes.Compare(a[:], b[:]) })
		for part := range slices.Chunk(keys, 10_000) {
			err := s.db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte(day))
				for _, key := range part {
					if err == nil {
						err = b.Put(key[:], source[:])
					}
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("update %s: %w", seenFile, err)
			}
		}
	}
	if len(claims) == 0 {
		return nil
	}
	if err := s.db.Update(s.expire); err != nil {
		return fmt.Errorf("expire %s: %w", seenFile, err)
	}
	return nil
}

// forget takes back what was remembered for a raw log that then failed to commit,
// and perhaps is never tried again.
func (s *seen) forget(claims map[seenKey]string, source seenSource) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for key, day := range claims {
			b := tx.Bucket([]byte(day))
			if b == nil || !bytes.Equal(b.Get(key[:]), source[:]) {
				continue
			}
			if err := b.Delete(key[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// expire removes the days that no submission of the newest day asks for.
func (s *seen) expire(tx *bbolt.Tx) error {
	last, _ := tx.Cursor().Last()
	newest, err := time.Parse("20060102", string(last))
	if err != nil {
		return err
	}
	oldest := newest.AddDate(0, 0, -s.days-1).Format("20060102")
	for {
		name, _ := tx.Cursor().First()
		if string(name) >= oldest {
			return nil
		}
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
}
