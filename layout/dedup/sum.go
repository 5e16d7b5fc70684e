package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/layout/helperfile"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// sumKey is the key, in a day's bucket, of the checksum of its submissions: bbolt has
// none of its pages. Days that an older version made have no checksum.
var sumKey = []byte("sum")

// sum is the checksum of a day: the hashes of its entries, combined so that one more or
// less changes it without reading the others.
type sum struct {
	value uint64
	known bool
}

// sumOf returns the checksum that a bucket states.
func sumOf(bucket *bbolt.Bucket) sum {
	if stated := bucket.Get(sumKey); len(stated) == 8 {
		return sum{binary.BigEndian.Uint64(stated), true}
	}

	// Only a new bucket has no key at all.
	first, _ := bucket.Cursor().First()
	return sum{known: first == nil}
}

// change notes that the value of a key changes; nil is none.
func (s *sum) change(key, from, to []byte) {
	if from != nil {
		s.value ^= entrySum(key, from)
	}
	if to != nil {
		s.value ^= entrySum(key, to)
	}
}

// store writes the checksum into the bucket.
func (s sum) store(bucket *bbolt.Bucket) error {
	if !s.known {
		return nil
	}
	return bucket.Put(sumKey, binary.BigEndian.AppendUint64(nil, s.value))
}

func entrySum(key, value []byte) uint64 {
	var entry [len(keyAndSource{})]byte
	n := copy(entry[:], key)
	n += copy(entry[n:], value)
	return xxhash.Sum64(entry[:n])
}

// keyAndSource has the length of an entry.
type keyAndSource [len(key{}) + len(source{})]byte

// Check verifies the index of submissions in a file below root, and changes nothing. See
// helperfile.Check for its errors.
func Check(root *os.Root, name string) error {
	log := slog.New(slog.DiscardHandler)
	return helperfile.Check(helperfile.Options{Root: root, Name: name, Wait: time.Minute, Log: log}, verify)
}

// Repair verifies the index, and sets one aside that is damaged.
func Repair(root *os.Root, name string, log *slog.Logger) error {
	index := NewRepeats(root, name, 1, log)
	recorder, err := index.Recorder("repair")
	if err != nil {
		return err
	}

	// An error that wraps ErrDamaged makes the database set the file aside.
	err = index.db.View(verify)
	return errors.Join(err, recorder.Close())
}

// verify checks the names and entries of all days.
func verify(tx *bbolt.Tx) error {
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		if string(name) == string(usesBucket) {
			return nil
		}
		if !schema.Date(name).WellFormed() {
			return fmt.Errorf("%w: day %q", helperfile.ErrDamaged, name)
		}

		stated := sumOf(bucket)
		found := sum{}
		err := bucket.ForEach(func(k, value []byte) error {
			if len(k) != len(key{}) {
				return nil // what is stored beside the submissions
			}
			if len(value) != len(source{}) {
				return fmt.Errorf("%w: an entry of day %s has %d bytes", helperfile.ErrDamaged, name, len(value))
			}
			found.change(k, nil, value)
			return nil
		})
		if err == nil && stated.known && stated.value != found.value {
			err = fmt.Errorf("%w: the checksum of day %s does not match", helperfile.ErrDamaged, name)
		}
		return err
	})
}
