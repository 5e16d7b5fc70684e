package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Sink formats what the reducers write. It is called by one goroutine, in the
// order of the output. Arguments are valid until the call returns.
type Sink interface {
	// Row takes a key and a value, both data.
	Row(key, value []byte) error
	// Line takes a text that the script has formatted itself.
	Line(text []byte) error
	// Record takes an array datum, whose elements are the columns.
	Record(columns []byte) error
	// Separators sets the field and the record separator of the rows to come.
	Separators(field, record string) error
	// Close writes what is left. It does not close the underlying writer.
	Close() error
}

// ErrOutputLimit is returned when a job writes more than Options.MaxOutput.
var ErrOutputLimit = errors.New("the output exceeds its limit")

// spoolBytes is how much of a shard's output waits in memory for its turn.
const spoolBytes = 16 << 20

// spools are the buffers in which output has waited.
var spools sync.Pool

// Output is where one reducer writes. Not safe for concurrent use.
type Output struct {
	sink   Sink // nil: spool
	drop   bool // in the preamble of a shard but the first
	dir    string
	budget *outputBudget

	buf   []byte
	file  *os.File
	filed int64
	rows  int64
	taken int64 // of the budget
}

// mark is a place in a spooled output.
type mark struct{ at, rows, taken int64 }

func (o *Output) mark() mark { return mark{o.filed + int64(len(o.buf)), o.rows, o.taken} }

// back takes back what was spooled behind m.
func (o *Output) back(m mark) {
	if m.at >= o.filed {
		o.buf = o.buf[:m.at-o.filed]
	} else {
		o.filed, o.buf = m.at, o.buf[:0]
	}
	o.budget.left.Add(o.taken - m.taken)
	o.rows, o.taken = m.rows, m.taken
}

// Kinds of spooled entries: a byte, then fields of uvarint length and bytes.
const (
	entryRow = iota
	entryLine
	entryRecord
	entrySeparators
)

// Rows returns how many rows, lines and records have been written.
func (o *Output) Rows() int64 { return o.rows }

// Row writes a key and its value.
func (o *Output) Row(key, value []byte) error { return o.put(entryRow, key, value) }

// Line writes text as it is, then a newline if the format has lines.
func (o *Output) Line(text []byte) error { return o.put(entryLine, text, nil) }

// Record writes an array datum as columns.
func (o *Output) Record(columns []byte) error { return o.put(entryRecord, columns, nil) }

// Separators sets the separators of this and, being the same script, all shards.
func (o *Output) Separators(field, record string) error {
	return o.put(entrySeparators, []byte(field), []byte(record))
}

func (o *Output) put(kind byte, a, b []byte) error {
	if o.drop && kind != entrySeparators {
		return nil
	}
	if err := o.budget.take(len(a) + len(b)); err != nil {
		return err
	}
	o.taken += int64(len(a) + len(b))
	if kind != entrySeparators {
		o.rows++
	}
	if o.sink != nil {
		return deliver(o.sink, kind, a, b)
	}
	if o.buf == nil {
		if b, ok := spools.Get().(*[]byte); ok {
			o.buf = *b
		}
	}
	o.buf = append(o.buf, kind)
	o.buf = append(binary.AppendUvarint(o.buf, uint64(len(a))), a...)
	o.buf = append(binary.AppendUvarint(o.buf, uint64(len(b))), b...)
	if len(o.buf) < spoolBytes {
		return nil
	}
	if o.file == nil {
		f, err := os.CreateTemp(o.dir, "tmrun-output-*")
		if err != nil {
			return fmt.Errorf("create output spool: %w", err)
		}
		os.Remove(f.Name())
		o.file = f
	}
	n, err := o.file.WriteAt(o.buf, o.filed)
	o.filed += int64(n)
	o.buf = o.buf[:0]
	if err != nil {
		return fmt.Errorf("spool output to %s: %w", o.dir, err)
	}
	return nil
}

func deliver(s Sink, kind byte, a, b []byte) error {
	switch kind {
	case entryRow:
		return s.Row(a, b)
	case entryLine:
		return s.Line(a)
	case entryRecord:
		return s.Record(a)
	default:
		return s.Separators(string(a), string(b))
	}
}

// replay hands what was spooled to sink and frees the spool.
func (o *Output) replay(sink Sink) error {
	defer o.close()
	var r io.Reader = bytes.NewReader(o.buf)
	if o.file != nil {
		r = io.MultiReader(io.NewSectionReader(o.file, 0, o.filed), r)
	}
	br := bufio.NewReaderSize(r, 64<<10)
	var a, b []byte
	for {
		kind, err := br.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			a, err = readField(br, a)
		}
		if err == nil {
			b, err = readField(br, b)
		}
		if err != nil {
			return fmt.Errorf("read output spool: %w", err)
		}
		if err := deliver(sink, kind, a, b); err != nil {
			return err
		}
	}
}

func readField(br *bufio.Reader, b []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(br)
	if err != nil {
		return b, err
	}
	if uint64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	_, err = io.ReadFull(br, b)
	return b, err
}

func (o *Output) close() {
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
	if o.buf != nil {
		b := o.buf[:0]
		spools.Put(&b)
		o.buf = nil
	}
}

// outputBudget counts the bytes that all reducers write. Safe for concurrent use.
type outputBudget struct {
	left      atomic.Int64
	unlimited bool
}

func (b *outputBudget) take(n int) error {
	if b.unlimited || b.left.Add(-int64(n)) >= 0 {
		return nil
	}
	return ErrOutputLimit
}
