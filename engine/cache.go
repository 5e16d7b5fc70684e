package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Cached map results: the runs of a task under a hash of the job, the segment's
// content and the task's frames. A job over a growing tree then maps only what is new.

// Cache holds map results between jobs. It is safe for concurrent use. It may drop
// results at any time, and must not return what was not put.
type Cache interface {
	Get(key [sha256.Size]byte) (data []byte, ok bool)
	Put(key [sha256.Size]byte, data []byte)
}

const (
	// maxCachedBytes is the largest result that is worth caching: beyond it,
	// mapping again costs about as much.
	maxCachedBytes = 8 << 20
	// cacheVersion changes with the encoding of results, and with anything in
	// the engine that changes what a map task stores.
	cacheVersion = "5"
)

// result collects the runs of a task, as long as they are small. A nil result is not
// cached.
type result struct {
	key   [sha256.Size]byte
	runs  []*shuffle.Builder
	parts []int // of the segment, that the runs belong to
	size  int
}

// cacheable returns an empty result of the task, nil if it cannot be cached.
func (r *runner) cacheable(t Task) *result {
	if r.o.Cache == nil {
		return nil
	}

	sum, err := r.src.Fingerprint(t.Segment)
	if err != nil {
		return nil // if the segment cannot be read, mapping will say so
	}

	// All that decides what the task emits.
	identity := append([]byte(cacheVersion+"\x00"), r.o.CacheKey...)
	identity = append(identity, sum[:]...)
	identity = binary.AppendVarint(identity, int64(t.Lo))
	identity = binary.AppendVarint(identity, int64(t.Hi))
	return &result{key: sha256.Sum256(identity)}
}

// add adds a run of a part of the segment.
func (c *result) add(part int, w *shuffle.Builder) {
	if c == nil {
		return
	}

	w.Retain()
	c.runs = append(c.runs, w)
	c.parts = append(c.parts, part)
	c.size += w.Bytes()

	// A result that is too large for the cache frees its runs now; save leaves it out.
	if c.size > maxCachedBytes {
		c.runs = nil
		c.parts = nil
	}
}

// save puts the result into the cache if the task did nothing but emit, and no call of
// it failed: how many failures are tolerated is for each job to decide.
func (c *result) save(cache Cache, done TaskStats) {
	failed := done.Rejected > 0 || done.Failed > 0
	if c == nil || failed || done.Effects || c.size > maxCachedBytes {
		return
	}

	// decodeResult reads what is written here.
	var b []byte
	for _, n := range []int64{done.Records, done.RawBytes, done.Emitted, done.Undefined} {
		b = binary.AppendUvarint(b, uint64(n))
	}

	b = binary.AppendUvarint(b, uint64(len(done.Lookups)))
	b = append(b, done.Lookups...)

	// Each part is written plus one, because 0 ends them.
	for _, part := range c.parts {
		b = binary.AppendUvarint(b, uint64(part)+1)
	}
	b = append(b, 0)
	cache.Put(c.key, shuffle.AppendRuns(b, c.runs))
}

var errResult = errors.New("malformed map result")

// decodeResult is the inverse of save's encoding.
func decodeResult(b []byte) (done TaskStats, parts []int, runs []*shuffle.Builder, err error) {
	for _, field := range []*int64{&done.Records, &done.RawBytes, &done.Emitted, &done.Undefined} {
		number, width := binary.Uvarint(b)
		if width <= 0 {
			return done, nil, nil, errResult
		}
		*field = int64(number)
		b = b[width:]
	}

	length, width := binary.Uvarint(b)
	if width <= 0 || length > uint64(len(b)-width) {
		return done, nil, nil, errResult
	}

	b = b[width:]
	done.Lookups = string(b[:length])
	b = b[length:]

	// The part of each run, plus one, and a zero.
	for {
		part, width := binary.Uvarint(b)
		if width <= 0 {
			return done, nil, nil, errResult
		}
		b = b[width:]
		if part == 0 {
			break
		}
		parts = append(parts, int(part)-1)
	}

	runs, err = shuffle.DecodeRuns(b)
	if err == nil && len(runs) != len(parts) {
		err = errResult
	}
	return done, parts, runs, err
}

// fetch stores the runs that an earlier job has cached for the task, if there are any.
func (r *runner) fetch(t Task, c *result) (found bool, err error) {
	data, found := r.o.Cache.Get(c.key)
	if !found {
		return false, nil
	}

	done, parts, runs, err := decodeResult(data)
	if err != nil {
		return false, nil // damaged: map again
	}

	// The task may have read what has changed since.
	if done.Lookups != "" && (r.o.SameLookups == nil || !r.o.SameLookups(done.Lookups)) {
		return false, nil
	}

	// They are the runs that mapping would have stored.
	for i, w := range runs {
		if err := r.store.Put(t.place(parts[i]), i, w); err != nil {
			return false, err
		}
	}

	r.taskDone(t, done, true)
	return true, nil
}
