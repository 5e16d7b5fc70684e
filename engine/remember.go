package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Remembered map results: what a task kept, under a hash of the job, the
// segment's content and the task's frames. A job over a growing store then maps
// only what is new.

// Cache keeps map results between jobs. It is safe for concurrent use; it may
// forget, and must not return what was not put.
type Cache interface {
	Get(key [sha256.Size]byte) (data []byte, ok bool)
	Put(key [sha256.Size]byte, data []byte)
}

const (
	// rememberBytes is the largest result that is worth keeping: beyond it,
	// mapping again costs about as much.
	rememberBytes = 8 << 20
	// rememberVersion changes with the encoding of results, and with anything in
	// the engine that changes what a map task keeps.
	rememberVersion = "2"
)

// recorder collects what a task keeps, as long as that is small.
type recorder struct {
	key  [sha256.Size]byte
	runs []*runBuilder
	size int
}

// remembered returns a recorder for the task, nil if it cannot be remembered.
func (r *runner) remembered(t Task) *recorder {
	if r.o.Cache == nil {
		return nil
	}
	sum, err := r.src.Fingerprint(t.Segment)
	if err != nil {
		return nil // mapping will say what is wrong
	}
	b := append([]byte(rememberVersion+"\x00"), r.o.CacheKey...)
	b = append(b, sum[:]...)
	b = binary.AppendVarint(b, int64(t.Lo))
	b = binary.AppendVarint(b, int64(t.Hi))
	return &recorder{key: sha256.Sum256(b)}
}

func (c *recorder) add(w *runBuilder) {
	w.kept = true
	c.runs = append(c.runs, w)
	if c.size += len(w.buf); c.size > rememberBytes {
		c.runs = nil
	}
}

// save puts the result of a task that did nothing but emit.
func (c *recorder) save(cache Cache, done TaskStats) {
	if done.Effects || done.Rejected > 0 || c.size > rememberBytes {
		return
	}
	var b []byte
	for _, n := range []int64{done.Records, done.RawBytes, done.Emitted, int64(len(c.runs))} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, w := range c.runs {
		b = binary.AppendUvarint(b, uint64(len(w.blocks)))
		for _, bl := range w.blocks {
			b = binary.AppendUvarint(b, uint64(bl.len))
			b = appendValue(b, []byte(bl.first))
		}
		b = appendValue(b, w.buf)
	}
	cache.Put(c.key, b)
}

var errResult = errors.New("malformed remembered result")

// decodeResult is the inverse of save's encoding.
func decodeResult(b []byte) (done TaskStats, runs []*runBuilder, err error) {
	number := func() int {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > 1<<40 {
			err, b = errResult, nil
			return 0
		}
		b = b[w:]
		return int(n)
	}
	bytes := func() []byte {
		n := number()
		if n > len(b) {
			err, b = errResult, nil
			return nil
		}
		v := b[:n:n]
		b = b[n:]
		return v
	}
	done = TaskStats{Records: int64(number()), RawBytes: int64(number()), Emitted: int64(number())}
	for n := number(); n > 0 && err == nil; n-- {
		w := &runBuilder{kept: true}
		off := 0
		for k := number(); k > 0 && err == nil; k-- {
			bl := block{off: off, len: number()}
			bl.first = string(bytes())
			off += bl.len
			w.blocks = append(w.blocks, bl)
		}
		if w.buf = bytes(); len(w.buf) != off && err == nil {
			err = errResult
		}
		w.start = len(w.buf)
		runs = append(runs, w)
	}
	return done, runs, err
}

// recall puts what an earlier job has kept for the task, if it is remembered.
func (r *runner) recall(t Task, c *recorder) (ok bool, err error) {
	data, ok := r.o.Cache.Get(c.key)
	if !ok {
		return false, nil
	}
	done, runs, err := decodeResult(data)
	if err != nil {
		return false, nil // as good as forgotten
	}
	for i, w := range runs {
		if err := r.store.put(t.Index, i, w); err != nil {
			return false, err
		}
	}
	r.finished(t, done, true)
	return true, nil
}
