package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Tasks as few long lines, for engines that shuffle lines and need not look into them:
//
//	map writes     =<shard> TAB <place>.<number> TAB <pairs>        lines for each of Task.Places and each shard that has some
//	reduce reads   the lines of one shard, in any order
//	reduce writes  <rank><key in hex> TAB <rows>                    a line for each key that has some, in key order
//
// Pairs are uvarint length and bytes of key and value in turn, sorted, compressed with zstd;
// rows are what EncodeRows writes. Both are in base64. The hash of a key says which shard
// it belongs to, so MergeRows puts the keys of all shards in order.

// The ranks of lines of rows: what is written before the first key, for one, and after the
// last.
const (
	rankBefore = '0'
	rankKey    = '1'
	rankAfter  = '2'
)

// maxPackedBytes bounds what a line of pairs holds, unpacked: more pairs make more lines,
// which are in order.
const maxPackedBytes = 32 << 20

// PackedPairs writes the pairs of tasks for so many shards. Not safe for concurrent use.
type PackedPairs struct {
	w      *bufio.Writer
	zip    *zstd.Encoder
	shards [][]byte // pairs that wait, by shard

	written []int // lines of the task, by shard
	line    []byte
}

// NewPackedPairs returns PackedPairs that write to w.
func NewPackedPairs(w io.Writer, shards int) (*PackedPairs, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	return &PackedPairs{w: bufio.NewWriterSize(w, streamBytes), zip: zip, shards: make([][]byte, shards), written: make([]int, shards)}, err
}

// Task writes the pairs of a task.
func (p *PackedPairs) Task(t Task, pairs TaskPairs) error {
	for n, place := range t.Places {
		merged, err := pairs(n)
		if err != nil {
			return err
		}
		if err := p.pairsOf(place, merged); err != nil {
			return err
		}
	}
	return p.w.Flush()
}

// pairsOf writes the pairs of one place.
func (p *PackedPairs) pairsOf(place int, merged *shuffle.Merger) error {
	clear(p.written)
	err := eachPair(merged, func(key, value []byte) error {
		// Keys that are reduced together have one hash, and so one shard.
		at := 0
		if len(p.shards) > 1 {
			at = int(xxhash.Sum64String(together(string(key))) % uint64(len(p.shards)))
		}

		// Key and value, each behind its length.
		b := append(binary.AppendUvarint(p.shards[at], uint64(len(key))), key...)
		b = append(binary.AppendUvarint(b, uint64(len(value))), value...)
		p.shards[at] = b

		// A full line is written early; its number puts it behind those before.
		if len(b) >= maxPackedBytes {
			return p.flush(place, at)
		}
		return nil
	})
	if err != nil {
		return err
	}

	// A line has pairs of one place only, so the rest is written now.
	for at := range p.shards {
		if err := p.flush(place, at); err != nil {
			return err
		}
	}
	return nil
}

// flush writes what waits for a shard.
func (p *PackedPairs) flush(place, shard int) error {
	if len(p.shards[shard]) == 0 {
		return nil
	}

	packed := p.zip.EncodeAll(p.shards[shard], nil)
	p.shards[shard] = p.shards[shard][:0]

	p.line = fmt.Appendf(p.line[:0], "=%d\t%d.%d\t", shard, place, p.written[shard])
	p.written[shard]++
	p.line = append(base64.StdEncoding.AppendEncode(p.line, packed), '\n')
	_, err := p.w.Write(p.line)
	return err
}

// ReducePacked reduces lines of one shard, as PackedPairs has written them, and writes
// lines of rows. Other lines are errors.
func ReducePacked(ctx context.Context, job Job, shardIndex int, in io.Reader, out io.Writer, o Options) (Stats, error) {
	lines := bufio.NewWriterSize(out, streamBytes)
	rows := &keyed{Job: job}

	stats, err := reduceStored(ctx, rows, shardIndex, lineSink{lines}, o, func(store *shuffle.Store, _ int) error {
		return storePacked(store, in)
	})

	if err == nil {
		err = lines.Flush()
	}

	stats.Rows = rows.rows
	stats.UndefinedRows = rows.undefined
	return stats, err
}

// storePacked puts the pairs of the lines into the store, a run for each.
func storePacked(store *shuffle.Store, in io.Reader) error {
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(4*maxPackedBytes))
	if err != nil {
		return err
	}
	defer unzip.Close()

	var packed, pairs []byte
	err = eachLine(in, func(line []byte) error {
		fields := bytes.Split(line, []byte("\t"))
		if len(fields) != 3 || line[0] != '=' {
			return fmt.Errorf("%w of packed pairs", ErrStream)
		}

		// Place and number order the runs as the tasks have written them.
		placeText, number, _ := strings.Cut(string(fields[1]), ".")
		place, err := strconv.Atoi(placeText)
		seq, seqErr := strconv.Atoi(number)
		err = errors.Join(err, seqErr)

		if err == nil {
			packed, err = base64.StdEncoding.AppendDecode(packed[:0], fields[2])
		}
		if err == nil {
			pairs, err = unzip.DecodeAll(packed, pairs[:0])
		}
		if err != nil {
			return fmt.Errorf("%w of packed pairs: %w", ErrStream, err)
		}

		built, err := buildRun(pairs)
		if err != nil {
			return err
		}
		return store.Put(place, seq, built)
	})
	if err != nil {
		return err
	}

	// The lines come in any order; runs must not.
	store.Shards()
	return store.Compact(inTurn)
}

// buildRun makes a run of pairs.
func buildRun(pairs []byte) (*shuffle.Builder, error) {
	built := &shuffle.Builder{}
	var key []byte
	var values shuffle.List
	for rest := pairs; len(rest) > 0; {
		var k, v []byte
		var ok bool
		if k, rest, ok = cutField(rest); ok {
			v, rest, ok = cutField(rest)
		}
		if !ok || len(v) == 0 {
			return nil, fmt.Errorf("%w of packed pairs", ErrStream)
		}

		// The values of a key follow each other; a long list is cut, to bound the memory.
		if !bytes.Equal(key, k) || values.Bytes() > maxListBytes {
			if values.Len() > 0 {
				built.Add(string(key), &values)
			}
			values.Reset()
			key = k
		}
		values.Append(v)
	}

	if values.Len() > 0 {
		built.Add(string(key), &values)
	}
	return built, nil
}

// cutField cuts a length and so many bytes.
func cutField(b []byte) (field, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// keyed is a Job whose reducers write a line for each key that has rows.
type keyed struct {
	Job
	rows, undefined int64
}

// NewReducer implements Job.
func (k *keyed) NewReducer(ctx context.Context, shard int, out *Output) (Reducer, error) {
	r := &keyedReducer{job: k, out: out}
	r.sink = NewEncodeRows(&r.text)
	r.rows = &Output{sink: r.sink, budget: newOutputBudget(0), spools: &spools{}}

	inner, err := k.Job.NewReducer(ctx, shard, r.rows)
	if err != nil {
		return nil, err
	}
	r.Reducer = inner
	return r, r.line(rankBefore, nil)
}

type keyedReducer struct {
	Reducer
	job  *keyed
	out  *Output // takes the lines
	rows *Output // of the key, into text
	sink EncodeRows
	text bytes.Buffer
	buf  []byte
}

// line writes what the rows of a key make.
func (r *keyedReducer) line(rank byte, key []byte) error {
	if err := r.sink.Close(); err != nil {
		return err
	}

	// What the output drops is not counted, either.
	if !r.out.drop {
		r.job.rows += r.rows.rows
		r.job.undefined += r.rows.undefined
	}
	r.rows.rows = 0
	r.rows.undefined = 0

	if r.text.Len() == 0 {
		return nil
	}

	r.buf = append(hex.AppendEncode(append(r.buf[:0], rank), key), '\t')
	r.buf = base64.StdEncoding.AppendEncode(r.buf, r.text.Bytes())
	r.text.Reset()
	return r.out.Line(r.buf)
}

// forget drops the rows of a call that failed.
func (r *keyedReducer) forget() {
	r.sink.Close()
	r.text.Reset()
	r.rows.rows = 0
	r.rows.undefined = 0
}

// Reduce implements Reducer.
func (r *keyedReducer) Reduce(key []byte, values *Values) error {
	if err := r.Reducer.Reduce(key, values); err != nil {
		r.forget()
		return err
	}
	return r.line(rankKey, key)
}

// Finish implements Reducer.
func (r *keyedReducer) Finish() (TaskStats, error) {
	done, err := r.Reducer.Finish()
	if err != nil {
		r.forget()
		return done, err
	}
	return done, r.line(rankAfter, nil)
}

// lineSink writes lines as they are.
type lineSink struct{ w *bufio.Writer }

// Line implements Sink.
func (s lineSink) Line(text []byte) error {
	s.w.Write(text)
	return s.w.WriteByte('\n')
}

// EndPreamble implements Sink.
func (s lineSink) EndPreamble() error { return nil }

// Close implements Sink.
func (s lineSink) Close() error { return s.w.Flush() }

// errNotLine is returned for anything but lines.
var errNotLine = errors.New("internal error: a row that is no line")

// Row implements Sink.
func (s lineSink) Row(_, _ []byte) error { return errNotLine }

// Record implements Sink.
func (s lineSink) Record([]byte) error { return errNotLine }

// CSVRecord implements Sink.
func (s lineSink) CSVRecord([]byte) error { return errNotLine }

// Separators implements Sink.
func (s lineSink) Separators(string, string) error { return errNotLine }

// MergeRows writes to sink the rows of all shards, which ReducePacked has written, in the
// order of the keys. Of the statistics it counts rows.
func MergeRows(shards []io.Reader, sink Sink, maxOutput int64) (Stats, error) {
	out := &Output{sink: sink, budget: newOutputBudget(maxOutput), spools: &spools{}}

	readers := make([]*rowReader, len(shards))
	for i, shard := range shards {
		readers[i] = &rowReader{r: bufio.NewReaderSize(shard, streamBytes)}
		if err := readers[i].next(); err != nil {
			return Stats{}, err
		}
	}

	var preambleEnded bool
	for {
		// There are not many shards, so the lowest key is looked for in all.
		var lowest *rowReader
		for _, reader := range readers {
			if !reader.ended && (lowest == nil || bytes.Compare(reader.key, lowest.key) < 0) {
				lowest = reader
			}
		}

		// The preamble ends before the first key, or at the end of all shards.
		if !preambleEnded && (lowest == nil || lowest.key[0] != rankBefore) {
			preambleEnded = true
			if err := out.endPreamble(); err != nil {
				return Stats{}, err
			}
		}

		if lowest == nil {
			return Stats{Rows: out.rows, UndefinedRows: out.undefined}, nil
		}

		if err := DecodeRows(bytes.NewReader(lowest.rows), out); err != nil {
			return Stats{}, err
		}
		if err := lowest.next(); err != nil {
			return Stats{}, err
		}
	}
}

// rowReader reads lines of rows, in key order.
type rowReader struct {
	r         *bufio.Reader
	key, rows []byte // of the current line
	ended     bool
}

// next reads the next line.
func (r *rowReader) next() error {
	line, err := r.r.ReadBytes('\n')
	if err == io.EOF && len(line) == 0 {
		r.ended = true
		return nil
	}
	if err != nil && err != io.EOF {
		return err
	}

	key, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
	if !ok || len(key) == 0 {
		return fmt.Errorf("%w of rows", ErrStream)
	}

	r.key = key
	r.rows, err = base64.StdEncoding.AppendDecode(r.rows[:0], text)
	if err != nil {
		return fmt.Errorf("%w of rows: %w", ErrStream, err)
	}
	return nil
}
