package histogram

import (
	"errors"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

var (
	// ErrNotObject is returned for histograms that are no JSON object as a whole.
	ErrNotObject = errors.New("the histograms are no object")
	// ErrTooMany is returned for more than MaxHistograms.
	ErrTooMany = errors.New("too many histograms")
	// ErrTooLong is returned when a record grows beyond the Rewriter's MaxRecordBytes.
	ErrTooLong = errors.New("the record is too long")
)

// MaxRecordBytes bounds a record while histograms are written to it. Repeated
// histograms could make one a thousand times as long as its ping.
const MaxRecordBytes = 32 << 20

// MaxHistograms bounds the histograms of an object, those without a definition too. All
// definitions of a revision are some thousand.
const MaxHistograms = 100_000

// TailNames are the sums that follow the buckets, in order.
var TailNames = [layout.TailNumbers]string{"sum", "log_sum", "log_sum_squares", "sum_squares_lo", "sum_squares_hi"}

// Output is the record that is being written.
type Output struct {
	JSON    []byte
	Dropped []Drop // the histograms that were left out
}

// Reset empties the output but for its memory.
func (o *Output) Reset() { o.JSON, o.Dropped = o.JSON[:0], o.Dropped[:0] }

// Rewriter rewrites histograms, in memory that it uses again. It belongs to one
// goroutine.
type Rewriter struct {
	// MaxRecordBytes bounds a record while histograms are written to it. The owner may
	// change it between calls.
	MaxRecordBytes int

	names jsonscan.Interner // of dropped histograms

	// Of the call in hand:
	out     []byte
	dropped []Drop
	seen    nameSet

	// Of the histogram in hand:
	tail  [layout.TailNumbers][]byte // the sums as spelled; nil if missing
	cells [][]byte                   // the counts by bucket, for the careful path
}

// NewRewriter returns a Rewriter.
func NewRewriter() *Rewriter {
	return &Rewriter{MaxRecordBytes: MaxRecordBytes, names: jsonscan.Interner{}}
}

// Rewrite appends the histograms at text[start] to out, by the definitions of spec,
// and returns the offset behind them. It only reads as far, so the rest of the text
// may be anything. With an error, out holds garbage at its end. The error is an
// *Error, a *jsonscan.SyntaxError, ErrNotObject, ErrTooMany or ErrTooLong.
func (rw *Rewriter) Rewrite(out *Output, text []byte, start int, spec *revisions.Spec) (end int, err error) {
	if text[start] != '{' {
		return start, ErrNotObject
	}

	rw.out, rw.dropped = out.JSON, out.Dropped
	end, err = rw.rewrite(text, start, spec)
	out.JSON, out.Dropped = rw.out, rw.dropped
	rw.out, rw.dropped = nil, nil
	return end, err
}

func (rw *Rewriter) rewrite(text []byte, start int, spec *revisions.Spec) (end int, err error) {
	outMark, droppedMark := len(rw.out), len(rw.dropped)
	end, repeats, err := rw.each(text, start, spec, nil)
	if err == nil && !repeats || err == ErrTooMany {
		return end, err
	}

	// Of histograms with the same name only the last counts, so that an error in an
	// earlier one does not matter.
	var index jsonscan.Object
	if _, syntax := index.Index(text, start); syntax != nil {
		return start, syntax
	}
	if !index.Repeats() {
		return end, err
	}
	rw.out, rw.dropped = rw.out[:outMark], rw.dropped[:droppedMark]
	end, _, err = rw.each(text, start, spec, &index)
	return end, err
}

// each rewrites one histogram after the other; with an index only those that count.
// repeats says that a name came twice.
func (rw *Rewriter) each(text []byte, start int, spec *revisions.Spec, index *jsonscan.Object) (end int, repeats bool, err error) {
	rw.out = append(rw.out, '{')
	rw.seen.clear()

	n := -1 // the number of the member
	it := jsonscan.Members(text, start)
	for it.Next() {
		n++
		if n == MaxHistograms {
			return start, repeats, ErrTooMany
		}
		if index != nil && !index.Counts(n) {
			continue
		}
		if len(rw.out) > rw.MaxRecordBytes {
			return start, repeats, ErrTooLong
		}

		// Names come from clients; most of them have a definition.
		name := it.Name()
		definition := spec.Lookup(name)
		if definition == nil {
			rw.drop(name, DropUnknown)
			continue
		}
		repeats = rw.seen.add(name, definition) || repeats

		// Most end here.
		mark := len(rw.out)
		rw.key(it.Key)
		if end, ok := rw.usual(text, it.Start, definition); ok {
			it.SetEnd(end)
			continue
		}

		// The usual path has left garbage behind.
		rw.out = rw.out[:mark]
		rw.key(it.Key)
		end, reason, err := rw.careful(text, it.Start, name, definition)
		if err != nil {
			return start, repeats, err
		}

		if reason != "" {
			rw.out = rw.out[:mark]
			rw.drop(name, reason)
		}
		it.SetEnd(end)
	}
	if err := it.Err(); err != nil {
		return start, repeats, err
	}

	rw.out = append(rw.out, '}')
	return it.After(), repeats, nil
}

// key begins a histogram with its name as written.
func (rw *Rewriter) key(raw []byte) {
	if rw.out[len(rw.out)-1] != '{' {
		rw.out = append(rw.out, ',')
	}
	rw.out = append(rw.out, '"')
	rw.out = append(rw.out, raw...)
	rw.out = append(rw.out, '"', ':')
}

// maxDropBytes bounds the name of a histogram that is counted as dropped. Clients invent
// names; those of definitions are shorter.
const maxDropBytes = 100

// drop notes that a histogram is left out, without a name that is too long.
func (rw *Rewriter) drop(name []byte, reason string) {
	if len(name) > maxDropBytes {
		name = nil
	}
	rw.dropped = append(rw.dropped, Drop{rw.names.String(name), reason})
}

// nameSet is a set of names of histograms that have a definition. Emptying it costs
// nothing, because each round has its own number.
type nameSet struct {
	rounds []uint32 // by definition, and then by whether it is a STARTUP_ copy: the round that added it
	now    uint32   // the number of this round
}

func (s *nameSet) clear() {
	s.now++
	if s.now == 0 {
		clear(s.rounds)
		s.now = 1
	}
}

// add adds a name, which has this definition, and says whether it was there before.
func (s *nameSet) add(name []byte, definition *revisions.Definition) bool {
	i := 2 * definition.Index
	if len(name) > len(definition.Name) {
		i++
	}
	if i >= len(s.rounds) {
		s.rounds = append(s.rounds, make([]uint32, i+1-len(s.rounds))...)
	}

	before := s.rounds[i]
	s.rounds[i] = s.now
	return before == s.now
}
