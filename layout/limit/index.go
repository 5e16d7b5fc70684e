package limit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout/helperfile"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"go.etcd.io/bbolt"
)

const (
	// idleDays is how long a day stays in the index after a raw log last added to it.
	idleDays = 30
	// sourceDays is how long a raw log is known, and can be converted again with the
	// same decisions.
	sourceDays = 400
)

// The buckets of the file:
//
//	values / <day> / <kind> / key of the value ─► its number, 8 bytes
//	values / <day> / "last added"              ─► a date
//	sources / key of the raw log               ─► the last number it sees, and a date
var (
	valuesBucket  = []byte("values")
	sourcesBucket = []byte("sources")
	lastAddedKey  = []byte("last added")
)

// Index is which values were admitted, by day and kind: a bbolt file, which is open only
// while it is read or written. It is safe for concurrent use.
type Index struct {
	root *os.Root
	name string        // of the file below root
	wait time.Duration // for another process that has the file open
	now  func() time.Time
	log  *slog.Logger // hears of an index that is damaged

	mu sync.Mutex // held while the file is open
}

// key stands for a value or for the name of a raw log.
type key [16]byte

func keyOf(text string) key {
	sum := sha256.Sum256([]byte(text))
	return key(sum[:])
}

// NewIndex returns the index in a file below root, which is made, with its folder, when it
// is needed. An index that is damaged is set aside and made anew, and log hears of it.
func NewIndex(root *os.Root, name string, log *slog.Logger) *Index {
	return &Index{root: root, name: name, wait: time.Minute, now: time.Now, log: log}
}

// Limiter returns a Limiter for the raw log of that name.
func (x *Index) Limiter(rawLog string) (*Limiter, error) {
	// A raw log's name has the suffix only once it is complete.
	l := &Limiter{
		index:  x,
		source: keyOf(strings.TrimSuffix(rawLog, ".finished")),
		sets:   map[setName]*set{},
		excess: map[string]*Excess{},
	}

	err := x.use(func(db *helperfile.Database) error {
		return db.View(func(tx *bbolt.Tx) error {
			l.horizon = horizonOf(tx, l.source)
			return nil
		})
	})
	return l, err
}

// horizonOf returns the last number that a raw log sees: as when it came first, or the
// last one that there is.
func horizonOf(tx *bbolt.Tx, source key) uint64 {
	if sources := tx.Bucket(sourcesBucket); sources != nil {
		if known := sources.Get(source[:]); len(known) >= 8 {
			return binary.BigEndian.Uint64(known)
		}
	}
	if values := tx.Bucket(valuesBucket); values != nil {
		return values.Sequence()
	}
	return 0
}

// load returns the keys of a kind and day up to a number.
func (x *Index) load(name setName, horizon uint64) (map[key]bool, error) {
	known := map[key]bool{}
	err := x.use(func(db *helperfile.Database) error {
		return db.View(func(tx *bbolt.Tx) error {
			kind := bucketAt(tx, valuesBucket, []byte(name.day), []byte(name.kind))
			if kind == nil {
				return nil
			}

			return kind.ForEach(func(k, number []byte) error {
				if len(k) != len(key{}) || len(number) != 8 {
					return fmt.Errorf("%w: value %x of %s", helperfile.ErrDamaged, k, name.kind)
				}
				if binary.BigEndian.Uint64(number) <= horizon {
					known[key(k)] = true
				}
				return nil
			})
		})
	})
	return known, err
}

// bucketAt returns the bucket at a path of names, nil if there is none.
func bucketAt(tx *bbolt.Tx, names ...[]byte) *bbolt.Bucket {
	bucket := tx.Bucket(names[0])
	for _, name := range names[1:] {
		if bucket == nil {
			return nil
		}
		bucket = bucket.Bucket(name)
	}
	return bucket
}

// record writes the new values of a raw log, and what it saw.
func (x *Index) record(l *Limiter) error {
	today := schema.DateOf(x.now())
	return x.use(func(db *helperfile.Database) error {
		return db.Update(func(tx *bbolt.Tx) error {
			sources, err := tx.CreateBucketIfNotExists(sourcesBucket)
			if err != nil {
				return err
			}
			seen := binary.BigEndian.AppendUint64(nil, l.horizon)
			if err := sources.Put(l.source[:], append(seen, today...)); err != nil {
				return err
			}

			values, err := tx.CreateBucketIfNotExists(valuesBucket)
			if err != nil {
				return err
			}
			for _, name := range l.order {
				if err := recordSet(values, name, l.sets[name].added, today); err != nil {
					return err
				}
			}
			return expire(values, sources, today)
		})
	})
}

// recordSet writes new values of a kind and day. One that another raw log has made
// meanwhile keeps its number.
func recordSet(values *bbolt.Bucket, name setName, added []key, today schema.Date) error {
	if len(added) == 0 {
		return nil
	}

	day, err := values.CreateBucketIfNotExists([]byte(name.day))
	if err != nil {
		return err
	}
	if err := day.Put(lastAddedKey, []byte(today)); err != nil {
		return err
	}
	kind, err := day.CreateBucketIfNotExists([]byte(name.kind))
	if err != nil {
		return err
	}

	for _, k := range added {
		if kind.Get(k[:]) != nil {
			continue
		}
		number, err := values.NextSequence()
		if err != nil {
			return err
		}
		if err := kind.Put(k[:], binary.BigEndian.AppendUint64(nil, number)); err != nil {
			return err
		}
	}
	return nil
}

// expire removes days that are idle, and with them the raw logs that came long ago.
func expire(values, sources *bbolt.Bucket, today schema.Date) error {
	// A bucket must not be changed while a cursor walks over it.
	idle := today.AddDays(-idleDays)
	var days [][]byte
	cursor := values.Cursor()
	for name, _ := cursor.First(); name != nil; name, _ = cursor.Next() {
		if schema.Date(values.Bucket(name).Get(lastAddedKey)) < idle {
			days = append(days, bytes.Clone(name))
		}
	}
	for _, day := range days {
		if err := values.DeleteBucket(day); err != nil {
			return err
		}
	}
	if len(days) == 0 {
		return nil
	}

	old := today.AddDays(-sourceDays)
	var gone [][]byte
	cursor = sources.Cursor()
	for name, seen := cursor.First(); name != nil; name, seen = cursor.Next() {
		if len(seen) > 8 && schema.Date(seen[8:]) < old {
			gone = append(gone, bytes.Clone(name))
		}
	}
	for _, name := range gone {
		if err := sources.Delete(name); err != nil {
			return err
		}
	}
	return nil
}

// use opens the file for one transaction. Other processes wait meanwhile, as this one
// waits for them.
func (x *Index) use(transact func(*helperfile.Database) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()

	if err := x.root.MkdirAll(path.Dir(x.name), 0o777); err != nil {
		return err
	}
	db, err := helperfile.Open(helperfile.Options{
		Root: x.root,
		Name: x.name,
		Lost: "which partitions are known: the limits of new ones count anew",
		Wait: x.wait,
		Log:  x.log,
	})
	if err != nil {
		return err
	}

	if err := transact(db); err != nil {
		db.Close() // which changes nothing
		return fmt.Errorf("%s: %w", x.name, err)
	}
	return db.Close()
}
