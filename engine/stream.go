package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Tasks as streams of lines: the contract of `tmrun map` and `tmrun reduce`,
// which --isolate and other engines speak.
//
//	map reads    <id> TAB <json>
//	map writes   hex(key) TAB base64(value), combined, sorted by key in runs
//	reduce reads the same, sorted by key, values in input order
//	reduce writes what a Sink writes, or EncodeRows
//
// Hex keeps the order of keys, so that any sort by text will do in between.

// ErrStream is returned (wrapped) for a line that is none of the above.
var ErrStream = errors.New("malformed line in a stream")

// MapStream runs one map task on the lines of in and writes entries to out.
func MapStream(ctx context.Context, job Job, t Task, in io.Reader, out io.Writer, o Options) (TaskStats, error) {
	w := bufio.NewWriterSize(out, 64<<10)
	m := &mapTask{o: &o, task: t, table: newTable(), reject: newRejections(&o), remote: job.Remote()}
	m.keep = func(groups []*group) error {
		var line []byte
		for _, g := range groups {
			line = append(hex.AppendEncode(line[:0], []byte(g.key)), '\t')
			prefix := len(line)
			for v := memoryValues(g.vals, int(g.n)); ; {
				value, err := v.Next()
				if err != nil || value == nil {
					break
				}
				line = append(base64.StdEncoding.AppendEncode(line[:prefix], value), '\n')
				if _, err := w.Write(line); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := guard(func() (err error) {
		if m.mapper, err = job.NewMapper(ctx, t, m.emit); err != nil {
			return err
		}
		defer m.mapper.Close()
		return m.run(ctx, &lineBlocks{r: in})
	})
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	return m.done, err
}

// lineBlocks cuts a stream into blocks of whole lines.
type lineBlocks struct {
	r   io.Reader
	buf []byte
	end int // of the block handed out
	err error
}

func (l *lineBlocks) Next() ([]byte, error) {
	l.buf = append(l.buf[:0], l.buf[l.end:]...)
	l.end = 0
	for l.err == nil {
		n := len(l.buf)
		l.buf = slices.Grow(l.buf, 64<<10)
		var k int
		k, l.err = l.r.Read(l.buf[n:cap(l.buf)])
		l.buf = l.buf[:n+k]
		if i := bytes.LastIndexByte(l.buf[n:], '\n'); i >= 0 {
			l.end = n + i + 1
			return l.buf[:l.end], nil
		}
	}
	if l.err != io.EOF {
		return nil, l.err
	}
	if l.end = len(l.buf); l.end == 0 {
		return nil, io.EOF
	}
	return l.buf, nil
}

func (l *lineBlocks) Close() error { return nil }

// ReduceStream runs one shard on the sorted entries of in. Of the statistics it
// counts what was rejected.
func ReduceStream(ctx context.Context, job Job, shardIndex int, in io.Reader, sink Sink, o Options) (TaskStats, error) {
	if err := o.validate(); err != nil {
		return TaskStats{}, err
	}
	r := &runner{job: job, o: o, store: store{dir: o.WorkDir, limit: o.Memory}, reject: newRejections(&o)}
	if r.o.Progress == nil {
		r.o.Progress = &Progress{}
	}
	defer r.store.close()
	var w runBuilder
	g := group{}
	seq := 0
	put := func() error { // the group's values so far
		if g.n == 0 {
			return nil
		}
		w.add(&g)
		g.vals, g.n = g.vals[:0], 0
		if len(w.buf) < tableBytes {
			return nil
		}
		full := w
		w = runBuilder{}
		seq++
		return r.store.put(0, seq-1, &full)
	}
	err := DecodeEntries(in, func(key, value []byte) error {
		if g.key != string(key) || len(g.vals) > blockBytes {
			if err := put(); err != nil {
				return err
			}
			if g.key > string(key) {
				return fmt.Errorf("%w: the keys are not sorted", ErrStream)
			}
			g.key = string(key)
		}
		g.vals = appendValue(g.vals, value)
		g.n++
		return nil
	})
	if err == nil {
		err = put()
	}
	if err == nil {
		err = r.store.put(0, seq, &w)
	}
	if err != nil {
		return TaskStats{}, err
	}
	out := &Output{dir: o.WorkDir, budget: &outputBudget{unlimited: true}}
	if !r.reject.tolerates() {
		out.sink = sink
	}
	defer out.close()
	err = guard(func() error { return r.reduceShard(ctx, r.store.sorted(), shard{last: true}, shardIndex, out) })
	if err == nil && out.sink == nil {
		err = out.replay(sink)
	}
	return r.stats.TaskStats, err
}

// EncodeEntry appends the line of one key and value.
func EncodeEntry(b, key, value []byte) []byte {
	b = append(hex.AppendEncode(b, key), '\t')
	return append(base64.StdEncoding.AppendEncode(b, value), '\n')
}

// DecodeEntries calls do with each entry of a stream; the bytes are valid until
// it returns. Errors wrap ErrStream, or are do's or the reader's.
func DecodeEntries(in io.Reader, do func(key, value []byte) error) error {
	lines := &lineBlocks{r: in}
	var key, value []byte
	for n := 1; ; {
		block, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range bytes.Lines(block) {
			k, v, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
			if ok {
				key, err = hex.AppendDecode(key[:0], k)
				if err == nil {
					value, err = base64.StdEncoding.AppendDecode(value[:0], v)
				}
			}
			if !ok || err != nil || len(value) == 0 {
				return fmt.Errorf("%w %d", ErrStream, n)
			}
			if err := do(key, value); err != nil {
				return err
			}
			n++
		}
	}
}

// rowKinds are the first letters of the lines of EncodeRows.
const rowKinds = "rlcs"

// EncodeRows is the Sink that writes what another process decodes: per call a
// letter, then the arguments in base64, tab-separated.
type EncodeRows struct{ w *bufio.Writer }

var _ Sink = EncodeRows{}

// NewEncodeRows returns an EncodeRows that writes to w.
func NewEncodeRows(w io.Writer) EncodeRows { return EncodeRows{bufio.NewWriterSize(w, 64<<10)} }

func (e EncodeRows) put(kind byte, args ...[]byte) error {
	b := []byte{rowKinds[kind]}
	for _, a := range args {
		b = base64.StdEncoding.AppendEncode(append(b, '\t'), a)
	}
	_, err := e.w.Write(append(b, '\n'))
	return err
}

// Row implements Sink.
func (e EncodeRows) Row(key, value []byte) error { return e.put(entryRow, key, value) }

// Line implements Sink.
func (e EncodeRows) Line(text []byte) error { return e.put(entryLine, text) }

// Record implements Sink.
func (e EncodeRows) Record(columns []byte) error { return e.put(entryRecord, columns) }

// Separators implements Sink.
func (e EncodeRows) Separators(field, record string) error {
	return e.put(entrySeparators, []byte(field), []byte(record))
}

// Close implements Sink.
func (e EncodeRows) Close() error { return e.w.Flush() }

// DecodeRows writes to out what EncodeRows has written. Errors wrap ErrStream, or
// are the Output's or the reader's.
func DecodeRows(in io.Reader, out *Output) error {
	lines := &lineBlocks{r: in}
	for {
		block, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range bytes.Lines(block) {
			fields := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
			kind := bytes.IndexByte([]byte(rowKinds), append(fields[0], 0)[0])
			if kind < 0 || len(fields) < 2 {
				return fmt.Errorf("%w of rows", ErrStream)
			}
			args := [2][]byte{}
			for i, f := range fields[1:min(len(fields), 3)] {
				if args[i], err = base64.StdEncoding.AppendDecode(nil, f); err != nil {
					return fmt.Errorf("%w of rows: %w", ErrStream, err)
				}
			}
			if err := out.put(byte(kind), args[0], args[1]); err != nil {
				return err
			}
		}
	}
}
