package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// The contract of `tmrun map` and `tmrun reduce`, for any program that sorts lines of text.
// Map writes a line for each pair, and one behind the pairs of each task:
//
//	<key in hex> TAB <partition> TAB <age> TAB <segment> TAB <at>.<task>.<number> TAB <value in base64>
//	!end TAB <segment> TAB <task> TAB <JSON>
//
// The fields between key and value are the order of the input, see layout.Order: at is the
// first frame or record of what the pair comes from. task is the first frame or row group of
// the task, and number counts its pairs; these three have eight hexadecimal digits each.
// Sorted by bytes, keys are in key order and the values of a key
// in the order of the input, whatever process has written which lines. The same task
// writes the same lines, and all of them or, if it is interrupted, no end. So lines that
// occur twice are dropped, and those without an end are an error.

// endMark is what the line behind a task's pairs begins with; it sorts before all keys.
const endMark = "!end"

// ErrIncomplete is returned (wrapped) for the pairs of a task that are not all there.
var ErrIncomplete = fmt.Errorf("%w: what a map task has written is not complete", ErrStream)

// TaskEnd is the JSON behind the pairs of a task.
type TaskEnd struct {
	Pairs int64 `json:"pairs"`
	TaskStats
}

// PairLines writes the lines of tasks. Not safe for concurrent use.
type PairLines struct {
	w    *bufio.Writer
	line []byte
}

// NewPairLines returns PairLines that write to w.
func NewPairLines(w io.Writer) *PairLines {
	return &PairLines{w: bufio.NewWriterSize(w, streamBytes)}
}

// Task writes the pairs of a task, and its end.
func (p *PairLines) Task(t Task, done TaskStats, pairs TaskPairs) error {
	end := TaskEnd{TaskStats: done}
	for place := range t.Places {
		merged, err := pairs(place)
		if err != nil {
			return err
		}

		// Of a segment without parts the frames are in order, else the records.
		part, at := -1, t.Lo
		if t.Segment.Parts != nil {
			part = t.FirstPart + place
			at = t.Segment.Parts[part].Record
		}

		order := t.Segment.OrderOf(part).Fields()

		// Sorted as text, the lines of a key are in the order of the input.
		err = eachPair(merged, func(key, value []byte) error {
			p.line = append(hex.AppendEncode(p.line[:0], key), '\t')
			p.line = fmt.Appendf(p.line, "%s\t%08x.%08x.%08x\t", order, at, t.Lo, end.Pairs)
			p.line = append(base64.StdEncoding.AppendEncode(p.line, value), '\n')
			end.Pairs++
			_, err := p.w.Write(p.line)
			return err
		})
		if err != nil {
			return err
		}
	}

	text, err := json.Marshal(end)
	if err != nil {
		return err
	}

	fmt.Fprintf(p.w, "%s\t%s\t%08x\t%s\n", endMark, t.Segment.Path, t.Lo, text)
	return p.w.Flush()
}

// eachPair calls do with each value of each key, in order; both are valid until it returns.
func eachPair(pairs *shuffle.Merger, do func(key, value []byte) error) error {
	for {
		key, values, err := pairs.Next()
		if err != nil || values == nil {
			return err
		}

		for {
			value, err := values.Next()
			if err != nil {
				return err
			}
			if value == nil {
				break
			}
			if err := do(key, value); err != nil {
				return err
			}
		}
	}
}

// ReducePairs reduces sorted lines of pairs, as one shard. With several shards the ends of
// tasks are in another one, so only a single shard checks that all pairs are there.
func ReducePairs(ctx context.Context, job Job, shardIndex int, single bool, in io.Reader, sink Sink, o Options) (Stats, error) {
	return reduceStored(ctx, job, shardIndex, sink, o, func(store *shuffle.Store, runBytes int) error {
		ends := taskEnds{}
		if err := storeEntries(store, func(do func(key, value []byte) error) error { return ends.decode(in, do) }, runBytes); err != nil {
			return err
		}

		if !single {
			return nil
		}
		return ends.check()
	})
}

// taskEnds counts the pairs of each task.
type taskEnds map[string]*taskEnd

type taskEnd struct {
	ended     bool
	want, got int64 // pairs
}

// decode calls do with each pair of the lines.
func (e taskEnds) decode(in io.Reader, do func(key, value []byte) error) error {
	var last, key, value []byte // reused from line to line
	number := 0

	return eachLine(in, func(line []byte) error {
		// A task that ran twice has written the same lines, which are beside each other.
		number++
		if bytes.Equal(line, last) {
			return nil
		}
		last = append(last[:0], line...)

		fields := bytes.Split(line, []byte("\t"))
		if string(fields[0]) == endMark && len(fields) == 4 {
			return e.end(string(fields[1])+"\t"+string(fields[2]), fields[3])
		}
		if len(fields) != 6 {
			return fmt.Errorf("%w: %d", ErrStream, number)
		}

		numbers := bytes.Split(fields[4], []byte("."))
		var keyErr, valueErr error
		key, keyErr = hex.AppendDecode(key[:0], fields[0])
		value, valueErr = base64.StdEncoding.AppendDecode(value[:0], fields[5])
		if len(numbers) != 3 || keyErr != nil || valueErr != nil || len(value) == 0 {
			return fmt.Errorf("%w: %d", ErrStream, number)
		}

		e.task(string(fields[3])+"\t"+string(numbers[1])).got++
		return do(key, value)
	})
}

func (e taskEnds) task(name string) *taskEnd {
	if e[name] == nil {
		e[name] = &taskEnd{}
	}
	return e[name]
}

// end notes the end of a task.
func (e taskEnds) end(name string, text []byte) error {
	var end TaskEnd
	if err := json.Unmarshal(text, &end); err != nil {
		return fmt.Errorf("%w: the end of a task: %w", ErrStream, err)
	}

	task := e.task(name)
	task.ended = true
	task.want = end.Pairs
	return nil
}

// check returns an error for the task whose pairs are not all there.
func (e taskEnds) check() error {
	first := ""
	for name, task := range e {
		if (!task.ended || task.got != task.want) && (first == "" || name < first) {
			first = name
		}
	}
	if first == "" {
		return nil
	}

	segment, at, _ := bytes.Cut([]byte(first), []byte("\t"))
	if !e[first].ended {
		return fmt.Errorf("%w: the end of %s at %s is missing", ErrIncomplete, segment, at)
	}
	return fmt.Errorf("%w: %d of %d pairs of %s at %s", ErrIncomplete, e[first].got, e[first].want, segment, at)
}
