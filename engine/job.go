package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Job is what the engine runs. Its methods are called from many goroutines;
// what they return belongs to one.
type Job interface {
	// NewMapper returns the mapper of one task. emit may be called during the
	// mapper's calls only.
	NewMapper(ctx context.Context, t Task, emit Emit) (Mapper, error)
	// NewReducer returns the reducer of one shard; what it writes to out before
	// its first Reduce appears for shard 0 only.
	NewReducer(ctx context.Context, shard int, out *Output) (Reducer, error)
	// OneShard says whether one reducer must see all keys, because it writes something
	// after the last one. It is called once a run.
	OneShard(ctx context.Context) (bool, error)
	// Remote says whether mappers and reducers work in other processes. These count
	// and reject there, so the engine neither withholds what they emit nor takes back
	// what they write; their counts are what Finish returns.
	Remote() bool
}

// Values are the values of one key, in input order.
type Values = shuffle.Values

// Emit takes a key and a value and copies them. A value is a datum, or any other bytes
// that mapper and reducer agree on, though not none. A key is a datum, or several, one
// behind the other: then keys whose first two are equal are reduced in one shard.
type Emit func(key, value []byte) error

// Mapper does the work of one map task.
type Mapper interface {
	// Map handles one record, which is valid until Map returns. n counts the task's
	// records from 1. A *RejectError, here and below, may be tolerated; any other error
	// ends the job.
	Map(record *Record, n int64) error
	// Finish is called after the task's last line and may emit. It returns what a
	// remote job has counted, and zeros for any other.
	Finish() (TaskStats, error)
	// Combines says whether Combine may be called.
	Combines() bool
	// Combine replaces the values of key, two or more, by those it hands to write, which
	// copies them.
	Combine(key []byte, values *Values, write func(value []byte)) error
	// Effects says whether the calls so far have done more than emit, such as count or
	// log. A cached result would lack that, so the engine does not cache it.
	Effects() bool
	// Lookups identifies, by content, all that the calls so far have read beside the
	// task's input, in a form that Options.SameLookups understands; "" is nothing.
	Lookups() string
	// Close frees the mapper. It is called once, also after an error.
	Close()
}

// Reducer does the work of one shard.
type Reducer interface {
	// Reduce handles one key; values are valid until it returns.
	Reduce(key []byte, values *Values) error
	// Finish is called after the shard's last key, and may write. It returns what a
	// remote job has counted, and zeros for any other.
	Finish() (TaskStats, error)
	Close()
}

// Task is the work of one map task: frames [Lo, Hi) of a segment; Hi is -1 for
// the whole segment.
type Task struct {
	Index   int // place in the plan
	Segment Segment
	Lo, Hi  int
	Bytes   int64 // compressed, estimated for a part of a segment

	// Places says where the records of each part that the task reads stand in the order of
	// the input, from part FirstPart of the segment on; of a segment in rows, which has no
	// parts, it is one number. The engine keeps what is emitted in that order.
	Places    []int
	FirstPart int
	// Enter is called by a remote mapper, which emits later than its records come, before it
	// emits something of another part. The engine sets it; nil: the task has no parts.
	Enter func(part int) error
}

// place is where the records of a part stand in the order of the input. A task that no plan
// has made is the only one.
func (t *Task) place(part int) int {
	if t.Places == nil {
		return 0
	}
	return t.Places[part-t.FirstPart]
}

// String names the task in errors: the segment's path, with the frames if it is a part.
func (t Task) String() string {
	switch {
	case t.Hi < 0:
		return t.Segment.Path
	case t.Segment.InColumns():
		return fmt.Sprintf("%s[row group %d]", t.Segment.Path, t.Lo)
	}
	return fmt.Sprintf("%s[frames %d-%d]", t.Segment.Path, t.Lo, t.Hi-1)
}

// Segment is one file of records as the engine sees it.
type Segment struct {
	layout.Segment
	Frames int // independent frames, where it matters: 0 for files without, and for small ones
}

// Source is where the records come from. It is safe for concurrent use.
type Source interface {
	// Segments lists what f selects, sorted by Path.
	Segments(ctx context.Context, f schema.Filter) ([]Segment, error)
	// Open reads frames [lo, hi) of s; hi < 0 reads to the end.
	Open(s Segment, lo, hi int) (Blocks, error)
	// Fingerprint returns a hash that two segments share only if their content is the
	// same. An error says that a result of the segment cannot be cached.
	Fingerprint(s Segment) ([sha256.Size]byte, error)
}

// Blocks is an open segment.
type Blocks interface {
	// NextBlock returns the next block of whole lines, or of records in columns, valid
	// until the next call, or io.EOF. Damage is an error, never an early end.
	NextBlock() (layout.Block, error)
	Close() error
}

// ErrBadLine is the reason, in a RejectError, for a line without a tab.
var ErrBadLine = errors.New("no tab between document ID and JSON")
